import { secret } from "../runbook/value.ts";

/** Whoever calls a webhook shows with it that he knows the secret, when there is one. */
export const secretHeader = "X-Webhook-Secret";
export const webhookSecret = secret("services.automation.webhookSecret");

/**
 * The beginning of every script that asks n8n's public API: its address in the first argument, the key in the environment. Nothing is followed:
 * the key would go with it. What n8n says of a credential that it refuses may be the credential. Exit codes: 1 something else than documented, 3 not
 * there, 4 another key.
 */
export const askN8n = `
import errno, json, os, sys, urllib.error, urllib.parse, urllib.request
url = sys.argv[1]
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given):
        return None
browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
def end(code, words):
    print(words, file=sys.stderr)
    sys.exit(code)
def ask(method, path, body=None, gone=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"X-N8N-API-KEY": os.environ["N8N_API_KEY"], "Accept": "application/json", "Content-Type": "application/json"}
    try:
        with browser.open(urllib.request.Request(url + "/api/v1" + path, data, headers, method=method), timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        if error.code == gone:
            return None
        said = error.read(2000).decode("utf-8", "replace").replace("\\n", " ")
        code = 4 if error.code in (401, 403) else 3 if error.code >= 500 else 1
        end(code, "n8n answers %d to %s %s: %s" % (error.code, method, path.split("?")[0], said if path != "/credentials" else "not told"))
    except OSError as error:
        end(3, str(getattr(error, "reason", error)))
    except ValueError as error:
        # Python would show the key that is none.
        end(3, "no JSON" if isinstance(error, json.JSONDecodeError) else "the key of its API is no text for a header")
def every(path, **wanted):
    cursor, seen = None, set()
    while cursor not in seen:
        seen.add(cursor)
        query = urllib.parse.urlencode({"limit": "100", **wanted, **({} if cursor is None else {"cursor": cursor})})
        answer = ask("GET", path + "?" + query)
        yield from answer["data"]
        cursor = answer.get("nextCursor")
        if not cursor:
            return
    end(1, "n8n names a page a second time")
`;
