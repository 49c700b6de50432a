import { z } from "zod";
import { command, type Probe } from "../../runbook/action.ts";
import type { Act, Plan, Step } from "../../runbook/plan.ts";
import { join, output, runId, suffixed, type Text } from "../../runbook/value.ts";
import type { Stack } from "../../stack/stack.ts";
import { fileOfSet, withFolder } from "../backup/set.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { change, read, serving } from "../steps.ts";
import { filestoreOf, type HostFacts, readHostFacts } from "./facts.ts";
import { hostPhases, stopAll } from "./host.ts";
import { namesOfPhases, type Phase, stepsOf } from "./phases.ts";
import { projectPhases } from "./project.ts";
import { setInput } from "./sets.ts";

/** A machine is gone: another one gets everything from a repository and `ipai.yaml`. */

const input = z.object({
  ...setInput,
  provision: z.boolean().default(true).describe("Whether recovery.provision makes the machine first, if there is one"),
  beforeSeconds: z
    .number()
    .default(0)
    .describe("Seconds that bringing back the control database took, before this run"),
});
type Input = z.infer<typeof input>;

interface ServerFacts {
  /** Undefined while the machine has to be made first: what is on it can only be asked then. */
  readonly host: HostFacts | undefined;
}

export const recoverServer: Procedure<Input, ServerFacts> = {
  name: "recover server",
  chapter: "recovery",
  version: 1,
  risk: "change",
  title: "Recovery of a server",
  summary:
    "From a repository and ipai.yaml alone to a stack that serves: your own program makes a machine if you have one; configuration, code, " +
    "database server, roles, database and attachments are put in place from a set and compared with it; your own program gives the machine " +
    "its name. What is in the way is set aside, never removed. Each phase is timed.",
  done: { title: "Server recovered" },
  input,
  facts: readServerFacts,
  plan: planServer,
};

async function readServerFacts(reader: FactReader, given: Input): Promise<ServerFacts> {
  if (isProvisioned(reader.stack, given)) return { host: undefined };
  return { host: await readHostFacts(reader, given) };
}

function isProvisioned({ config }: Stack, { provision }: Input): boolean {
  return provision && config.recovery.provision !== undefined;
}

function planServer(stack: Stack, given: Input, { host }: ServerFacts): Plan {
  const common = {
    procedure: recoverServer.name,
    version: recoverServer.version,
    stack: stack.name,
    input: { ...given },
    lease: "exclusive",
  } as const;
  const { provision } = stack.config.recovery;
  if (host !== undefined) return { ...common, ...planHost(stack, given, host) };
  return {
    ...common,
    title: `Make a machine for ${stack.name}, and recover its server there`,
    facts: {},
    notes: ["What is on the machine is looked at once it is there; the rest is planned then."],
    steps: [...makeMachine(stack, provision ?? []), inside(given)],
  };
}

/** The same procedure once more, on the machine that is there now. */
function inside(given: Input): Step {
  return {
    kind: "procedure",
    id: "server",
    title: "Recover the server on it",
    name: recoverServer.name,
    input: { ...given, provision: false },
    mandate: { risk: "change", undoClass: "instant" },
  };
}

const machineSteps = ["provision"];

/** Where ipai runs, and no shell between. */
function ownProgram({ name, host, config }: Stack, argv: readonly string[], code: string) {
  const words = argv as unknown as readonly [string, ...string[]];
  const env = { IPAI_STACK: name, IPAI_HOST: host, IPAI_URL: config.urls.public };
  return command("local", words, { env, exitCodes: { 1: code, 2: code } });
}

function makeMachine(stack: Stack, argv: readonly string[]): readonly Step[] {
  const answers: Probe = {
    title: "the machine can be reached",
    action: command(stack.host, ["true"]),
    output: { from: "exitCode", as: "number" },
    compare: "eq",
    with: 0,
    code: "recovery.unreachable",
  };
  return [
    change(
      {
        id: "provision",
        title: "Make a new machine (recovery.provision)",
        action: ownProgram(stack, argv, "recovery.provision_failed"),
      },
      // Never by itself a second time: that would be two machines.
      { verify: [answers], onInterrupt: "ask", onFail: "ask", timeoutSeconds: 3600 },
    ),
  ];
}

function planHost(stack: Stack, given: Input, host: HostFacts): Pick<Plan, "title" | "facts" | "notes" | "steps"> {
  const folder = join(`${stack.config.workDirectory}/recover/`, runId);
  const before = projectPhases(stack, host);
  const phases = hostPhases(stack, host, folder);
  const address: Phase = { name: "public address", steps: givePublicAddress(stack) };
  const { set, aside, users, running } = host;
  return {
    title: `Recover the server of ${stack.name} from set ${set.id}`,
    facts: { set: set.id, aside, users, running },
    notes: notesOf(stack, host),
    steps: [
      ...stopAll(stack, host),
      ...stepsOf(before),
      withFolder(stack, folder, "recovery", [...stepsOf(phases), countSet(stack, folder)]),
      ...address.steps,
      record(stack, given, host, [...before, ...phases, address]),
      ...protectAgain(stack, host),
    ],
  };
}

