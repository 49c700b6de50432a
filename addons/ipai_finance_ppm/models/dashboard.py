from collections import Counter, defaultdict
from datetime import timedelta
from itertools import groupby

from odoo import _, api, fields, models

from .bir_schedule import OPEN, STAGES
from .calendar import MANILA, day_in_manila
from .project_task import CLOSED

SEVERE_FIRST = ("critical", "high", "normal")
# What happened with the deadlines of the last weeks belongs to how things stand; what is late is shown however old it is.
DAYS_BACK = timedelta(days=30)
SOON = timedelta(days=7)
ALERTS = 6
ALERTS_READ = 500
CLOSES = 6


class Dashboard(models.AbstractModel):
    """What the dashboard shows, ready to be drawn: texts in the user's language, days as ISO text, all by the user's own rights."""

    _name = "ipai.finance.dashboard"
    _description = "Finance PPM Dashboard"

    @api.model
    def _read_all(self, days):
        """What is late, or due within so many days, in the companies of the environment, and everything around it.

        Errors: AccessError for whoever may not read filings.
        """
        today = self.env["ipai.finance.calendar"]._today()
        filings = self.env["ipai.finance.bir_schedule"].search(
            [("state", "in", OPEN), ("filing_deadline", "<=", today + timedelta(days=days))]
        )
        rows = [self._filing_row(one, today) for one in filings]
        return {
            "today": str(today),
            "said": _("As of %(moment)s in Manila.", moment=self._moment(fields.Datetime.now())),
            "mayAck": self.env.user.has_group("ipai_finance_ppm.group_user"),
            "setUp": self._set_up(),
            "heartbeats": self._heartbeats(),
            "numbers": self._numbers(filings, today),
            "alerts": self._alerts(),
            "filings": rows,
            "deadlines": self._deadlines(rows),
            "statuses": self._statuses(today, days),
            "workload": self._workload(today),
            "closes": self._closes(today),
            "logframe": self._logframe(),
        }

    @api.model
    def _moment(self, moment):
        return (moment + MANILA.utcoffset(None)).strftime("%Y-%m-%d %H:%M")

    @api.model
    def _label(self, model, field, value):
        """What a value of a selection is called in the user's language."""
        return dict(self.env[model]._fields[field]._description_selection(self.env))[value]

    # What is missing, and what runs by itself

    @api.model
    def _set_up(self):
        """What has to be entered in each company, for whoever may."""
        filers = self.env["ipai.finance.filer"]
        if not filers.has_access("write"):
            return []
        known = filers.search([("company_id", "in", self.env.companies.ids)])
        rows = [{"id": one.id, "company": one.company_id.name, "items": one._missing()} for one in known]
        said = _("It has no filer: enter how it files, and for what it is liable.")
        rows += [{"id": None, "company": one.name, "items": [said]} for one in self.env.companies - known.company_id]
        return [one for one in rows if one["items"]]

    @api.model
    def _heartbeats(self):
        failing = self.env["ipai.finance.filer"].search([("failures", "!=", False)])
        rows = [
            {
                "said": _("The day of %s", one.company_id.name),
                "by": "Odoo",
                "every": self._every({"days": 1}),
                "last": "–",
                "state": one.failures.splitlines()[0],
                "verdict": "late",
            }
            for one in failing
        ]
        return rows + [self._heartbeat_row(one) for one in self.env["ipai.finance.heartbeat"]._pulses()]

    @api.model
    def _heartbeat_row(self, pulse):
        return {
            "said": self._workflow(pulse["name"]) if pulse["by"] == "n8n" else pulse["name"],
            "by": pulse["by"],
            "every": self._every(pulse["every"]),
            "last": self._age(pulse["last"]) if pulse["last"] else _("not yet"),
            "state": pulse["trouble"] or _("on time"),
            "verdict": "late" if pulse["trouble"] else "met",
        }

    @api.model
    def _workflow(self, name):
        return {"deadlines": _("Asks for deadlines"), "escalations": _("Asks for escalations"), "reports": _("Asks for reports")}[name]

    @api.model
    def _every(self, every):
        ((unit, count),) = every.items()
        if count == 1:
            once = {"hours": _("every hour"), "days": _("every day"), "weeks": _("every week"), "months": _("every month")}
            return once.get(unit, _("every minute"))
        said = {"minutes": _("every %s minutes"), "hours": _("every %s hours"), "days": _("every %s days"), "weeks": _("every %s weeks")}
        return said.get(unit, _("every %s months")) % count

    @api.model
    def _age(self, moment):
        minutes = max(0, int((fields.Datetime.now() - moment).total_seconds() // 60))
        if minutes < 120:
            return _("%s min ago", minutes)
        return _("%s hours ago", minutes // 60) if minutes < 48 * 60 else _("%s days ago", minutes // (24 * 60))

    # Numbers

    @api.model
    def _numbers(self, filings, today):
        rate = self.env["ipai.finance.bir_schedule"]._on_time_rate(self.env.companies)
        late = filings.filtered(lambda one: one.filing_deadline < today)
        doubtful = filings.filtered(lambda one: one.confidence == "low")
        return [
            self._number("late", _("Late"), len(late), is_bad=bool(late)),
            self._number("today", _("Due today"), len(filings.filtered(lambda one: one.filing_deadline == today))),
            self._number("week", _("Due within 7 days"), len(filings.filtered(lambda one: today <= one.filing_deadline <= today + SOON))),
            self._number("open", _("Open"), len(filings)),
            self._number("doubtful", _("Dates to confirm"), len(doubtful)),
            self._number("rate", _("Filed on time, 12 months"), "–" if rate is None else f"{rate:.0f} %"),
        ]

    @api.model
    def _number(self, key, name, value, is_bad=False):
        return {"key": key, "name": name, "value": str(value), "isBad": is_bad}

    # Filings

    @api.model
    def _filing_row(self, filing, today):
        left = (filing.filing_deadline - today).days
        status = "late" if left < 0 else filing.state
        # Of preparation, review and approval: as much as had to be done before today.
        expected = 100 * sum(filing[stage] < today for stage in STAGES) / len(STAGES)
        return {
            "id": filing.id,
            "name": filing.name,
            "form": filing.form_code,
            "title": filing.form_id.name,
            "period": filing.period_covered,
            "company": filing.company_id.name,
            "prepare": str(filing.prep_deadline),
            "review": str(filing.review_deadline),
            "approve": str(filing.approval_deadline),
            "deadline": str(filing.filing_deadline),
            "left": left,
            "leftSaid": self._left(left),
            "status": status,
            "said": self._label(filing._name, "status", status),
            "completion": round(filing.completion_pct),
            "expected": round(expected),
            "person": filing.supervisor_id.name or "–",
            "isDoubtful": filing.confidence == "low",
        }

    @api.model
    def _left(self, left):
        if left < -1:
            return _("%s days late", -left)
        if left == -1:
            return _("1 day late")
        if left == 0:
            return _("due today")
        return _("tomorrow") if left == 1 else _("in %s days", left)

    @api.model
    def _deadlines(self, rows):
        """How much is done of what is due on each day, and how much should be."""
        found = []
        for day, due in groupby(rows, key=lambda one: one["deadline"]):
            due = list(due)
            found.append(
                {
                    "day": day,
                    "left": due[0]["left"],
                    "leftSaid": due[0]["leftSaid"],
                    "count": len(due),
                    "names": sorted({one["form"] for one in due}),
                    "completion": round(sum(one["completion"] for one in due) / len(due)),
                    "expected": round(sum(one["expected"] for one in due) / len(due)),
                }
            )
        return found

    @api.model
    def _statuses(self, today, days):
        """How many filings are in which status, of those due in the last weeks and the next days, and of what is late."""
        filings = self.env["ipai.finance.bir_schedule"]
        window = ["&", ("filing_deadline", ">=", today - DAYS_BACK), ("filing_deadline", "<=", today + timedelta(days=days))]
        overdue = ["&", ("state", "in", OPEN), ("filing_deadline", "<", today)]
        is_late = ("filing_deadline", "<", today)
        counts = Counter()
        for state, count in filings._read_group(["|", *window, *overdue], ["state"], ["__count"]):
            counts[state] = count
        for state, count in filings._read_group([("state", "in", OPEN), is_late], ["state"], ["__count"]):
            counts[state] -= count
            counts["late"] += count
        order = ("late", "not_started", "in_progress", "submitted", "filed", "not_applicable", "cancelled")
        return [
            {"status": one, "said": self._label(filings._name, "status", one), "count": counts[one]}
            for one in order
            if counts[one] or one in ("late", *OPEN, "filed")
        ]

    # People and closes

    @api.model
    def _workload(self, today):
        """Open finance tasks of each person: overdue, due within a week, later. Whoever has most to catch up with comes first."""
        tasks = self.env["project.task"].search(
            [
                ("is_finance_ppm", "=", True),
                ("state", "not in", CLOSED),
                ("date_deadline", "!=", False),
                # A filing may be filed before its tasks are ticked: nobody has to catch up with them.
                *("|", ("bir_schedule_id", "=", False), ("bir_schedule_id.state", "in", OPEN)),
                ("company_id", "in", [False, *self.env.companies.ids]),
            ]
        )
        found = defaultdict(Counter)
        for task in tasks:
            due = day_in_manila(task.date_deadline)
            when = "overdue" if due < today else "soon" if due <= today + SOON else "later"
            for name in task.user_ids.mapped("name") or [""]:
                found[name][when] += 1
        nobody = _("Nobody")
        rows = [
            {"name": name or nobody, **{when: counts[when] for when in ("overdue", "soon", "later")}} for name, counts in found.items()
        ]
        return sorted(rows, key=lambda one: (-one["overdue"], -one["soon"], -one["later"], one["name"]))

    @api.model
    def _closes(self, today):
        closes = self.env["ipai.finance.close"].search([("state", "!=", "draft")], limit=CLOSES, order="period desc, company_id")
        return [self._close_row(one, today) for one in closes]

    @api.model
    def _close_row(self, close, today):
        tasks = close.task_ids
        open_ones = tasks.filtered(lambda task: task.state not in CLOSED)
        overdue = open_ones.filtered(lambda task: task.date_deadline and day_in_manila(task.date_deadline) < today)
        if close.state == "locked":
            said = _("closed in %s days", close.days_to_close)
        else:
            said = self._left((close.target_close_date - today).days) if close.target_close_date else "–"
        return {
            "id": close.id,
            "name": close.name,
            "company": close.company_id.name,
            "period": close.period,
            "said": self._label(close._name, "state", close.state),
            "isOpen": close.state != "locked",
            "target": str(close.target_close_date or ""),
            "leftSaid": said,
            "completion": round(close.completion_pct),
            "progress": _(
                "%(state)s, %(done)s of %(count)s done, %(late)s overdue, target %(target)s: %(left)s",
                state=self._label(close._name, "state", close.state),
                done=len(tasks - open_ones),
                count=len(tasks),
                late=len(overdue),
                target=close.target_close_date or "–",
                left=said,
            ),
            "done": len(tasks - open_ones),
            "waiting": len(open_ones - overdue),
            "overdue": len(overdue),
            "plan": [self._plan_row(one, today) for one in close._as_plan()],
        }

    @api.model
    def _plan_row(self, task, today):
        stages = dict(self.env["project.task"]._fields["finance_stage"]._description_selection(self.env))
        said = self._left((fields.Date.to_date(task["due"]) - today).days) if task["due"] else "–"
        if task["state"] != "open":
            late = task["daysLate"]
            said = _("done") if not late else _("done, 1 day late") if late == 1 else _("done, %s days late", late)
        return {
            **{name: task[name] for name in ("id", "wbs", "name", "start", "due", "done", "daysLate")},
            "isOpen": task["state"] == "open",
            "phase": task["phase"] or "",
            "stage": stages.get(task["stage"], ""),
            "after": ", ".join(task["after"]),
            "person": ", ".join(task["responsible"]["people"]) or _("Nobody"),
            "said": said,
            "verdict": "late" if task["daysLate"] else "open" if task["state"] == "open" else "met",
            **{part: self._part(task[part]) for part in ("responsible", "accountable", "consulted", "informed")},
        }

    @api.model
    def _part(self, part):
        """A role and who has it."""
        if not part:
            return ""
        role = self._label("ipai.finance.person", "role", part["role"]) if part["role"] else ""
        return ": ".join(filter(None, (role, ", ".join(part["people"]) or _("nobody"))))

    # Logframe

    @api.model
    def _logframe(self):
        """The framework as a tree: each objective below the one that it serves."""
        found = self.env["ipai.finance.logframe"].search([])
        below = defaultdict(list)
        for one in found:
            below[one.parent_id if one.parent_id in found else found.browse()].append(one)

        def walk(parent, depth):
            for one in below[parent]:
                yield self._logframe_row(one, depth)
                yield from walk(one, depth + 1)

        return list(walk(found.browse(), 0))

    @api.model
    def _logframe_row(self, one, depth):
        actual = one._known_actual(self.env.companies)
        if not one.indicator:
            verdict, said = "", ""
        elif actual is None:
            verdict, said = "unknown", _("Nothing to measure yet")
        elif one._is_met(actual):
            verdict, said = "met", _("Met")
        else:
            verdict, said = "missed", _("Not met")
        return {
            "id": one.id,
            "code": one.code,
            "name": one.name,
            "depth": depth,
            "level": self._label(one._name, "level", one.level),
            "indicator": one.indicator or "",
            "target": self._amount(one.target, one.unit) if one.indicator else "",
            "actual": "" if not one.indicator else "–" if actual is None else self._amount(actual, one.unit),
            "verdict": verdict,
            "said": said,
        }

    @api.model
    def _amount(self, value, unit):
        return " ".join(filter(None, (f"{value:.1f}".removesuffix(".0"), unit)))

    # Alerts

    @api.model
    def _alerts(self):
        """What nobody has acknowledged and is still so: of each filing, with its tasks, the most severe that was told last; the severe ones first."""
        found = self.env["ipai.finance.alert"]._open(limit=ALERTS_READ)
        tasks = self.env["project.task"].sudo().browse(one.res_id for one in found if one.res_model == "project.task").exists()
        filing_of = {("project.task", task.id): (task.bir_schedule_id._name, task.bir_schedule_id.id) for task in tasks if task.bir_schedule_id}
        of_subject = defaultdict(lambda: found.browse())
        for one in found:
            record = (one.res_model, one.res_id)
            of_subject[filing_of.get(record, record)] |= one
        latest = sorted(of_subject.values(), key=lambda told: self._rank(self._worst(told)))
        return {"count": len(latest), "rows": [self._alert_row(told) for told in latest[:ALERTS]]}

    @api.model
    def _rank(self, alert):
        return SEVERE_FIRST.index(alert.severity)

    @api.model
    def _worst(self, told):
        return min(told, key=self._rank)

    @api.model
    def _alert_row(self, told):
        worst = self._worst(told)
        return {
            "ids": told.ids,
            "subject": worst.subject,
            "reason": worst.body_md if worst.kind == "escalation" else "",
            "company": worst.company_id.name,
            "severity": worst.severity,
            "said": self._label(worst._name, "severity", worst.severity),
            "when": self._moment(worst.create_date),
            "model": worst.res_model,
            "record": worst.res_id,
            "failed": worst.error or "",
        }
