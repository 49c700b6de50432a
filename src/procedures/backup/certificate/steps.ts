import { command, type Probe, type SqlAction } from "../../../runbook/action.ts";
import type { Act } from "../../../runbook/plan.ts";
import { output, suffixed, type Text } from "../../../runbook/value.ts";
import type { Stack } from "../../../stack/stack.ts";
import { change, read, require, takeBack } from "../../steps.ts";
import { automationOfSet } from "../automation/told.ts";
import { kept } from "../backup.ts";
import { copyName } from "../copy.ts";
import { booksSql } from "./books.ts";

/** What an auditor asks beyond rows and checksums, and how it is signed. */

/** The server that holds the copy. */
interface CopyCluster {
  query(database: string, text: string): SqlAction;
}

/** Which server it is, and which Odoo will serve from it. */
export function identify(stack: Stack, cluster: CopyCluster): readonly Act[] {
  const text =
    "select json_build_object('cluster', (select system_identifier::text from pg_control_system()), 'postgres', current_setting('server_version'));\n";
  return [
    read({
      id: "identity",
      title: "Ask the throw-away PostgreSQL who it is",
      action: cluster.query("postgres", text),
      outputs: {
        cluster: { from: "stdout", as: "json", pick: ["cluster"] },
        postgres: { from: "stdout", as: "json", pick: ["postgres"] },
      },
    }),
    read({
      id: "version",
      title: "Ask Odoo for its version",
      action: stack.odoo.version(),
      outputs: { odoo: { from: "stdout" } },
    }),
  ];
}

/** A finding, not a failure, when they do not balance: the copy is what it was, and so are its books. */
export function readBooks(stack: Stack, cluster: CopyCluster): readonly Act[] {
  const balanced: Probe = {
    title: "every posted entry balances",
    action: command(stack.tools, ["printf", "%s", output("books", "unbalanced")]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "backup.books_unbalanced",
  };
  return [
    read(
      {
        id: "books",
        title: "Add up the trial balance",
        action: cluster.query(copyName, booksSql),
        outputs: {
          companies: { from: "stdout", as: "json", pick: ["companies"] },
          unbalanced: { from: "stdout", as: "json", pick: ["unbalanced"] },
        },
      },
      { timeoutSeconds: 3600 },
    ),
    require({ id: "balance", title: "Debit equals credit in every company", probe: balanced }, { onFail: "continue" }),
  ];
}

/**
 * Gives a user of the copy a password that nobody knows: made by the copy's own server, kept in a file for root alone, gone with the
 * folder. Odoo takes one that stands in the table as plain text, and hashes it at the login (measured on 18 and 19). A second factor
 * would stand in the way; it is taken off on the copy only, after everything was compared.
 */
export function givePassword(stack: Stack, cluster: CopyCluster, folder: Text): readonly Act[] {
  const { tools: host } = stack;
  const file = suffixed(folder, "/login");
  const size = command(host, ["stat", "--format=%s", "--", file]);
  return [
    change(
      {
        id: "login file",
        title: "Make a file for root alone",
        action: command(host, ["install", "-m", "0600", "/dev/null", file]),
      },
      {
        verify: [
          {
            title: "nobody else may read it",
            action: command(host, ["stat", "--format=%a", "--", file]),
            output: { from: "stdout" },
            compare: "eq",
            with: "600",
          },
        ],
      },
    ),
    change(
      {
        id: "password",
        title: "Give a user of the copy a password",
        action: kept(cluster.query(copyName, passwordSql), file),
      },
      {
        verify: [
          {
            title: "there is a user who could log in",
            action: size,
            output: { from: "stdout", as: "number" },
            compare: "ge",
            with: 1,
            code: "backup.copy_login_refused",
          },
        ],
      },
    ),
  ];
}

const passwordSql = `
begin;
select exists (select from pg_attribute where attrelid = 'public.res_users'::regclass and attname = 'totp_secret' and not attisdropped) as totp \\gset
\\if :totp
update public.res_users set totp_secret = null;
\\endif
delete from public.ir_config_parameter where key = 'auth_totp.policy';
update public.res_users set password = gen_random_uuid()::text
  where id = (select id from public.res_users where active and not coalesce(share, false) order by id limit 1)
  returning login || E'\\t' || password;
commit;
`;

/** A session as a browser gets it, and something read with it. */
export function logIn(stack: Stack, folder: Text): Act {
  const action = command(
    stack.odoo.place,
    ["/usr/bin/python3", "-c", loginScript, output("port", "number"), suffixed(folder, "/login"), copyName],
    { exitCodes: { 1: "backup.copy_login_refused" } },
  );
  return read(
    {
      id: "login",
      title: "Log in to the copy and read something",
      action,
      outputs: { accepted: { from: "stdout", as: "json" } },
    },
    { timeoutSeconds: 300 },
  );
}

/** The password stays inside: what is printed on either side names the user alone. No proxy of the environment is used. */
const loginScript = `
import http.cookiejar, json, sys, urllib.request
port, path, database = sys.argv[1:4]
with open(path) as file:
    user, password = file.read().rstrip("\\n").split("\\t")
browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
def ask(path, **params):
    body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}).encode()
    request = urllib.request.Request("http://127.0.0.1:" + port + path, body, {"Content-Type": "application/json"})
    with browser.open(request, timeout=120) as response:
        answer = json.load(response)
    if "error" in answer:
        error = answer["error"]
        sys.exit("%s: %s" % (path, error.get("data", {}).get("message") or error.get("message")))
    return answer["result"]
uid = ask("/web/session/authenticate", db=database, login=user, password=password).get("uid")
if not uid:
    sys.exit("Odoo gives %s no session" % user)
me = ask("/web/dataset/call_kw", model="res.users", method="read", args=[[uid], ["login", "company_id"]], kwargs={})[0]
if me["login"] != user:
    sys.exit("Odoo took %s for %s" % (user, me["login"]))
print(json.dumps({"user": user, "uid": uid, "company": me["company_id"][1]}))
`;

function subjectOf(stack: Stack, backup: string) {
  const { name, config, restic, tools: place } = stack;
  return { stack: name, timezone: config.timezone, backup, repository: restic?.repository ?? "", place };
}

/** Before the proof is recorded: one that counts has its certificate. */
export function certify(stack: Stack, backup: string): Act {
  const input = {
    ...subjectOf(stack, backup),
    about: output("about", "said"),
    cluster: output("identity", "cluster"),
    postgres: output("identity", "postgres"),
    odoo: output("version", "odoo"),
    tables: output("count", "tables"),
    rows: output("count", "rows"),
    attachments: output("count", "attachments"),
    unsound: output("count", "unsound"),
    automation: automationOfSet.told,
    books: output("books", "companies"),
    login: output("login", "accepted"),
  };
  return change(
    {
      id: "certify",
      title: "Sign the certificate",
      action: { kind: "call", name: "backup.certify", version: 1, input },
    },
    { timeoutSeconds: 30 },
  );
}

/** What takes a verification back leaves evidence that it failed, and why. It never keeps anything else from being taken back. */
export function certifyFailure(stack: Stack, backup: string): Act {
  return takeBack(
    {
      id: "certify failure",
      title: "Sign that the verification failed",
      action: { kind: "call", name: "backup.certify_failure", version: 1, input: subjectOf(stack, backup) },
    },
    { onFail: "continue", timeoutSeconds: 30 },
  );
}
