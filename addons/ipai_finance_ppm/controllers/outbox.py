import re

from odoo import http

from .door import Refusal, door, take

DELIVERER = "ipai_finance_ppm.group_deliverer"
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
# The webhooks before this door are open: a test names a form, and is no place for a message of somebody's own.
FORM = re.compile(r"[A-Za-z0-9-]{1,16}")
# Of what a deliverer says about a failure: more is no sentence.
TEXT_MAX = 500


class Outbox(http.Controller):
    """For whoever schedules and delivers, such as n8n. A call puts what is due into the outbox, unless it is there already, and is given what
    nobody has told in the chat yet, of every kind: what one call could not deliver, the next one can.
    """

    @door("/ipai/finance/ppm/api/deadlines", DELIVERER)
    def deadlines(self, env, sent):
        return self._trigger(env, "deadlines", sent, lambda _asked: env["ipai.finance.bir_schedule"].sudo()._tell_deadlines() or ())

    @door("/ipai/finance/ppm/api/escalations", DELIVERER)
    def escalations(self, env, sent):
        return self._trigger(env, "escalations", sent, lambda _asked: env["ipai.finance.escalation_log"].sudo()._run_ladder())

    @door("/ipai/finance/ppm/api/reports", DELIVERER)
    def reports(self, env, sent):
        return self._trigger(env, "reports", sent, lambda asked: env["ipai.finance.monthly_report"].sudo()._run_month(asked["period"]))

    @door("/ipai/finance/ppm/api/deliveries", DELIVERER)
    def deliveries(self, env, sent):
        said = take(sent, id=int, delivered=bool, detail=str, test=bool)
        if said["id"] is None or said["delivered"] is None:
            raise Refusal(400, "missing_key", "Say which: “id”, and whether it was “delivered”.")
        if said["test"]:
            return {"id": said["id"], "test": True, "state": "delivered" if said["delivered"] else "failed"}
        env["ipai.finance.alert"]._take_turn()
        digest = env["ipai.finance.digest"].search([("id", "=", said["id"])])
        if not digest:
            raise Refusal(404, "not_found", f"No digest {said['id']} was handed out.")
        if not digest._settle(said["delivered"], (said["detail"] or "")[:TEXT_MAX]):
            raise Refusal(409, "settled", f"Of digest {digest.id} something else was said before: {digest.state}.")
        return {"id": digest.id, "test": False, "state": digest.state}

    @door("/ipai/finance/ppm/api/figures", DELIVERER)
    def figures(self, env, sent):
        """The reports that are to be kept outside, as rows; again at each call until it is said that they are."""
        take(sent)
        return {"reports": env["ipai.finance.monthly_report"]._to_keep()}

    @door("/ipai/finance/ppm/api/figures/kept", DELIVERER)
    def figures_kept(self, env, sent):
        said = take(sent, id=int, revision=int)
        if said["id"] is None or said["revision"] is None:
            raise Refusal(400, "missing_key", "Say which: “id”, and its “revision”.")
        report = env["ipai.finance.monthly_report"].sudo().search([("id", "=", said["id"]), ("company_id", "in", env.companies.ids)])
        if not report:
            raise Refusal(404, "not_found", f"There is no report {said['id']}.")
        if not 0 < said["revision"] <= report.revision:
            raise Refusal(400, "no_revision", f"Report {report.id} has no revision {said['revision']}.")
        report._keep(said["revision"])
        return {"id": report.id, "revision": said["revision"]}

    def _trigger(self, env, name, sent, raise_due):
        asked = self._asked(name, sent)
        if asked["test"]:
            digests = env["ipai.finance.digest"]._test_answer(asked["form"], asked["days_until_deadline"])
            echo = {key: asked[key] for key in ("form", "days_until_deadline")}
            return {"trigger": name, "test": True, **echo, "raised": 0, "digests": digests, "summary": "A test: nothing was changed."}
        env["ipai.finance.alert"]._take_turn()
        raised = len(raise_due(asked))
        digests = env["ipai.finance.digest"]._hand_out()
        env["ipai.finance.heartbeat"]._beat(name, raised, len(digests))
        summary = f"{raised} new in the outbox, {len(digests)} to tell in the chat"
        return {"trigger": name, "test": False, "raised": raised, "digests": digests._as_answer(), "summary": summary}

    def _asked(self, name, sent):
        own = {"period": str} if name == "reports" else {}
        asked = take(sent, test=bool, form=str, days_until_deadline=int, **own)
        if not asked["test"] and (asked["form"] is not None or asked["days_until_deadline"] is not None):
            raise Refusal(400, "only_of_a_test", "A form and its days are of a test: what is really due, Odoo decides.")
        if asked["form"] and not FORM.fullmatch(asked["form"]):
            raise Refusal(400, "no_form", "A form is named by its code, such as 1601-C.")
        if abs(asked["days_until_deadline"] or 0) > 10_000:
            raise Refusal(400, "too_much", "No deadline is so far away.")
        if asked.get("period") and not MONTH.fullmatch(asked["period"]):
            raise Refusal(400, "no_month", "A month is written as 2026-01.")
        return {"period": None, **asked}
