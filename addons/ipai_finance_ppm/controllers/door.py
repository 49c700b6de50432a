"""The door for programs: JSON in, JSON out, for the API key of a user who has a part in it. Every route of Finance PPM that a program calls is put
here, so that all of them answer alike, also when they refuse: {"error": {"code": …, "message": …}}, never a page and never a trace.
"""

import json
import logging

import psycopg2
from odoo import http
from odoo.exceptions import AccessError, MissingError, UserError
from odoo.http import request

_logger = logging.getLogger(__name__)
# Two that got into each other's way: Odoo asks the whole question once more.
ASKED_AGAIN = (psycopg2.IntegrityError, psycopg2.OperationalError)


class Refusal(Exception):
    """What is answered instead: an HTTP status, a permanent code for programs, and a sentence for people."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


def door(path, group, methods=("POST",)):
    """A route that is a function of the environment and of what was sent: in the address, after its question mark, and as an object of JSON, which
    is empty when nothing was. What it returns becomes JSON.

    The environment has the caller's rights, and a transaction of its own: kept when the function returns, taken back when it raises. It is given
    before its first question, so that a function may wait for others first and then see what they did.
    Answers 401 (Odoo itself) without a key, 403 without the group, 400 for what is not an object of JSON, and whatever a Refusal says.
    """

    def put(function):
        def answer(self, **params):
            try:
                if not request.env.user.has_group(group):
                    raise Refusal(403, "forbidden", "This is not for the user of this API key.")
                sent = {**_read(), **params}
                with request.env.registry.cursor() as cr:
                    return request.make_json_response(function(self, request.env(cr=cr), sent))
            except ASKED_AGAIN:
                raise
            except Exception as error:
                return _refuse(error)

        answer.__name__, answer.__doc__ = function.__name__, function.__doc__
        # For tests, which have a transaction already.
        answer.plain = function
        return http.route(path, type="http", auth="bearer", methods=list(methods), csrf=False)(answer)

    return put


def take(sent, **types):
    """What was sent, by the names and types that are known here: None for what was not. 400 for everything else."""
    for name, value in sent.items():
        if name not in types:
            raise Refusal(400, "unknown_key", f"“{name}” is not known here. Known: {', '.join(types)}.")
        # A Boolean is no number, whatever Python thinks.
        if value is not None and type(value) is not types[name]:
            raise Refusal(400, "wrong_type", f"“{name}” has to be {JSON_TYPES[types[name]]}.")
    return {name: sent.get(name) for name in types}


JSON_TYPES = {bool: "true or false", int: "a whole number", str: "a text", list: "a list"}


def _read():
    raw = request.httprequest.get_data()
    # Sent as a form it would look like nothing at all, and a test like the real thing.
    if request.httprequest.content_length and request.httprequest.mimetype != "application/json":
        raise Refusal(400, "not_json", "Send JSON, with Content-Type: application/json.")
    if not raw.strip():
        return {}
    try:
        sent = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "not_json", "What was sent is not JSON.") from error
    if not isinstance(sent, dict):
        raise Refusal(400, "not_json", "Send an object of JSON.")
    return sent


def _refuse(error):
    if isinstance(error, Refusal):
        status, code = error.status, error.code
    elif isinstance(error, AccessError):
        status, code = 403, "forbidden"
    elif isinstance(error, MissingError):
        status, code = 404, "not_found"
    elif isinstance(error, UserError):
        status, code = 400, "refused"
    else:
        _logger.error("%s failed", request.httprequest.path, exc_info=error)
        status, code, error = 500, "internal", "It failed, and nothing was changed. Odoo's log says why."
    return request.make_json_response({"error": {"code": code, "message": str(error)}}, status=status)
