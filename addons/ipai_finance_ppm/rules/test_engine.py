"""The cases that both implementations must pass: python3 -m unittest discover -s addons/ipai_finance_ppm/rules -t addons/ipai_finance_ppm"""

import json
import unittest
from pathlib import Path

from .engine import RuleError, get_filing, get_form, list_filings, shipped_rules

CASES = json.loads((Path(__file__).parent / "cases.json").read_text(encoding="utf-8"))["cases"]


def rules_for(case):
    """The shipped rules, with the holidays and extensions of a case added."""
    rules = shipped_rules()
    rules["holidays"]["days"] += case.get("holidays", [])
    rules["extensions"] += case.get("extensions", [])
    return rules


class TestRules(unittest.TestCase):
    def test_cases(self):
        self.assertGreater(len(CASES), 60)
        for case in CASES:
            with self.subTest(case["name"]):
                filing = get_filing(rules_for(case), case["filer"], case["form"], case["period"])
                self.assertEqual({key: filing[key] for key in case["expect"]}, case["expect"])

    def test_what_has_no_answer_is_refused(self):
        rules, manual = shipped_rules(), {"kind": "manual"}
        for ask in (
            lambda: get_form(rules["catalogue"], "2550M"),
            lambda: get_filing(rules, manual, "0619-E", "2026-03"),
            lambda: get_filing(rules, manual, "0619-E", "soon"),
            lambda: list_filings(rules, manual, 2018),
            lambda: list_filings(rules, {"kind": "efps"}, 2026),
        ):
            self.assertRaises(RuleError, ask)

    def test_december_of_a_year_is_in_the_calendar_of_the_next(self):
        filings = list_filings(shipped_rules(), {"kind": "manual"}, 2027)
        self.assertEqual((filings[0]["form"], filings[0]["period"]), ("1601-C", "2026-12"))


if __name__ == "__main__":
    unittest.main()
