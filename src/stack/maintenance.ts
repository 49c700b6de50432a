import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe, type WriteAction } from "../runbook/action.ts";
import { concat, type Text } from "../runbook/value.ts";
import { pathExists, pathIsAbsent } from "./files.ts";
import { maintenanceAnswer, maintenanceMark, maintenancePage, type Notice } from "./maintenance-page.ts";
import { loginPage } from "./odoo/odoo.ts";

/** Maintenance mode of a stack whose nginx has the shipped snippet: a flag that it looks for, and what it answers meanwhile. */
export interface Maintenance {
  readonly directory: string;
  makeDirectory(): CommandAction;
  /** What users and programs are answered: to be there before the flag is. */
  putPage(words: Words): WriteAction;
  putAnswer(words: Words): WriteAction;
  /** nginx closes as soon as it is there. It says whose it is, so that one that was forgotten can be explained. */
  putFlag(flag: Flag): WriteAction;
  /** The same, of which the text is known. */
  putFlagBack(text: string): WriteAction;
  lift(): CommandAction;
  /** Below its folder; the folder itself when empty. */
  isThere(name: string): Probe;
  readonly isOn: Probe;
  readonly isOff: Probe;
  /** The public address itself answers 503, and with our page. */
  readonly isClosed: readonly [Probe, ...Probe[]];
  /** The time on the machine, when the flag was put there, and what it says; the flag's parts are absent when there is none. */
  readonly look: CommandAction;
  /** Lets whoever has it pass. Drawn there, never printed. */
  drawKey(): CommandAction;
  readonly hasKey: Probe;
  dropKeys(): CommandAction;
  readonly hasNoKey: Probe;
  /** The keys, a line each: for whoever shows them, never for a run. */
  readonly readKeys: CommandAction;
}

/** Of a notice, what is not the same each time. */
export type Words = Pick<Notice, "reason" | "until">;

export interface Flag {
  /** The run that put it there. */
  readonly run: Text;
  /** `run`: it takes it away itself. `person`: somebody switched it on, and it outlives the run. */
  readonly of: "run" | "person";
  /** When it should be over: an ISO instant, or empty. */
  readonly until: string;
}

/** Undefined: nothing is configured, or there is no proxy. */
export function createMaintenance(stack: StackConfig): Maintenance | undefined {
  const configured = stack.services.proxy?.maintenance;
  if (configured === undefined) return undefined;
  const { host, urls } = stack;
  const { directory, colour } = configured;
  const name = configured.name ?? new URL(urls.public).hostname;
  const flag = `${directory}/on`;
  const keys = `${directory}/bypass`;
  const write = (file: string, content: Text): WriteAction => ({
    ...{ kind: "write", host, path: `${directory}/${file}`, content, mode: "0644" },
  });
  const asked = loginPage({ from: host, url: urls.public, authority: urls.authority }, 20);
  return {
    directory,
    makeDirectory: () => command(host, ["install", "-d", "-m", "0755", directory]),
    putPage: (words) => write("page.html", maintenancePage({ name, colour, ...words })),
    putAnswer: (words) => write("answer.json", maintenanceAnswer({ name, colour, ...words })),
    putFlag: ({ run, of, until }) => write("on", concat(`${of} `, run, until === "" ? "\n" : ` ${until}\n`)),
    putFlagBack: (text) => write("on", `${text}\n`),
    isThere: (name) => pathExists(host, `${directory}${name}`, `${directory}${name} is there`),
    lift: () => command(host, ["rm", "-f", "--", flag]),
    isOn: pathExists(host, flag, "the flag is there"),
    isOff: pathIsAbsent(host, flag, "the flag is gone"),
    isClosed: [
      {
        ...{ title: "the public address answers 503", action: asked, output: { from: "status", as: "number" } },
        ...{ compare: "eq", with: 503, code: "maintenance.not_closed" },
      },
      {
        ...{ title: "the page is ours", action: asked, output: { from: "body" } },
        ...{ compare: "has", with: maintenanceMark, code: "maintenance.not_closed" },
      },
    ],
    look: command(host, ["sh", "-c", lookScript, "look", flag]),
    drawKey: () => command(host, ["sh", "-c", drawScript, "draw", keys]),
    hasKey: countKeys(host, keys, "there is a key", "ge", 1),
    dropKeys: () => command(host, ["rm", "-rf", "--", keys]),
    hasNoKey: countKeys(host, keys, "there is no key", "eq", 0),
    readKeys: command(host, ["sh", "-c", 'if [ -d "$1" ]; then ls -A -- "$1"; fi', "keys", keys]),
  };
}

const lookScript = 'date +%s; if [ -e "$1" ]; then stat -c %Y -- "$1" && cat -- "$1"; fi';

/** The name is the key: it stands in no argument, and who runs nginx passes through the folder without being able to list it. */
const drawScript = `
set -eu
mkdir -p -m 0711 -- "$1"
umask 077
key=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \\n')
: > "$1/$key"
`;

function countKeys(host: string, keys: string, title: string, compare: "ge" | "eq", count: number): Probe {
  const script = 'if [ -d "$1" ]; then ls -A -- "$1" | wc -l; else echo 0; fi';
  return {
    ...{ title, action: command(host, ["sh", "-c", script, "count", keys]) },
    ...{ output: { from: "stdout", as: "number" }, compare, with: count },
  };
}

/** A flag as it was found. */
export interface FoundFlag {
  /** As it is written, to be put back. */
  readonly text: string;
  readonly since: Date;
  /** Undefined: somebody put it there by hand. */
  readonly flag: (Omit<Flag, "run"> & { readonly run: string }) | undefined;
}

/** What a look at the folder tells: the time on the machine, and the flag if there is one. */
export interface Look {
  readonly now: Date;
  readonly found: FoundFlag | undefined;
}

export function parseLook(printed: string): Look {
  const [now = "", since, ...rest] = printed.split("\n");
  const at = (seconds: string) => new Date(Number(seconds) * 1000);
  if (since === undefined || since === "") return { now: at(now), found: undefined };
  const text = rest.join("\n").trimEnd();
  return { now: at(now), found: { text, since: at(since), flag: parseFlag(text) } };
}

function parseFlag(text: string): FoundFlag["flag"] {
  const [, of, run, until = ""] = /^(run|person) (\S+)(?: (\S+))?$/.exec(text) ?? [];
  if (of === undefined || run === undefined || (until !== "" && Number.isNaN(Date.parse(until)))) return undefined;
  return { of: of === "run" ? "run" : "person", run, until };
}
