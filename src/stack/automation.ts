import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type HttpAction, type Probe } from "../runbook/action.ts";
import { type Json, secret, type Text } from "../runbook/value.ts";
import type { Runtime } from "./runtime/runtime.ts";

/** The stack's n8n, asked through its public API. What it keeps in PostgreSQL is dumped as any other database. */
export interface Automation {
  /** As a service; undefined when it is started and stopped by hand. */
  readonly name: string | undefined;
  /** Its database on the stack's server; undefined when it keeps its data elsewhere. */
  readonly database: string | undefined;
  /** Where it answers, without its protocol: it goes into messages. */
  readonly address: string;
  /** Well means that it has its database: /healthz alone answers 200 without. */
  health(timeoutSeconds: number): HttpAction;
  isHealthy(): Probe;
  /** Something that only an accepted key is answered. */
  askWithKey(timeoutSeconds: number): HttpAction;
  /** Calls a webhook as a test: a body that says so, and 200 for an answer. */
  callWebhook(path: string, body: Readonly<Record<string, Json>>): CommandAction;
  /**
   * Every workflow as a file of readable JSON, by its id, in a folder that is there when all of them are. A workflow that has not changed
   * is the same file again.
   */
  exportWorkflows(folder: Text): CommandAction;
}

export function createAutomation(stack: StackConfig, { tools }: Runtime): Automation | undefined {
  const { automation } = stack.services;
  if (automation === undefined) return undefined;
  const { name, url, database } = automation;
  const key = secret("services.automation.apiKey");
  const health = (timeoutSeconds: number): HttpAction => ({
    ...{ kind: "http", host: tools, method: "GET", url: `${url}/healthz/readiness`, timeoutSeconds },
  });
  return {
    name,
    database,
    address: new URL(url).host,
    health,
    isHealthy: () => ({
      title: "n8n says that it is well",
      action: health(10),
      output: { from: "status", as: "number" },
      compare: "eq",
      with: 200,
      code: "automation.unreachable",
    }),
    askWithKey: (timeoutSeconds) => ({
      ...{ kind: "http", host: tools, method: "GET", url: `${url}/api/v1/workflows?limit=1`, timeoutSeconds },
      headers: { "X-N8N-API-KEY": key },
    }),
    callWebhook: (path, body) =>
      command(tools, ["/usr/bin/python3", "-", `${url}${path}`, JSON.stringify(body)], {
        stdin: webhookScript,
        exitCodes: { 1: "deploy.webhook_failed", 3: "deploy.webhook_failed" },
      }),
    exportWorkflows: (folder) =>
      command(tools, ["/usr/bin/python3", "-", url, folder], {
        stdin: exportScript,
        env: { N8N_API_KEY: key },
        exitCodes: {
          1: "automation.export_failed",
          3: "automation.unreachable",
          4: "automation.key_refused",
          28: "backup.disk_full",
        },
      }),
  };
}

/**
 * Page after page until there is no next one. A redirect is not followed: the key would go with it. An id becomes a file's name, so one
 * that could lead elsewhere ends it.
 */
const exportScript = `
import errno, json, os, re, shutil, sys, urllib.error, urllib.parse, urllib.request
url, folder = sys.argv[1:3]
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given):
        return None
browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
def end(code, words):
    print(words, file=sys.stderr)
    shutil.rmtree(folder + ".partial", ignore_errors=True)
    sys.exit(code)
def ask(cursor):
    query = urllib.parse.urlencode({"limit": "100", **({} if cursor is None else {"cursor": cursor})})
    request = urllib.request.Request(url + "/api/v1/workflows?" + query, headers={"X-N8N-API-KEY": os.environ["N8N_API_KEY"], "Accept": "application/json"})
    try:
        with browser.open(request, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        end(4 if error.code in (401, 403) else 3 if error.code >= 500 else 1, "n8n answers %d to /api/v1/workflows" % error.code)
    except (OSError, urllib.error.URLError) as error:
        end(3, str(getattr(error, "reason", error)))
def save(workflow):
    name = str(workflow["id"])
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        end(1, "n8n has a workflow whose id is no name for a file")
    with open(os.path.join(folder + ".partial", name + ".json"), "x") as file:
        json.dump(workflow, file, indent=2, sort_keys=True, ensure_ascii=False)
        file.write("\\n")
        file.flush()
        os.fsync(file.fileno())
try:
    for old in (folder, folder + ".partial"):
        shutil.rmtree(old, ignore_errors=True)
    os.makedirs(folder + ".partial", mode=0o750)
    cursor, seen = None, set()
    while True:
        answer = ask(cursor)
        for workflow in answer["data"]:
            save(workflow)
        cursor = answer.get("nextCursor")
        if not cursor:
            break
        if cursor in seen:
            end(1, "n8n names a page a second time")
        seen.add(cursor)
    os.rename(folder + ".partial", folder)
except OSError as error:
    end(28 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 1, str(error))
except (KeyError, TypeError, ValueError) as error:
    end(1, "n8n answers something else than its documented API: %r" % error)
`;

/** Nothing is followed: what another address says is no answer of this webhook. */
const webhookScript = `
import sys, urllib.error, urllib.request
url, body = sys.argv[1:3]
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given):
        return None
browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json", "X-Ipai-Test": "true"})
try:
    with browser.open(request, timeout=60) as response:
        status = response.status
except urllib.error.HTTPError as error:
    status = error.code
except (OSError, ValueError) as error:
    print("no answer: %s" % getattr(error, "reason", error), file=sys.stderr)
    sys.exit(3)
if status != 200:
    print("the answer is %d" % status, file=sys.stderr)
    sys.exit(1)
`;
