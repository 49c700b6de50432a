"""What has to be filed with the BIR, by when, and why.

The same rules as src/finance/filings.ts, to the letter of the reasons: the addon computes its deadlines alone, with the control plane
absent. Both read the JSON files beside this one and must pass cases.json. It imports nothing of Odoo and reads no clock.

A filer is a dict: kind (manual, ebirforms, efps), group (A to E, for efps), fiscalYearEnd (1 to 12), applies, regions.
"""

import calendar
import json
import re
import sys
from datetime import date, timedelta
from pathlib import Path

LAST_YEAR = 2199
MONTHS = {"month": 1, "quarter": 3, "fiscal_quarter": 3, "half_year": 6, "calendar_year": 12, "fiscal_year": 12, "event": 0}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class RuleError(ValueError):
    """A question that has no answer: an unknown form, period, year or filer."""


def shipped_rules():
    """The rules beside this file."""

    def read(name):
        return json.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))

    return {
        "catalogue": read("catalogue.json"),
        "holidays": read("holidays.json"),
        "extensions": read("extensions.json")["extensions"],
    }


def list_filings(rules, filer, year):
    """The filings whose effective deadline lies in a calendar year, in its order."""
    first = rules["catalogue"]["firstYear"]
    if not first < year <= LAST_YEAR:
        raise RuleError(f"no calendar can be computed for {year}")
    question = _Question(rules, filer)
    liable = set(question.filer.get("applies", rules["catalogue"]["core"]))
    filings = [
        question.filing(form, period)
        for form in rules["catalogue"]["forms"]
        if form["applies"] in liable
        for ending in (year - 2, year - 1, year)
        if ending >= first
        for period in list_periods(form, question.filer["fiscalYearEnd"], ending)
    ]
    return sorted((one for one in filings if one["effective"][:4] == str(year)), key=lambda one: one["effective"])


def get_filing(rules, filer, code, label):
    """One filing, whether or not the filer is liable for it. `label` is a period as filings name it, or the day of an event."""
    question = _Question(rules, filer)
    form = get_form(rules["catalogue"], code)
    if form["period"] == "event":
        day = _parse(label)
        return question.filing(form, {"label": label, "start": day, "end": day})
    years = re.findall(r"\d{4}", label)
    for ending in (int(year) + before for year in years[:1] for before in (-1, 0)):
        for period in list_periods(form, question.filer["fiscalYearEnd"], ending):
            if period["label"] == label:
                return question.filing(form, period)
    raise RuleError(f"{code} is not filed for a period {label}")


def get_form(catalogue, given):
    """By its code or another of its names; 1601C is 1601-C."""

    def bare(code):
        return re.sub(r"[^A-Z0-9]", "", code.upper())

    for form in catalogue["forms"]:
        if bare(given) in (bare(code) for code in (form["code"], *form.get("aliases", ()))):
            return form
    raise RuleError(f"there is no form {given} in the catalogue")


def list_periods(form, fiscal_year_end, year):
    """A form's periods that end in a calendar year, in order. An event has none."""
    length = MONTHS[form["period"]]
    if length == 0:
        return []
    is_fiscal = form["period"].startswith("fiscal_")
    year_end = fiscal_year_end if is_fiscal else 12
    prefix = "FY" if is_fiscal and year_end != 12 else ""
    periods = []
    for month in range(1, 13):
        of_year = (month - year_end + 11) % 12 + 1
        if of_year % length or not _is_filed(form, of_year):
            continue
        named = year + 1 if month > year_end else year
        periods.append(
            {
                "label": f"{prefix}{named}{_suffix(length, of_year)}",
                "start": _day_of_month(year, month - length + 1, 1),
                "end": _day_of_month(year, month, "last"),
            }
        )
    return periods


def _suffix(length, of_year):
    return {1: f"-{of_year:02}", 3: f"-Q{of_year // 3}", 6: f"-H{of_year // 6}", 12: ""}[length]


def _is_filed(form, of_year):
    only = form.get("only", {})
    if "monthsOfQuarter" in only and (of_year - 1) % 3 + 1 not in only["monthsOfQuarter"]:
        return False
    return "quarters" not in only or (of_year + 2) // 3 in only["quarters"]


