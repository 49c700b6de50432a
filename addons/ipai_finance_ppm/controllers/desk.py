import base64
import re

from odoo import fields, http

from ..models.bir_schedule import OPEN
from ..models.calendar import day_in_manila, split_words
from .door import Refusal, door, take

PATH = "/ipai/finance/ppm/api/"
# Who is of Finance PPM at all, the models know: an auditor reads as staff does.
ANYBODY = "base.group_user"
SUPERVISOR = "ipai_finance_ppm.group_supervisor"
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
YEAR = re.compile(r"[12]\d{3}")


class Desk(http.Controller):
    """What people do at their desk, from a program: read what is held, acknowledge, enter what was proclaimed, have the ladder climbed and the
    report made. By the rights of the key's user. Nothing is handed out to be delivered here: that is the outbox's (see outbox.py).
    """

    @door(f"{PATH}filings", ANYBODY, methods=("GET",))
    def filings(self, env, sent):
        asked = take(sent, state=str, year=str)
        if asked["state"] not in (None, "open", "all"):
            raise Refusal(400, "no_state", "Ask for “open” filings, or “all”.")
        terms = [] if asked["state"] == "all" else [("state", "in", OPEN)]
        return {"filings": [as_filing(one) for one in env["ipai.finance.bir_schedule"].search(terms + in_year("filing_deadline", asked["year"]))]}

    @door(f"{PATH}alerts", ANYBODY, methods=("GET",))
    def alerts(self, env, sent):
        take(sent)
        return {"alerts": [as_alert(one) for one in env["ipai.finance.alert"]._open()]}

    @door(f"{PATH}alerts/<int:alert>/ack", ANYBODY)
    def acknowledge(self, env, sent):
        asked = take(sent, alert=int)
        alert = env["ipai.finance.alert"].search([("id", "=", asked["alert"])])
        if not alert:
            raise Refusal(404, "not_found", f"There is no alert {asked['alert']}.")
        alert.action_ack()
        return {"alert": as_alert(alert)}

    @door(f"{PATH}closes", ANYBODY, methods=("GET",))
    def closes(self, env, sent):
        asked = take(sent, period=str)
        terms = [] if asked["period"] is None else [("period", "=", a_month(asked["period"]))]
        return {"closes": [as_close(one) for one in env["ipai.finance.close"].search([("state", "!=", "draft"), *terms])]}

    @door(f"{PATH}heartbeats", ANYBODY, methods=("GET",))
    def heartbeats(self, env, sent):
        take(sent)
        env["ipai.finance.heartbeat"].check_access("read")
        return {"heartbeats": [as_heartbeat(one) for one in env["ipai.finance.heartbeat"]._pulses()]}

    @door(f"{PATH}holidays", ANYBODY, methods=("GET",))
    def holidays(self, env, sent):
        asked = take(sent, year=str)
        return {"holidays": [as_holiday(one) for one in env["ipai.finance.holiday"].search(in_year("date", asked["year"]), order="date, id")]}

    @door(f"{PATH}holidays", ANYBODY)
    def add_holiday(self, env, sent):
        asked = take(sent, date=str, name=str, type=str, status=str, proclamation=str, regions=list, confidence=str, preview=bool)
        require(asked, "date", "name", "proclamation")
        holidays = env["ipai.finance.holiday"]
        holidays.check_access("create")
        regions = words(asked["regions"])
        values = {
            "date": a_day(asked["date"]),
            "name": asked["name"],
            "proclamation": asked["proclamation"],
            "regions": regions or False,
            **chosen(holidays, holiday_type=asked["type"], status=asked["status"], confidence=asked["confidence"]),
        }
        of_day = holidays.with_context(active_test=False).search([("date", "=", values["date"])])
        if known := of_day.filtered(lambda one: (one.regions or "") == regions):
            raise Refusal(409, "known", f"{known.date} is entered already: {known.name}{'' if known.active else ' (archived)'}.")
        rules = env["ipai.finance.calendar"]._rules(holiday=holidays.new(values))
        return enter(env, holidays, values, rules, asked["preview"])

    @door(f"{PATH}extensions", ANYBODY, methods=("GET",))
    def extensions(self, env, sent):
        take(sent)
        return {"extensions": [as_extension(one) for one in env["ipai.finance.deadline_extension"].search([])]}

    @door(f"{PATH}extensions", ANYBODY)
    def add_extension(self, env, sent):
        days = ("issuedOn", "dueFrom", "dueUntil", "newDeadline")
        asked = take(sent, authority=str, forms=list, regions=list, source=str, confidence=str, preview=bool, **dict.fromkeys(days, str))
        require(asked, "authority", "forms", *days)
        extensions = env["ipai.finance.deadline_extension"]
        extensions.check_access("create")
        issued_on, due_from, due_until, new_deadline = (a_day(asked[name]) for name in days)
        if not due_from <= due_until <= new_deadline:
            raise Refusal(400, "no_extension", "An extension leads from the first deadline over the last one to a later day.")
        values = {
            "authority": asked["authority"],
            "form_ids": [(6, 0, forms_of(env, asked["forms"]).ids)],
            "issued_on": issued_on,
            "due_from": due_from,
            "due_until": due_until,
            "new_deadline": new_deadline,
            "regions": words(asked["regions"]) or False,
            "source": asked["source"] or False,
            "state": "confirmed",
            **chosen(extensions, confidence=asked["confidence"]),
        }
        same = [(name, "=", values[name]) for name in ("authority", "due_from", "due_until", "new_deadline", "regions")]
        if extensions.search(same).filtered(lambda one: set(one.form_ids.mapped("code")) == set(asked["forms"])):
            raise Refusal(409, "known", f"{asked['authority']} is entered already.")
        rules = env["ipai.finance.calendar"]._rules(extension=extensions.new(values))
        return enter(env, extensions, values, rules, asked["preview"])

    @door(f"{PATH}ladder", SUPERVISOR)
    def climb(self, env, sent):
        take(sent)
        steps = env["ipai.finance.escalation_log"].sudo()._run_ladder()
        return {"steps": [as_step(one) for one in steps.with_env(env)._filtered_access("read").sorted("id")]}

    @door(f"{PATH}reports", ANYBODY, methods=("GET",))
    def reports(self, env, sent):
        return {"reports": reports_of(env, a_month(take(sent, period=str)["period"]))}

    @door(f"{PATH}reports/files", ANYBODY, methods=("GET",))
    def report_files(self, env, sent):
        """Those that are mailed, of all companies whose reports the user sees."""
        reports = of_month(env, a_month(take(sent, period=str)["period"]))
        if not reports:
            raise Refusal(404, "not_found", "No report of this month has been made.")
        return {"pdf": base64.b64encode(reports._as_pdf()).decode(), "csv": reports._as_csv()}

    @door(f"{PATH}reports/<string:period>", SUPERVISOR)
    def make_reports(self, env, sent):
        period = a_month(take(sent, period=str)["period"])
        env["ipai.finance.monthly_report"].sudo()._run_month(period, env.companies)
        return {"reports": reports_of(env, period)}