function notesOf(stack: Stack, host: HostFacts): readonly string[] {
  const { set, aside, running } = host;
  const { backup } = stack.config;
  const isFirst = set.repository === "primary";
  return [
    `The set was taken at ${set.takenAt}: what was entered since is not in it.`,
    ...(running.length === 0
      ? []
      : [`Stopped first, since they run without serving the stack: ${running.join(", ")}.`]),
    ...aside.map((path) => `In the way, and set aside as ${path}.before_RUN (RUN being this run's id): ${path}`),
    ...set.parts
      .filter(({ state }) => state === "missing" || state === "unreadable")
      .map(({ part, path }) => `Not in the set: ${part} (${path}). Bring it by hand.`),
    `Databases of the old server other than Odoo's${stack.automation?.database === undefined ? "" : " and n8n's"} are in no set, and do not come back with this.`,
    ...(isFirst || backup === undefined
      ? []
      : [`${backup.repository} is made anew by the next backup; the sets stay in ${set.repository}.`]),
    ...(stack.pgbackrest === undefined || !isArchived(stack, host)
      ? []
      : ["The archive goes on beside that of the old server, which stays until its own backups expire."]),
  ];
}

/** `files`: the manifest and the list of attachments that the recovered database answered with, and what was unsound before. */
export function countBack(
  stack: Stack,
  files: readonly [manifest: Text, attachments: Text, unsound: Text],
  filestore: Text,
): Act {
  const from = (name: string) => ({ from: "stdout", as: "json", pick: [name] }) as const;
  return read({
    id: "count",
    title: "Count what came back",
    action: command(stack.tools, ["sh", "-c", countScript, "count", ...files, filestore]),
    outputs: {
      tables: from("tables"),
      rows: from("rows"),
      attachments: from("attachments"),
      unsound: from("unsound"),
      filestoreBytes: from("filestoreBytes"),
    },
  });
}

const countScript = `
awk -v attachments="$(wc -l < "$2")" -v unsound="$(wc -l < "$3")" -v bytes="$(du -sb -- "$4" | cut -f 1)" -F '"rows" : ' '
  /^[{]"table"/ { split($2, part, ","); tables++; rows += part[1] }
  END { printf "{\\"tables\\": %d, \\"rows\\": %.0f, \\"attachments\\": %d, \\"unsound\\": %d, \\"filestoreBytes\\": %.0f}\\n", tables, rows, attachments, unsound, bytes }' "$1"
`;

function countSet(stack: Stack, folder: Text): Act {
  const files = [
    suffixed(folder, "/manifest"),
    suffixed(folder, "/attachments"),
    fileOfSet(folder, "unsound"),
  ] as const;
  return countBack(stack, files, filestoreOf(stack));
}

function givePublicAddress(stack: Stack): readonly Step[] {
  const { dns, nameSeconds } = stack.config.recovery;
  const isKnown: Probe = {
    title: "the name is known",
    action: command(stack.host, ["getent", "ahosts", URL.parse(stack.config.urls.public)?.hostname ?? ""], {
      okExitCodes: [0, 2],
    }),
    output: { from: "exitCode", as: "number" },
    compare: "eq",
    with: 0,
    code: "recovery.not_public",
  };
  const wait = serving(stack, "the public address", stack.odoo.publicAddress, "recovery.not_public");
  return [
    ...(dns === undefined
      ? []
      : [
          change(
            {
              id: "dns",
              title: "Give the machine its name (recovery.dns)",
              action: ownProgram(stack, dns, "recovery.dns_failed"),
            },
            // That it leads here is waited for next: it takes its time to get around.
            { verify: [isKnown], onFail: "ask", timeoutSeconds: 1800 },
          ),
        ]),
    { ...wait, timeoutSeconds: nameSeconds, onTimeout: "ask" },
  ];
}

function record(stack: Stack, given: Input, { set, aside }: HostFacts, phases: readonly Phase[]): Act {
  const { rtoSeconds, rpoSeconds } = stack.config.objectives;
  const input = {
    ...{ stack: stack.name, what: "server", mode: "real", set: set.id, takenAt: set.takenAt },
    databaseBytes: set.databaseBytes,
    beforeSeconds: given.beforeSeconds,
    phases: [{ name: "new machine", steps: machineSteps }, ...namesOfPhases(phases)],
    objectives: { rtoSeconds, rpoSeconds },
    kept: aside.map((path) => `${path}.before_RUN`),
    ...countsOf(),
  };
  return change(
    {
      id: "record",
      title: "Record what it took, and tell people what is lost",
      action: { kind: "call", name: "recovery.record", version: 1, input },
    },
    { timeoutSeconds: 60 },
  );
}

export function countsOf() {
  const names = ["tables", "rows", "attachments", "unsound", "filestoreBytes"] as const;
  return Object.fromEntries(names.map((name) => [name, output("count", name)]));
}

function isArchived(stack: Stack, { set }: HostFacts): boolean {
  const { archiveMode, archiveCommand } = set.cluster;
  return archiveMode !== "off" && archiveCommand === stack.pgbackrest?.archiveCommand;
}

/** What protected the old one: the planner's statistics against slow nights, the archive against the next disaster. */
function protectAgain(stack: Stack, host: HostFacts): readonly Step[] {
  const { tools, postgres, config } = stack;
  const analyzed: Probe = {
    title: "the tables have their statistics",
    action: postgres.query(
      config.odoo.database,
      "select count(*) from pg_stat_user_tables where last_analyze is null and last_autoanalyze is null;",
    ),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 0,
  };
  return [
    change(
      {
        id: "analyze",
        title: "Gather the statistics that a dump does not bring",
        action: command(tools, postgres.client("vacuumdb", "--analyze-only", "--quiet", config.odoo.database)),
      },
      { verify: [analyzed], onFail: "continue", timeoutSeconds: 12 * 3600 },
    ),
    ...(isArchived(stack, host) ? [archiveAgain()] : []),
  ];
}

/** The repository keeps what it has of the old server, and gets the new one beside it. */
export function archiveAgain(): Step {
  return {
    kind: "procedure",
    id: "archive",
    title: "Begin to archive again",
    name: "wal setup",
    input: { replaces: true },
    mandate: { risk: "change", undoClass: "instant" },
  };
}
