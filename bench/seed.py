"""Run by `odoo shell` on a fresh practice database: a company with a chart of accounts, and posted invoices of which no two are alike.
`odoo populate` multiplies them. Words and figures come from a generator with a fixed beginning, so every machine has the same data."""
import random

count, lines, at_once = 1500, (1, 6), 250
rng = random.Random(20261125)
consonants, vowels = "bcdfghklmnprstvwz", "aeiou"


def word():
    return "".join(rng.choice(consonants) + rng.choice(vowels) for _ in range(rng.randint(2, 4)))


def words(least, most):
    return " ".join(word() for _ in range(rng.randint(least, most))).capitalize()


company = env.company
if not company.chart_template:
    env["account.chart.template"].try_loading("generic_coa", company, install_demo=False)
partners = env["res.partner"].create(
    [
        {
            "name": words(2, 3),
            "street": f"{words(1, 2)} {rng.randint(1, 999)}",
            "city": words(1, 1),
            "email": f"{word()}.{word()}@example.com",
            "phone": f"+63 {rng.randint(10**8, 10**9 - 1)}",
        }
        for _ in range(400)
    ]
)
products = env["product.product"].create(
    [{"name": words(2, 4), "list_price": rng.randint(100, 100_000) / 100, "default_code": word().upper()} for _ in range(200)]
)
env.cr.commit()


def line():
    return {
        "product_id": rng.choice(products).id,
        "name": words(3, 9),
        "quantity": rng.randint(1, 20),
        "price_unit": rng.randint(100, 500_000) / 100,
    }


def invoice():
    return {
        "move_type": "out_invoice",
        "partner_id": rng.choice(partners).id,
        "invoice_date": f"2026-{rng.randint(1, 11):02d}-{rng.randint(1, 28):02d}",
        "ref": f"{word().upper()}-{rng.randint(1, 10**6)}",
        "narration": words(8, 30),
        "invoice_line_ids": [(0, 0, line()) for _ in range(rng.randint(*lines))],
    }


for _ in range(count // at_once):
    env["account.move"].create([invoice() for _ in range(at_once)]).action_post()
    env.cr.commit()
print("INVOICES", env["account.move"].search_count([]))