class WorkingDays:
    """Which days are worked. An estimated holiday moves no deadline: proclaimed for another day, the moved one would be missed."""

    def __init__(self, holidays, regions):
        self.holidays = holidays
        self.proclaimed, self.estimated, self.fixed = {}, {}, {}
        for row in holidays["days"]:
            where = row.get("regions", [])
            if row["type"] == "special_working" or (where and not set(where) & set(regions)):
                continue
            known = self.proclaimed if row["status"] == "proclaimed" else self.estimated
            known[_parse(row["date"])] = row

    def is_proclaimed(self, year):
        return year in self.holidays["proclaimedYears"]

    def find_off(self, day):
        row = self.proclaimed.get(day) or self._by_law(day)
        if row:
            return {"kind": "holiday", "day": day, **{key: row[key] for key in ("name", "type", "basis", "confidence")}}
        if day.weekday() >= 5:
            return {"kind": "weekend", "day": day, "name": WEEKDAYS[day.weekday()], "confidence": "high"}
        return None

    def is_worked(self, day):
        """An estimated holiday is no day to count on."""
        return not self.find_off(day) and day not in self.estimated

    def next(self, day):
        passed = []
        while off := self.find_off(day):
            passed.append(off)
            day += timedelta(days=1)
        return day, passed

    def before(self, day, count):
        while count:
            day -= timedelta(days=1)
            if self.is_worked(day):
                count -= 1
        return day

    def after(self, day, count):
        while count:
            day += timedelta(days=1)
            if self.is_worked(day):
                count -= 1
        return day

    def _by_law(self, day):
        if self.is_proclaimed(day.year):
            return None
        if day.year not in self.fixed:
            self.fixed[day.year] = {
                _date_in(row["on"], day.year): {**row, "confidence": "medium"} for row in self.holidays["byLaw"]
            }
        return self.fixed[day.year].get(day)


class _Question:
    def __init__(self, rules, filer):
        if filer["kind"] == "efps" and filer.get("group") not in tuple("ABCDE"):
            raise RuleError("an eFPS filer belongs to a group, A to E")
        self.rules = rules
        self.filer = {"fiscalYearEnd": 12, "regions": [], **filer}
        self.working = WorkingDays(rules["holidays"], self.filer["regions"])

    def filing(self, form, period):
        rule = self._rule_for(form, period)
        dates = self._dates(form, period, rule)
        stages = self.rules["catalogue"]["stages"]
        pays = form["kind"] in ("return", "remittance")
        return {
            "form": form["code"],
            "name": form["name"],
            "kind": form["kind"],
            "period": period["label"],
            "periodStart": str(period["start"]),
            "periodEnd": str(period["end"]),
            "statutory": str(dates["statutory"]),
            "adjusted": str(dates["adjusted"]),
            "effective": str(dates["effective"]),
            "payment": str(dates["payment"]) if pays else None,
            **{stage: str(self.working.before(dates["effective"], count)) for stage, count in stages.items()},
            "reasons": dates["reasons"],
            "legalBasis": rule["legalBasis"],
            "source": rule["source"],
            "confidence": dates["confidence"],
        }

    def _rule_for(self, form, period):
        for rule in form["rules"]:
            when = rule.get("when", {})
            if self.filer["kind"] in when.get("filers", [self.filer["kind"]]) and period["end"].month in when.get(
                "months", [period["end"].month]
            ):
                return rule
        raise RuleError(f"no rule of {form['code']} fits {self.filer['kind']}")

    def _base(self, code, period):
        form = get_form(self.rules["catalogue"], code)
        return self._dates(form, period, self._rule_for(form, period))

    def _dates(self, form, period, rule):
        due = rule["due"]
        said = _reason("rule", rule["says"], rule["legalBasis"])
        if "with" in due:
            base = self._base(due["with"], period)
            return {
                **base,
                "reasons": [said, *base["reasons"]],
                "confidence": _lowest(rule["confidence"], base["confidence"]),
            }
        base = self._base(due["of"], period) if "of" in due else None
        if "daysAfter" in due:
            statutory = (base["adjusted"] if base else period["end"]) + timedelta(days=due["daysAfter"])
        else:
            statutory = self._in_month(due, period)
        adjusted, passed = self.working.next(statutory)
        effective, extension_reasons, extension_confidence = self._extend(form, adjusted)
        payment, _ = self.working.next(self._in_month(rule["pay"], period) if "pay" in rule else statutory)
        doubts = [*self._doubts(effective), *(_follow_doubts(base) if base else [])]
        return {
            "statutory": statutory,
            "adjusted": adjusted,
            "effective": effective,
            "payment": max(payment, effective),
            "reasons": [said, *self._moves(passed, adjusted), *extension_reasons, *(reason for reason, _ in doubts)],
            "confidence": _lowest(
                rule["confidence"],
                base["confidence"] if base else "high",
                extension_confidence,
                form.get("shiftConfidence", "high") if passed else "high",
                *(off["confidence"] for off in passed),
                *(confidence for _, confidence in doubts),
            ),
        }

    def _in_month(self, due, period):
        day = due["day"]
        if isinstance(day, dict):
            day = day[self.filer["group"]]
        return _day_of_month(period["end"].year, period["end"].month + due["monthsAfter"], day)

    def _extend(self, form, adjusted):
        fitting = [
            one
            for one in self.rules["extensions"]
            if form["code"] in one["forms"]
            and one["dueFrom"] <= str(adjusted) <= one["dueUntil"]
            and (not one["regions"] or set(one["regions"]) & set(self.filer["regions"]))
        ]
        latest = max(fitting, key=lambda one: one["newDeadline"], default=None)
        if latest is None or _parse(latest["newDeadline"]) <= adjusted:
            return adjusted, [], "high"
        moved, passed = self.working.next(_parse(latest["newDeadline"]))
        said = _reason("extension", f"extended to {latest['newDeadline']}", latest["authority"])
        confidence = _lowest(latest["confidence"], *(off["confidence"] for off in passed))
        return moved, [said, *self._moves(passed, moved)], confidence

    def _moves(self, passed, to):
        shift = self.rules["catalogue"]["shift"]
        reasons = []
        for off in passed:
            if off["kind"] == "weekend":
                reasons.append(_reason("weekend", f"{off['day']} is a {off['name']}", shift["legalBasis"]))
                continue
            words = "special non-working day" if off["type"] == "special_nonworking" else "regular holiday"
            reasons.append(_reason("holiday", f"{off['day']} is {off['name']} ({words})", off["basis"]))
        return [*reasons, _reason("moved", f"{shift['says']}, {to}", shift["legalBasis"])] if passed else []

    def _doubts(self, effective):
        doubts = []
        estimate = self.working.estimated.get(effective)
        if estimate:
            text = f"{effective} is expected to be {estimate['name']}; not proclaimed, so it moves nothing yet"
            doubts.append((_reason("estimate", text, estimate["basis"]), "low"))
        if not self.working.is_proclaimed(effective.year):
            text = f"no proclamation of holidays is entered for {effective.year}: only those that the law fixes are known"
            doubts.append((_reason("unproclaimed", text, ""), "medium"))
        return doubts


