import json
import re
from html import escape

from werkzeug.exceptions import HTTPException

from odoo import models
from odoo.http import Response, request

from .res_users import refusal

# What stays open to everybody: health, and what an administrator needs to log in. Logging in itself is refused to others, and calls by RPC are
# judged by whom they come from, in res.users.
OPEN = re.compile(
    r"/web/health|/web/login(/totp)?|/web/session/(logout|authenticate)|/auth/passkey/start-auth|/auth_oauth/signin"
    r"|/web/assets/.*|/web/webclient/(bootstrap_)?translations.*|/web/binary/company_logo|/logo(\.png)?|/web/manifest\.webmanifest"
    r"|/jsonrpc|/xmlrpc/.*|/RPC2"
)
RETRY_AFTER = "120"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta http-equiv="refresh" content="60">
<title>Back soon</title>
<style>
:root {{ color-scheme: light dark; --back: #f6f5f7; --card: #fff; --text: #26222b; --soft: #5d5766; }}
@media (prefers-color-scheme: dark) {{ :root {{ --back: #17151a; --card: #221f27; --text: #f0edf3; --soft: #b3acbc; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--back);
  color: var(--text); font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }}
main {{ width: 100%; max-width: 34rem; padding: clamp(1.5rem, 6vw, 3rem); background: var(--card); border-radius: 0.75rem;
  border-top: 0.375rem solid #714b67; overflow-wrap: anywhere; }}
h1 {{ margin: 0 0 1rem; font-size: clamp(1.5rem, 6vw, 2rem); line-height: 1.25; }}
p {{ margin: 0 0 1rem; }}
.soft {{ margin: 0; font-size: 0.9375rem; color: var(--soft); }}
a {{ color: inherit; }}
</style>
</head>
<body>
<main>
<h1>We will be back soon</h1>
<p>The system is closed for maintenance.</p>
{reason}<p class="soft">You need not do anything: this page looks again every minute. <a href="/web/login">Administrators log in here.</a></p>
</main>
</body>
</html>
"""


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    @classmethod
    def _authenticate(cls, endpoint):
        try:
            super()._authenticate(endpoint)
        except Exception:
            # Whoever would be sent to log in is told first that it is closed. A session that was found wrong has no user any more.
            cls._require_open(endpoint.routing["type"])
            raise
        cls._require_open(endpoint.routing["type"])

    @classmethod
    def _serve_fallback(cls):
        cls._require_open("http")
        return super()._serve_fallback()

    @classmethod
    def _require_open(cls, kind):
        if OPEN.fullmatch(request.httprequest.path):
            return
        is_on, reason = request.env["ir.config_parameter"]._read_maintenance()
        # A route without authentication, as /web is, knows its user from the session alone.
        uid = request.env.uid or request.session.uid
        if is_on and not (uid and request.env["res.users"].sudo().browse(uid)._is_system()):
            # Without a code it is passed on as it is, whatever makes pages of errors.
            raise HTTPException(response=closed(kind, reason))


def closed(kind, reason):
    """503 in the form that whoever asks understands."""
    headers = {"Retry-After": RETRY_AFTER, "Cache-Control": "no-store"}
    if kind == "http":
        words = f"<p>{escape(reason)}</p>\n" if reason else ""
        return Response(PAGE.format(reason=words), status=503, headers=headers, content_type="text/html; charset=utf-8")
    message = refusal(reason)
    # What Odoo's own client shows as a message to the user and not as a crash.
    data = {"name": "odoo.exceptions.UserError", "message": message, "arguments": [message], "context": {}, "debug": ""}
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": 503, "message": "Odoo Server Error", "data": data}}
    body = data if kind == "json2" else error
    return Response(json.dumps(body), status=503, headers=headers, content_type="application/json")
