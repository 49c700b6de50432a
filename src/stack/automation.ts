import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type HttpAction, type Probe } from "../runbook/action.ts";
import { type Json, type SecretRef, secret, type Text } from "../runbook/value.ts";
import { askN8n, secretHeader, webhookSecret } from "./n8n-script.ts";
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
  /** Calls a webhook as a test, with the secret if there is one: a body that says so, and 200 for an answer. */
  callWebhook(path: string, body: Readonly<Record<string, Json>>): CommandAction;
  /** The same as whoever has no secret, who has to be refused. */
  callWithoutSecret(path: string, body: Readonly<Record<string, Json>>): CommandAction;
  /**
   * Every workflow as a file of readable JSON, by its id, in a folder that is there when all of them are. A workflow that has not changed
   * is the same file again.
   */
  exportWorkflows(folder: Text): CommandAction;
  /** Executions that failed since an instant (ISO 8601, UTC) and have not been repeated well, the latest first: `{id, workflow, at, node, message}`. */
  failures(since: string): CommandAction;
}

export function createAutomation(stack: StackConfig, { tools }: Runtime): Automation | undefined {
  const { automation } = stack.services;
  if (automation === undefined) return undefined;
  const { name, url, database } = automation;
  const key = secret("services.automation.apiKey");
  const health = (timeoutSeconds: number): HttpAction => ({
    ...{ kind: "http", host: tools, method: "GET", url: `${url}/healthz/readiness`, timeoutSeconds },
  });
  const secrets = stack.services.automation?.webhookSecret === undefined ? {} : { WEBHOOK_SECRET: webhookSecret };
  const call = (
    path: string,
    body: Readonly<Record<string, Json>>,
    status: number,
    env: Readonly<Record<string, SecretRef>>,
  ) =>
    command(tools, ["/usr/bin/python3", "-", `${url}${path}`, JSON.stringify(body), String(status)], {
      stdin: webhookScript,
      env,
      exitCodes: { 1: "deploy.webhook_failed", 3: "deploy.webhook_failed" },
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
    callWebhook: (path, body) => call(path, body, 200, secrets),
    callWithoutSecret: (path, body) => call(path, body, 403, {}),
    failures: (since) =>
      command(tools, ["/usr/bin/python3", "-", url, since], {
        stdin: failuresScript,
        env: { N8N_API_KEY: key },
        exitCodes: { 1: "automation.unreachable", 3: "automation.unreachable", 4: "automation.key_refused" },
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

/** An id becomes a file's name, so one that could lead elsewhere ends it. */
const exportScript = `${askN8n}
import re, shutil
folder = sys.argv[2]
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
    for workflow in every("/workflows"):
        save(workflow)
    os.rename(folder + ".partial", folder)
except OSError as error:
    end(28 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 1, str(error))
except (KeyError, TypeError, ValueError) as error:
    end(1, "n8n answers something else than its documented API: %r" % error)
finally:
    shutil.rmtree(folder + ".partial", ignore_errors=True)
`;

/** Only the words of what went wrong are taken: the rest of an execution is what went through it. A hundred at the most. */
const failuresScript = `${askN8n}
import itertools
since = sys.argv[2]
def told(one):
    result = (ask("GET", "/executions/%s?includeData=true" % one["id"]).get("data") or {}).get("resultData") or {}
    message = (result.get("error") or {}).get("message") or ""
    words = "".join(one for one in " ".join(message.split()) if one.isprintable())[:300]
    return {"id": str(one["id"]), "workflow": names.get(one["workflowId"], ""), "at": one["startedAt"], "node": result.get("lastNodeExecuted") or "", "message": words}
try:
    names = {one["id"]: one["name"] for one in every("/workflows")}
    late = itertools.takewhile(lambda one: one["startedAt"] >= since, every("/executions", status="error"))
    failed = itertools.islice((one for one in late if not one.get("retrySuccessId")), 100)
    print(json.dumps([told(one) for one in failed]))
except (AttributeError, KeyError, TypeError, ValueError) as error:
    end(1, "n8n answers something else than its documented API: %r" % error)
`;

/** Nothing is followed: what another address says is no answer of this webhook, and the secret would go with it. */
const webhookScript = `
import os, sys, urllib.error, urllib.request
url, body, wanted = sys.argv[1:4]
headers = {"Content-Type": "application/json", "X-Ipai-Test": "true"}
if os.environ.get("WEBHOOK_SECRET"):
    headers["${secretHeader}"] = os.environ["WEBHOOK_SECRET"]
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given):
        return None
browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
request = urllib.request.Request(url, body.encode(), headers)
try:
    with browser.open(request, timeout=60) as response:
        status = response.status
except urllib.error.HTTPError as error:
    status = error.code
except OSError as error:
    print("no answer: %s" % getattr(error, "reason", error), file=sys.stderr)
    sys.exit(3)
except ValueError:
    # Python would show the secret that is none.
    print("no answer: the secret of the webhooks is no text for a header, or what answers does not speak HTTP", file=sys.stderr)
    sys.exit(3)
if status != int(wanted):
    print("the answer is %d, not %s" % (status, wanted), file=sys.stderr)
    sys.exit(1)
`;
