import { type CommandAction, command } from "../../runbook/action.ts";
import { secret, type Text } from "../../runbook/value.ts";
import type { Address } from "./odoo.ts";

/** A user as `urls.login` names one. */
export interface Login {
  readonly user: string;
  /** Of the secret that is the password, by its path in the configuration. */
  readonly password: string;
}

/**
 * Somebody logs in as the web client does, is asked who he is, and logs out again; the session is seen to be over. The password goes
 * by the environment. Odoo 18 and 19: https://github.com/odoo/odoo/blob/18.0/addons/web/controllers/session.py
 */
export function logInAndOut({ from, url }: Address, database: Text, { user, password }: Login): CommandAction {
  return command(from, ["/usr/bin/env", "python3", "-", url, database, user], {
    stdin: script,
    env: { ODOO_PASSWORD: secret(password) },
    exitCodes: { 1: "deploy.login_failed", 3: "deploy.login_failed", 4: "deploy.login_refused" },
  });
}

/**
 * A user with a second factor has no user id yet when his password was right. A redirect is not followed: the
 * password would go with it. Where Odoo has several databases, a session that is over has none, and its routes are not there (404).
 */
const script = `
import http.cookiejar, json, os, sys, urllib.error, urllib.request
url, database, login = sys.argv[1:4]
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given):
        return None
cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay, cookies)
def end(code, words):
    print(words, file=sys.stderr)
    sys.exit(code)
def post(method, params):
    body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}).encode()
    request = urllib.request.Request(url + "/web/session/" + method, body, {"Content-Type": "application/json"})
    with browser.open(request, timeout=60) as response:
        answer = json.load(response)
    return answer.get("result"), (answer.get("error") or {}).get("data") or answer.get("error")
def ask(method, params):
    try:
        return post(method, params)
    except (OSError, ValueError) as error:
        end(3, "/web/session/%s: %s" % (method, error))
result, fault = ask("authenticate", {"db": database, "login": login, "password": os.environ["ODOO_PASSWORD"]})
if fault:
    if fault.get("name") == "odoo.exceptions.AccessDenied":
        end(4, "Odoo refuses the name or the password of the user %s" % login)
    end(1, "/web/session/authenticate: %s" % (fault.get("message") or fault))
user = (result or {}).get("uid")
if not user:
    end(4, "Odoo asks the user %s for a second factor" % login)
try:
    who, fault = ask("get_session_info", {})
    if (who or {}).get("uid") != user:
        end(1, "the session that was begun is not known: %s" % (fault or who))
finally:
    ask("destroy", {})
try:
    who, fault = post("get_session_info", {})
except urllib.error.HTTPError as error:
    who = None if error.code == 404 else end(3, "/web/session/get_session_info: %s" % error)
except (OSError, ValueError) as error:
    end(3, "/web/session/get_session_info: %s" % error)
if (who or {}).get("uid"):
    end(1, "the session goes on after its user logged out")
`;
