from werkzeug.exceptions import NotFound

from odoo import http
from odoo.http import request


class Calendar(http.Controller):
    @http.route("/ipai/finance/ppm/calendar.ics", type="http", auth="public", methods=["GET"], readonly=True, save_session=False)
    def feed(self, token=""):
        """The calendar of whoever's token it is, by that user's rights. A wrong token is a page that is not there."""
        user = request.env["ipai.finance.calendar_feed"].sudo()._user_of(token)
        if not user:
            raise NotFound()
        feed = request.env(user=user.id, su=False, context={"lang": user.lang, "tz": user.tz})["ipai.finance.calendar_feed"]
        if not feed.env["ipai.finance.bir_schedule"].has_access("read"):
            raise NotFound()
        headers = [("Content-Type", "text/calendar; charset=utf-8"), ("Cache-Control", "private, no-store"), ("X-Robots-Tag", "noindex")]
        return request.make_response(feed._as_ics(), headers)