# What was asked for


def require(asked, *names):
    for name in names:
        if not asked[name]:
            raise Refusal(400, "missing_key", f"Say “{name}”.")


def a_day(given):
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", given):
            raise ValueError
        return fields.Date.to_date(given)
    except ValueError as error:
        raise Refusal(400, "no_day", f"{given} is no day. One is written as 2026-01-31.") from error


def a_month(given):
    if not MONTH.fullmatch(given or ""):
        raise Refusal(400, "no_month", "A month is written as 2026-01.")
    return given


def in_year(field, year):
    if year is None:
        return []
    if not YEAR.fullmatch(year):
        raise Refusal(400, "no_year", "A year is written as 2026.")
    return [(field, ">=", f"{year}-01-01"), (field, "<=", f"{year}-12-31")]


def words(given):
    """Regions as they are kept: a text, whose words have commas between them."""
    if not all(isinstance(one, str) and split_words(one) == [one] for one in given or []):
        raise Refusal(400, "no_region", "Each region is one word, as filers name their place.")
    return ", ".join(given or [])


def chosen(model, **given):
    """Values of selections, those that were said."""
    for name, value in given.items():
        known = [key for key, _label in model._fields[name].selection]
        if value is not None and value not in known:
            raise Refusal(400, "no_choice", f"“{value}” is none of {', '.join(known)}.")
    return {name: value for name, value in given.items() if value is not None}


def forms_of(env, codes):
    if not all(isinstance(code, str) for code in codes):
        raise Refusal(400, "no_form", "A form is named by its code, such as 1601-C.")
    forms = env["ipai.finance.bir_form"].search([("code", "in", codes)])
    for code in codes:
        if code not in forms.mapped("code"):
            raise Refusal(400, "no_form", f"There is no form {code} in the catalogue.")
    return forms


