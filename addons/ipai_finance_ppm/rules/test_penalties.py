"""Worked out by hand: python3 -m unittest discover -s addons/ipai_finance_ppm/rules -t addons/ipai_finance_ppm"""

import json
import unittest
from pathlib import Path

from .penalties import estimate_exposure, shipped_penalties

PENALTIES = shipped_penalties()


def late(amount, days=0, form="2550Q", is_open=False):
    return {"form": form, "amount": amount, "days": days, "isOpen": is_open}


class TestPenalties(unittest.TestCase):
    def test_by_size(self):
        # 100,000 pesos, 73 days (a fifth of a year) late.
        for size, parts in (
            ("micro", (10_000, 1_200, 6_000)),
            ("small", (10_000, 1_200, 6_000)),
            ("medium", (25_000, 2_400, 12_000)),
            ("large", (25_000, 2_400, 12_000)),
            (None, (25_000, 2_400, 12_000)),
        ):
            found = estimate_exposure(PENALTIES, size, [late(100_000, 73)])
            self.assertEqual((found["surcharge"], found["interest"], found["compromise"]), parts, size)
            self.assertEqual((found["amount"], found["fines"], found["perDay"], found["unknown"]), (sum(parts), 0, 0, 0))

    def test_the_edges_of_the_schedule(self):
        for amount, fine in ((0, 0), (0.01, 200), (500, 200), (500.01, 400), (5_000_000, 25_000), (5_000_000.01, 50_000)):
            self.assertEqual(estimate_exposure(PENALTIES, "large", [late(amount)])["compromise"], fine, amount)

    def test_what_is_open_costs_more_each_day(self):
        self.assertEqual(estimate_exposure(PENALTIES, "large", [late(365_000, 10, is_open=True), late(365_000, 10)])["perDay"], 120)

    def test_lists_cost_a_fine_each_up_to_that_of_a_year(self):
        lists = [late(None, form="SLSP") for _ in range(30)]
        self.assertEqual([estimate_exposure(PENALTIES, size, lists)["amount"] for size in ("small", "large")], [12_500, 25_000])
        self.assertEqual(estimate_exposure(PENALTIES, "small", lists[:3])["amount"], 1_500)

    def test_nothing_is_said_where_no_amount_is_known(self):
        found = estimate_exposure(PENALTIES, "small", [late(None), late(None)])
        self.assertEqual((found["amount"], found["surcharge"], found["perDay"], found["unknown"]), (None, None, None, 2))
        self.assertEqual(estimate_exposure(PENALTIES, "small", [late(None), late(1_000)])["unknown"], 1)
        self.assertEqual((estimate_exposure(PENALTIES, "small", [])["amount"], estimate_exposure(PENALTIES, "small", [])["basis"]), (0, []))

    def test_it_is_no_surer_than_its_least_sure_part(self):
        self.assertEqual(estimate_exposure(PENALTIES, "small", [late(1_000)])["confidence"], "medium")

    def test_every_form_that_is_fined_is_in_the_catalogue(self):
        forms = json.loads((Path(__file__).parent / "catalogue.json").read_text(encoding="utf-8"))["forms"]
        self.assertLessEqual(set(PENALTIES["informationReturns"]["forms"]), {one["code"] for one in forms})


if __name__ == "__main__":
    unittest.main()
