import hashlib
from pathlib import Path

from odoo import http
from odoo.exceptions import AccessError
from odoo.http import request

TITLE = "TBWA Finance PPM Dashboard"
DAYS = (14, 30, 60, 90)
# Browsers may keep static files for a week: another content is another address.
STATIC = Path(__file__).parent.parent / "static"
VERSION = hashlib.sha256(b"".join(one.read_bytes() for one in sorted(STATIC.rglob("*.*")))).hexdigest()[:12]
# Nothing comes from elsewhere, nothing is written into the page that would run.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)


class Refused(Exception):
    def __init__(self, status, said):
        super().__init__(said)
        self.status = status


class Dashboard(http.Controller):
    # The page is open to everybody, as the runbook asks for it without logging in, and so it holds nothing: what it shows is asked for by
    # the browser, with the user's own rights.
    @http.route("/ipai/finance/ppm", type="http", auth="public", methods=["GET"], readonly=True)
    def page(self, **_kept):
        title = request.env["ir.config_parameter"].sudo().get_param("ipai_finance_ppm.dashboard_title") or TITLE
        values = {
            "title": title,
            "version": VERSION,
            "language": (request.env.lang or "en_US").replace("_", "-"),
            "days": [(one, request.env._("%s days", one), one == DAYS[1]) for one in DAYS],
        }
        page = request.render("ipai_finance_ppm.dashboard", values)
        page.headers["Cache-Control"] = "no-store"
        page.headers["Content-Security-Policy"] = POLICY
        page.headers["Referrer-Policy"] = "same-origin"
        return page

    @http.route("/ipai/finance/ppm/api/bir", type="http", auth="public", methods=["GET"], readonly=True)
    def read(self, days="", company=""):
        """What the page shows, for all the user's companies or for one. 401 for strangers, 403 for whoever has no part in it."""
        try:
            env = self._env(company)
        except Refused as refusal:
            return self._refuse(refusal)
        user = env.user
        answer = env["ipai.finance.dashboard"]._read_all(int(days) if days in map(str, DAYS) else DAYS[1])
        return self._answer(
            {
                **answer,
                "csrf": request.csrf_token(),
                "user": user.name,
                "company": env.companies.id if company else None,
                "companies": [{"id": one.id, "name": one.name} for one in user.company_ids.sorted("name")],
            }
        )

    @http.route("/ipai/finance/ppm/api/alerts/ack", type="http", auth="public", methods=["POST"])
    def acknowledge(self, ids="", **_kept):
        """Acknowledges alerts, by the user's own rights; what is not there any more is passed over."""
        try:
            env = self._env()
            alerts = env["ipai.finance.alert"].search([("id", "in", [int(one) for one in ids.split(",") if one.isdecimal()])])
            alerts.action_ack()
        except Refused as refusal:
            return self._refuse(refusal)
        except AccessError as error:
            return self._refuse(Refused(403, str(error)))
        return self._answer({"acknowledged": len(alerts)})

    @http.route("/ipai/finance/ppm/api/calendar", type="http", auth="public", methods=["POST"])
    def subscribe(self, **_kept):
        """The address of the user's calendar, with a new token. It is told this once."""
        try:
            env = self._env()
        except Refused as refusal:
            return self._refuse(refusal)
        token = env["ipai.finance.calendar_feed"]._make_token()
        return self._answer({"url": f"{request.httprequest.host_url}ipai/finance/ppm/calendar.ics?token={token}"})

    def _env(self, company=""):
        """The environment of the user, in all the user's companies or in one of them. Errors: Refused."""
        env = request.env
        if env.user._is_public():
            raise Refused(401, env._("Log in first."))
        if not env["ipai.finance.bir_schedule"].has_access("read"):
            raise Refused(403, env._("This is for the people of Finance PPM."))
        if company and not (company.isdecimal() and int(company) in env.user.company_ids.ids):
            raise Refused(403, env._("This is not one of your companies."))
        wanted = [int(company)] if company else [env.user.company_id.id, *(env.user.company_ids - env.user.company_id).ids]
        return env(context={**env.context, "allowed_company_ids": wanted})

    def _answer(self, values, status=200):
        return request.make_json_response(values, headers=[("Cache-Control", "no-store")], status=status)

    def _refuse(self, refusal):
        return self._answer({"error": str(refusal)}, refusal.status)
