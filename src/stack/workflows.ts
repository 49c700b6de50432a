import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import { join, runId, secret, type Text } from "../runbook/value.ts";
import { askN8n, secretHeader, webhookSecret } from "./n8n-script.ts";
import type { Stack } from "./stack.ts";

/**
 * Workflows that the project ships, in the stack's n8n: looked at, put, and taken back, through its public API. Each is known by its name, since
 * n8n chooses ids itself, and so are the credential and the workflow for failures that it names. A credential's secret is never asked for. What
 * somebody wrote into a workflow may be one, though: what is replaced is told by its digest alone, and lies in a file of the run until it is put back.
 */

/** As a file of `n8n/`, and as n8n takes it. */
export interface Workflow {
  readonly name: string;
  readonly nodes: readonly Readonly<Record<string, unknown>>[];
  readonly connections: Readonly<Record<string, unknown>>;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What `look` prints. */
export interface WorkflowFound {
  /** In a word: what n8n has is what is shipped, and works; or why not. */
  readonly is: "as shipped" | "missing" | "inactive" | "different";
  readonly isActive: boolean;
  /** What of it differs: `node Schedule`, `settings`. */
  readonly differs: readonly string[];
  /** SHA-256 of what n8n has; null when it has none. */
  readonly digest: string | null;
}

export interface Workflows {
  look(shipped: Workflow): CommandAction;
  isAsShipped(shipped: Workflow): Probe;
  /** Keeps what is there for the way back, puts it there and activates it. A credential that n8n does not have under the name is made. */
  put(shipped: Workflow): CommandAction;
  /** Puts back what was there, as active as it was, or removes what was not; and removes a credential that was made. */
  putBack(shipped: Workflow): CommandAction;
  isPutBack(shipped: Workflow): Probe;
}

/** What `put` replaced: on the stack's machine, each workflow in a file of its own that its owner alone reads. */
function keptFolder({ workDirectory }: Stack["config"]): Text {
  return join(`${workDirectory}/runs/`, runId, "/workflows");
}

export function createWorkflows({ config, tools }: Stack): Workflows | undefined {
  const { automation } = config.services;
  if (automation === undefined) return undefined;
  const keys = {
    N8N_API_KEY: secret("services.automation.apiKey"),
    ...(automation.odooKey === undefined ? {} : { ODOO_API_KEY: secret("services.automation.odooKey") }),
    ...(automation.webhookSecret === undefined ? {} : { WEBHOOK_SECRET: webhookSecret }),
  };
  const ask = (verb: string, workflow: Workflow, ...folder: readonly Text[]) =>
    command(tools, ["/usr/bin/python3", "-", automation.url, verb, JSON.stringify(workflow), ...folder], {
      stdin: workflowScript,
      env: keys,
      exitCodes: {
        1: "automation.workflow_refused",
        3: "automation.unreachable",
        4: "automation.key_refused",
        5: "automation.workflow_ambiguous",
        6: "automation.credential_missing",
        28: "host.disk_full",
      },
    });
  const kept = keptFolder(config);
  const probe = (title: string, action: CommandAction, is: string): Probe => ({
    ...{ title, action, output: { from: "stdout", as: "json", pick: ["is"] } },
    ...{ compare: "eq", with: is, code: "automation.workflow_refused" },
  });
  const look = (shipped: Workflow) => ask("look", shipped);
  return {
    look,
    isAsShipped: (shipped) => probe(`${shipped.name} is as it is shipped, and active`, look(shipped), "as shipped"),
    put: (shipped) => ask("put", shipped, kept),
    putBack: (shipped) => ask("back", shipped, kept),
    isPutBack: (shipped) => probe(`${shipped.name} is as it was`, ask("compare", shipped, kept), "as it was"),
  };
}

/**
 * What n8n adds of its own (ids, dates, where nodes stand on the canvas) is no difference. It takes no more than its documented keys, so what it
 * says of a workflow is cut down to them before it is sent back. Only a workflow with something that starts it can be active.
 */
const workflowScript = `${askN8n}
import hashlib
verb, text, *folder = sys.argv[2:]
wanted = json.loads(text)
NODE = "id name type typeVersion position parameters credentials webhookId disabled notes notesInFlow executeOnce alwaysOutputData retryOnFail maxTries waitBetweenTries onError".split()
SETTINGS = "executionOrder timezone errorWorkflow executionTimeout saveExecutionProgress saveManualExecutions saveDataErrorExecution saveDataSuccessExecution callerPolicy callerIds".split()
LAID_OUT = ("position", "notes", "notesInFlow")
COMPARED = [key for key in NODE if key not in ("id", *LAID_OUT)]
STARTERS = ("n8n-nodes-base.scheduleTrigger", "n8n-nodes-base.webhook")
def find(name):
    found = [one for one in workflows if one["name"] == name]
    if len(found) > 1:
        end(5, "n8n has %d workflows that are called %s" % (len(found), name))
    return found[0] if found else None
def cut(workflow):
    nodes = [{key: node[key] for key in NODE if node.get(key) is not None} for node in workflow["nodes"]]
    settings = {key: workflow["settings"][key] for key in SETTINGS if key in (workflow.get("settings") or {})}
    return {"name": workflow["name"], "nodes": nodes, "connections": workflow["connections"], "settings": settings}
def named(workflow):
    workflow = json.loads(json.dumps(cut(workflow)))
    failure = workflow["settings"].get("errorWorkflow")
    names = {one["id"]: one["name"] for one in workflows}
    if failure in names:
        workflow["settings"]["errorWorkflow"] = names[failure]
    for node in workflow["nodes"]:
        for kind, credential in node.get("credentials", {}).items():
            node["credentials"][kind] = {"name": credential["name"], "is": credential.get("id") is not None}
    return workflow
def compared(workflow):
    return {node["name"]: {key: node[key] for key in COMPARED if key in node} for node in workflow["nodes"]}
def differences(shipped, present, is_given=True):
    shipped, present = named(shipped), named(present)
    for node in shipped["nodes"] + ([] if is_given else present["nodes"]):
        for credential in node.get("credentials", {}).values():
            credential["is"] = True
    one, other = compared(shipped), compared(present)
    nodes = ["node " + name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    wires = [] if shipped["connections"] == present["connections"] else ["connections"]
    settings = ["setting " + key for key, value in sorted(shipped["settings"].items()) if present["settings"].get(key) != value]
    return nodes + wires + settings
def can_be_active(workflow):
    return any(node["type"] in STARTERS and not node.get("disabled") for node in workflow["nodes"])
def filled(workflow, present=None):
    workflow = cut(workflow)
    if "errorWorkflow" in workflow["settings"]:
        failure = find(workflow["settings"]["errorWorkflow"])
        if failure:
            workflow["settings"]["errorWorkflow"] = failure["id"]
    if present:
        workflow["settings"] = {**cut(present)["settings"], **workflow["settings"]}
        workflow["nodes"] = [laid_out(node, present) for node in workflow["nodes"]]
    for node in workflow["nodes"]:
        for kind, credential in node.get("credentials", {}).items():
            credential["id"] = known(kind, credential["name"]) if credential.get("id") is None else credential["id"]
    return workflow
def laid_out(node, present):
    for one in cut(present)["nodes"]:
        if one["name"] == node["name"]:
            return {**{key: node[key] for key in node if key not in LAID_OUT}, **{key: one[key] for key in LAID_OUT if key in one}}
    return node
def known(kind, name):
    for workflow in workflows:
        for node in workflow["nodes"]:
            credential = node.get("credentials", {}).get(kind, {})
            if credential.get("name") == name and credential.get("id"):
                return credential["id"]
    return None
def lacking(workflow):
    return {(kind, one["name"]) for node in workflow["nodes"] for kind, one in node.get("credentials", {}).items() if one.get("id") is None}
def store(workflow, present):
    return ask("PUT", "/workflows/" + present["id"], workflow) if present else ask("POST", "/workflows", workflow)
def path_of(ending):
    return os.path.join(folder[0], urllib.parse.quote(wanted["name"], safe="") + ending)
def own(ending, flags):
    os.makedirs(folder[0], 0o700, exist_ok=True)
    return open(os.open(path_of(ending), os.O_WRONLY | os.O_CREAT | flags, 0o600), "w")
def text_of(ending):
    if not os.path.exists(path_of(ending)):
        return None
    with open(path_of(ending)) as file:
        return file.read()
def give(workflow, kind, name):
    data = {
        "httpBearerAuth": {"token": os.environ.get("ODOO_API_KEY")},
        "httpHeaderAuth": {"name": "${secretHeader}", "value": os.environ.get("WEBHOOK_SECRET")},
    }.get(kind, {})
    if not all(data.values()) or not data:
        end(6, "n8n has no credential that is called %s" % name)
    with own(".credentials", os.O_APPEND) as file:
        made = ask("POST", "/credentials", {"name": name, "type": kind, "data": data})
        file.write(made["id"] + "\\n")
    for node in workflow["nodes"]:
        if node.get("credentials", {}).get(kind, {}).get("name") == name:
            node["credentials"][kind]["id"] = made["id"]
def keep(present):
    # A put that is done again finds what it put itself.
    if os.path.exists(path_of(".json")):
        return
    is_active = bool(present and present.get("active"))
    with own(".json.partial", os.O_TRUNC) as file:
        json.dump({"former": cut(present) if present else None, "isActive": is_active}, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path_of(".json.partial"), path_of(".json"))
def kept():
    # Without the file nothing was put.
    return json.loads(text_of(".json") or "null")
def put():
    present = find(wanted["name"])
    keep(present)
    if not present or differences(wanted, present):
        # n8n itself finds a credential by its name, when a workflow is new to it.
        stored = store(filled(wanted, present), present)
        lacks = lacking(stored)
        if lacks:
            workflow = cut(stored)
            for kind, name in sorted(lacks):
                give(workflow, kind, name)
            stored = store(workflow, stored)
        present = stored
    if can_be_active(wanted) and not present.get("active"):
        ask("POST", "/workflows/%s/activate" % present["id"])
def back():
    before, present = kept(), find(wanted["name"])
    if not before:
        return
    if before["former"]:
        stored = store(before["former"], present)
        if bool(stored.get("active")) != before["isActive"]:
            ask("POST", "/workflows/%s/%s" % (stored["id"], "activate" if before["isActive"] else "deactivate"))
    elif present:
        ask("DELETE", "/workflows/" + present["id"])
    for credential in (text_of(".credentials") or "").split():
        ask("DELETE", "/credentials/" + credential, gone=404)
def compare():
    before, present = kept(), find(wanted["name"])
    if not before or not before["former"] and not present:
        return {"is": "as it was"}
    if not present:
        return {"is": "missing"}
    # Where it had a credential's name alone, n8n may have found that meanwhile.
    if not before["former"] or differences(before["former"], present, is_given=False):
        return {"is": "different"}
    if bool(present.get("active")) != before["isActive"]:
        return {"is": "active" if present.get("active") else "inactive"}
    return {"is": "as it was"}
def look():
    present = find(wanted["name"])
    if not present:
        return {"is": "missing", "isActive": False, "differs": [], "digest": None}
    differs, is_active = differences(wanted, present), bool(present.get("active"))
    state = "different" if differs else "as shipped" if is_active or not can_be_active(wanted) else "inactive"
    digest = hashlib.sha256(json.dumps(cut(present), sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return {"is": state, "isActive": is_active, "differs": differs, "digest": digest}
try:
    workflows = [one for one in every("/workflows") if not one.get("isArchived")]
    answer = {"look": look, "put": put, "back": back, "compare": compare}[verb]()
    if answer:
        print(json.dumps(answer))
except OSError as error:
    end(28 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 1, "what the way back needs cannot be kept: %s" % error)
except (KeyError, TypeError, ValueError) as error:
    end(1, "n8n answers something else than its documented API: %r" % error)
`;