def _follow_doubts(base):
    """Whether what hangs on a return follows its extension is not settled: the earlier date is the safe one."""
    if base["effective"] == base["adjusted"]:
        return []
    text = f"counted from {base['adjusted']}; whether it follows the extension to {base['effective']} has to be confirmed"
    return [(_reason("unsettled", text, ""), "low")]


def _reason(kind, text, basis):
    return {"kind": kind, "text": text, "basis": basis}


def _lowest(*confidences):
    return next((one for one in ("low", "medium") if one in confidences), "high")


def _parse(text):
    return date(*map(int, text.split("-")))


def _day_of_month(year, month, day):
    """That day of a month; of a shorter month, its last. Months are counted on past December and back before January."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    length = calendar.monthrange(year, month)[1]
    return date(year, month, length if day == "last" else min(day, length))


def _date_in(on, year):
    if "easter" in on:
        return _easter(year) + timedelta(days=on["easter"])
    if "day" in on:
        return _day_of_month(year, on["month"], on["day"])
    last = _day_of_month(year, on["lastMonday"], "last")
    return last - timedelta(days=last.weekday())


def _easter(year):
    golden, (century, of_century) = year % 19, divmod(year, 100)
    moon = (19 * golden + century - century // 4 - (8 * century + 13) // 25 + 15) % 30
    sunday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - moon - of_century % 4) % 7
    correction = (golden + 11 * moon + 19 * sunday) // 433
    month = (moon + sunday - 7 * correction + 90) // 25
    return date(year, month, (moon + sunday - 7 * correction + 33 * month + 19) % 32)


def main():
    """Reads questions [{filer, year}] as JSON and prints the answers, for whoever compares two implementations."""
    rules = shipped_rules()
    json.dump([list_filings(rules, ask["filer"], ask["year"]) for ask in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