def enter(env, model, values, rules, is_preview):
    """Which open filings it moves; and enters it, unless it is only asked for."""
    moves = as_moves(env["ipai.finance.bir_schedule"]._would_move(rules))
    if not is_preview:
        model.create(values)
    return {"moves": moves}


def reports_of(env, period):
    return [one._as_answer() for one in of_month(env, period)]


def of_month(env, period):
    return env["ipai.finance.monthly_report"].search([("period", "=", period)])


# Answers: days as they are, instants in UTC, what is not there null.


def text(value):
    return value or None


def day(value):
    return str(value) if value else None


def instant(value):
    return f"{value.isoformat(timespec='seconds')}Z" if value else None


def as_filing(one):
    return {
        "id": one.id,
        "company": one.company_id.name,
        "form": one.form_code,
        "name": one.form_id.name,
        "period": one.period_covered,
        "reference": text(one.reference),
        "periodStart": day(one.period_start),
        "periodEnd": day(one.period_end),
        "statutory": day(one.statutory_deadline),
        "adjusted": day(one.adjusted_deadline),
        "effective": day(one.effective_deadline),
        "deadline": day(one.filing_deadline),
        "payment": day(one.epayment_deadline),
        "preparation": day(one.prep_deadline),
        "review": day(one.review_deadline),
        "approval": day(one.approval_deadline),
        "state": one.state,
        "status": one.status,
        "completion": one.completion_pct,
        "preparedBy": text(one.supervisor_id.name),
        "reviewedBy": text(one.reviewer_id.name),
        "approvedBy": text(one.approver_id.name),
        "filedOn": day(day_in_manila(one.filed_on)) if one.filed_on else None,
        "confirmation": text(one.confirmation_no),
        "reasons": one._reasons(),
        "confidence": one.confidence,
    }


def as_alert(one):
    return {
        "id": one.id,
        "at": instant(one.create_date),
        "company": one.company_id.name,
        "kind": one.kind,
        "severity": one.severity,
        "state": one.state,
        "subject": one.subject,
        "text": one.body_md or "",
        "recipients": one.sudo().recipient_ids.mapped("name"),
        "acknowledgedBy": text(one.acked_by.name),
    }


def as_step(one):
    return {
        "task": one.task_id.sudo().name,
        "company": one.company_id.name,
        "level": one.level,
        "reason": one.reason,
        "recipients": one.sudo().recipient_ids.mapped("name"),
    }


def as_holiday(one):
    return {
        "id": one.id,
        "date": day(one.date),
        "name": one.name,
        "type": one.holiday_type,
        "status": one.status,
        "proclamation": one.proclamation,
        "regions": split_words(one.regions),
        "confidence": one.confidence,
    }


def as_close(one):
    return {
        "id": one.id,
        "company": one.company_id.name,
        "period": one.period,
        "state": one.state,
        "target": day(one.target_close_date),
        "closedOn": day(one.actual_close_date),
        "days": one.days_to_close if one.actual_close_date else None,
        "completion": one.completion_pct,
        "accountable": {"role": text(one._last_line().accountable), "people": one._accountable().mapped("name")},
        "tasks": one._as_plan(),
    }


def as_heartbeat(pulse):
    ((unit, count),) = pulse["every"].items()
    return {
        "name": pulse["name"],
        "by": pulse["by"],
        "lastAt": instant(pulse["last"]),
        "every": {"unit": unit, "count": count},
        "trouble": text(pulse["trouble"]),
    }


def as_extension(one):
    return {
        "id": one.id,
        "authority": one.authority,
        "issuedOn": day(one.issued_on),
        "forms": one.form_ids.mapped("code"),
        "dueFrom": day(one.due_from),
        "dueUntil": day(one.due_until),
        "newDeadline": day(one.new_deadline),
        "regions": split_words(one.regions),
        "source": text(one.source),
        "state": one.state,
        "confidence": one.confidence,
    }


def as_moves(moves):
    return [
        {
            "id": filing.id,
            "company": filing.company_id.name,
            "form": filing.form_code,
            "period": filing.period_covered,
            "from": day(filing.filing_deadline),
            "to": day(deadline),
        }
        for filing, deadline in moves
    ]
