# Typed into Odoo's shell: three companies with a quarter's filings, some late, people with work, closes, alerts. Nobody here exists.
from datetime import timedelta

today = env["ipai.finance.calendar"]._today()
Filing, Person = env["ipai.finance.bir_schedule"], env["ipai.finance.person"]
companies = env.ref("base.main_company")
companies.name = "Example Holdings"
for name in ("Example Trading", "Example Services"):
    companies |= env["res.company"].create({"name": name})
people = {}
for number, (name, role) in enumerate(
    (
        ("Reyna Example", "staff"),
        ("Ana Sample", "staff"),
        ("Jose Muster", "staff"),
        ("Tomas Example", "supervisor"),
        ("Luz Example", "manager"),
        ("Ramon Example", "director"),
    )
):
    login = name.split()[0].lower()
    user = env["res.users"].create(
        {
            "name": name,
            "login": f"board-{login}",
            "password": f"board-{login}",
            "email": f"{login}@example.com",
            "company_id": companies[0].id,
            "company_ids": [(6, 0, companies.ids)],
            "tz": "Asia/Manila",
        }
    )
    people[login] = user
    for company in companies:
        person = Person.create(
            {"code": f"B{number}", "name": name, "role": role, "user_id": user.id, "company_id": company.id, "email": user.email}
        )
    person.action_grant_access()

# Who only looks, in one company, and who has no part in it.
for login, group in (("vera", "ipai_finance_ppm.group_auditor"), ("olga", "base.group_user")):
    user = env["res.users"].create({"name": f"{login.title()} Example", "login": f"board-{login}", "password": f"board-{login}"})
    user.write({"group_ids" if "group_ids" in user._fields else "groups_id": [(4, env.ref(group).id)]})

first = today - timedelta(days=40)
preparers = ("reyna", "ana", "jose")
for company, preparer in zip(companies, preparers):
    values = {
        "kind": "efps" if company == companies[1] else "ebirforms",
        "efps_group": "B" if company == companies[1] else False,
        "start_on": first,
        "liability_ids": [(6, 0, env["ipai.finance.liability"].search([]).ids)],
        "supervisor_id": people[preparer].id,
        "reviewer_id": people["tomas"].id,
        "approver_id": people["luz"].id,
        # One company is not set up to the end.
        "regions": False if company == companies[2] else "NCR, Makati, 047",
    }
    company.vat = "000-123-456-000"
    filer = env["ipai.finance.filer"].with_context(active_test=False).search([("company_id", "=", company.id)])
    if filer:
        filer.write(values)
    else:
        filer = filer.create({"company_id": company.id, **values})
    for year in sorted({first.year, today.year, (today + timedelta(days=90)).year}):
        filer._generate(year)

Filing._mark_late()
Filing._make_tasks()
for at, filing in enumerate(Filing.search([("filing_deadline", "<=", today + timedelta(days=60))])):
    left = (filing.filing_deadline - today).days
    done = 3 if left < 0 and at % 5 else (at % 4 if left < 12 else at % 3 if left < 30 else 0)
    for task in filing.task_ids.sorted("date_deadline")[:done]:
        task.state = "1_done"
    if left < 0 and at % 5:
        # The earlier half of a working day, so that it is the same day in Manila.
        filed = f"{filing.filing_deadline - timedelta(days=1 if at % 7 else -1)} 02:00:00"
        filing.write({"state": "filed", "filed_on": filed, "confirmation_no": f"EX-{filing.id}"})
    elif done:
        filing.state = "submitted" if done == 3 else "in_progress"

template = env["ipai.finance.close.template"].search([], limit=1)
last = today.replace(day=1) - timedelta(days=1)
for months_ago, month in ((2, last.replace(day=1) - timedelta(days=1)), (1, last)):
    for company, share in zip(companies, (0.9, 0.6, 0.3)):
        close = env["ipai.finance.close"].create({"company_id": company.id, "period": month.strftime("%Y-%m"), "template_id": template.id})
        close.action_open()
        tasks = close.task_ids.sorted("date_deadline")
        for at, task in enumerate(tasks if months_ago == 2 else tasks[: round(len(tasks) * share)]):
            task.state = "1_done"
            # One in four a day late, if that day has come.
            task.finance_done_on = min(task.finance_done_on, task.date_deadline + timedelta(days=1 if at % 4 == 3 else 0))
        if months_ago == 2:
            close.action_review()
            close.action_lock()
            close.actual_close_date = close.target_close_date

for code, value in (("I1", 1.5), ("I2", 88), ("P1", 100), ("P2", 100)):
    env["ipai.finance.logframe"].search([("code", "=", code)]).entered = value
Filing._tell_deadlines()
env["ipai.finance.escalation_log"]._run_ladder()
env.cr.commit()
