import { z } from "zod";
import { command, type Probe } from "../../../runbook/action.ts";
import type { Act, Plan } from "../../../runbook/plan.ts";
import { pathExists } from "../../../stack/files.ts";
import type { Service } from "../../../stack/runtime/runtime.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { change, require, serving, startService, stopService } from "../../steps.ts";
import { getCopy, nameOfCopy } from "./facts.ts";

/** An Odoo on a staging copy, for people to try things. It lives until it is stopped, or the copy is removed. */

const input = z.object({
  id: nameOfCopy,
  port: z.number().int().min(1024).max(65_535).default(8899).describe("Its port on the loopback interface"),
});
type Input = z.infer<typeof input>;

export const serveStaging: Procedure<Input, object> = {
  name: "copy serve",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Odoo on a staging copy",
  summary:
    "Starts an Odoo on a staging copy: without scheduled actions, on the loopback interface only, with sessions of its own, and with no way " +
    "out by the web.",
  input,
  facts: readFacts,
  plan: planServe,
};

async function readFacts(reader: FactReader, { id }: Pick<Input, "id">): Promise<object> {
  await getCopy(reader, id);
  return {};
}

function planServe(stack: Stack, { id, port }: Input): Plan {
  const url = `http://127.0.0.1:${port}`;
  return {
    procedure: serveStaging.name,
    version: serveStaging.version,
    stack: stack.name,
    title: `Serve ${id} at ${url}`,
    input: { id, port },
    facts: {},
    lease: "shared",
    notes: [
      "Reached from the machine where Odoo runs; from elsewhere by a tunnel: ssh -L.",
      `It goes on until \`ipai copy stop ${id}\`, or until the copy is removed.`,
    ],
    steps: [
      require({ id: "there", title: "The copy is there", probe: isThere(stack, id) }),
      makeFolder(stack, id),
      ...writeSettings(stack, id),
      startService("start", `Start an Odoo on ${id}`, odooOn(stack, id, port)),
      serving(stack, id, { from: stack.odoo.place, url }, "backup.copy_not_serving"),
    ],
  };
}

function isThere({ postgres }: Stack, id: string): Probe {
  return { ...postgres.databaseExists(id), code: "restore.copy_gone" };
}

export function folderOf(stack: Stack, id: string): string {
  return `${stack.config.workDirectory}/copies/${id}`;
}

/** Its sessions lie apart from production's, and its attachments where any Odoo on it would look for them. */
function makeFolder(stack: Stack, id: string) {
  const { user } = stack.config.odoo;
  const folder = folderOf(stack, id);
  const script = `set -eu
install -d -m 0711 "$(dirname -- "$1")"
install -d -m 0750 -o "$2" "$1" "$1/data" "$1/data/filestore"
ln -sfn -- "$3" "$1/data/filestore/$4"
chmod a+x "$(dirname -- "$(dirname -- "$1")")"`;
  const words = [folder, user, stack.odoo.filestoreOf(id) as string, id];
  const there = pathExists(stack.tools, `${folder}/data/filestore/${id}`, "the folder is there");
  return change(
    {
      id: "folder",
      title: "Make a folder for it",
      action: command(stack.tools, ["sh", "-c", script, "make", ...words]),
    },
    { verify: [there] },
  );
}

/**
 * The stack's own settings without those that say which databases there are: Odoo 18 cannot be told to forget them, and with a filter it
 * looks for the copy in a list that has no templates. They may hold a password, so they are for Odoo's user alone.
 */
function writeSettings(stack: Stack, id: string): readonly Act[] {
  const { config, user } = stack.config.odoo;
  const file = settingsOf(stack, id);
  const place = stack.odoo.place;
  const unfiltered: Probe = {
    title: "they name no database",
    action: command(place, ["grep", "-E", "-c", "-e", namesDatabases, "--", file], { okExitCodes: [0, 1] }),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 0,
  };
  const words = [namesDatabases, config, file, user];
  return [
    change(
      {
        id: "settings",
        title: "Write its settings",
        action: command(place, ["sh", "-c", settingsScript, "settings", ...words]),
      },
      { verify: [unfiltered] },
    ),
  ];
}

const namesDatabases =
  "^[[:space:]]*(dbfilter|db_name|db_template|log_db|logfile|syslog|http_port|xmlrpc_port|gevent_port)[[:space:]]*[=:]";

const settingsScript = `
set -eu
umask 077
grep -E -v -e "$1" -- "$2" > "$3.partial"
chown "$4:" "$3.partial"
mv -f -- "$3.partial" "$3"
`;

function settingsOf(stack: Stack, id: string): string {
  return `${folderOf(stack, id)}/odoo.conf`;
}

/**
 * Whatever asks the web by Python's usual ways is sent to a port where nobody listens (9, discard), should any part of the copy still
 * know an address.
 */
const noWayOut = Object.fromEntries(
  ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map((name) => [
    name,
    "http://127.0.0.1:9",
  ]),
);

function odooOn(stack: Stack, id: string, port: number): Service {
  const { odoo } = stack.config;
  const folder = folderOf(stack, id);
  return stack.runtime.daemon({
    name: `the Odoo on ${id}`,
    user: odoo.user,
    environment: { ...odoo.environment, ...noWayOut, no_proxy: "", NO_PROXY: "" },
    pidFile: `${folder}/odoo.pid`,
    log: `${folder}/odoo.log`,
    stopSeconds: 20,
    command: [
      ...odoo.command,
      ...["-c", settingsOf(stack, id), "-d", id, `--data-dir=${folder}/data`, "--load=base,web", "--workers=0"],
      ...["--max-cron-threads=0", "--no-database-list", "--http-interface=127.0.0.1", `--http-port=${port}`],
      ...["--smtp=localhost", "--smtp-port=9", "--logfile="],
    ],
  });
}

/** Whatever its port: it is known by its folder. */
export function stopStagingOdoo(stack: Stack, id: string) {
  return stopService("stop", `Stop the Odoo on ${id}`, odooOn(stack, id, 8899));
}

const stopInput = z.object({ id: nameOfCopy });

export const stopStaging: Procedure<z.infer<typeof stopInput>, object> = {
  name: "copy stop",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "End of the Odoo on a staging copy",
  summary: "Stops the Odoo that serves a staging copy. The copy stays.",
  input: stopInput,
  facts: readFacts,
  plan: (stack, { id }) => ({
    procedure: "copy stop",
    version: 1,
    stack: stack.name,
    title: `Stop the Odoo on ${id}`,
    input: { id },
    facts: {},
    lease: "shared",
    notes: [],
    steps: [stopStagingOdoo(stack, id)],
  }),
};
