import { join } from "node:path";
import type { CommandAction } from "../../src/runbook/action.ts";
import { renderShell } from "../../src/runbook/shell.ts";
import {
  client,
  dropKept,
  folder,
  inTurn,
  openWorld,
  prove,
  repeat,
  runJson,
  startOdoo,
  stopOdoo,
  type World,
} from "../world.ts";
import { codeAlone, ordinary } from "./releases.ts";

// Where the stack is is settled when `world.ts` is loaded, before these.
const { push } = await import("../../test/harness/repository.ts");
const { run, services, urls } = await import("../../test/harness/sandbox.ts");
const { comeAndGo } = await import("../../test/harness/users.ts");

/** A deployment with an update; seconds. */
export interface Update {
  /** Nobody had a good answer at the public address. */
  readonly out: number;
  readonly update: number;
  readonly copy: number;
  /** From the stop of the services to where the runbook says that users may come back. */
  readonly closed: number;
}

/** Code alone. */
export interface Rolled {
  readonly failed: number;
  readonly requests: number;
}

export async function playRounds(count: number) {
  await using world = await openWorld();
  await prove();
  let number = 0;
  const updates = await repeat(count, "an update", (index) =>
    inTurn(
      index % 2 === 0,
      () => deployUpdate(++number),
      () => updateByRunbook(world, ++number),
    ),
  );
  // Not in turn, and after one that is not counted: what came past this program is brought as an update, because nobody judged it.
  await deployCode(++number);
  const ours = await repeat(count, "code alone", () => deployCode(++number));
  const theirs = await repeat(count, "code alone, by hand", () => restartAll(world, ++number));
  const rolled = ours.flatMap((one, index) => {
    const other = theirs[index];
    return other === undefined ? [] : [{ ours: one, theirs: other }];
  });
  const megabytes = Math.round(world.databaseBytes / 1_000_000);
  return { about: `${world.invoices.toLocaleString("en")} invoices, ${megabytes} MB`, updates, rolled };
}

async function deployUpdate(number: number): Promise<Update> {
  await push(`Release ${number}`, (draft) => ordinary(draft, number));
  const users = await comeAndGo();
  const ended = await runJson("deploy", "--no-backup");
  const { outSeconds: out } = await users.stop();
  if (ended.outcome !== "succeeded") throw new Error(JSON.stringify(ended.error));
  const took = (...ids: readonly string[]) =>
    ended.steps.filter(({ id }) => ids.includes(id)).reduce((all, { seconds }) => all + (seconds ?? 0), 0);
  await dropKept();
  return { out, update: took("update"), copy: took("snapshot", "snapshot files"), closed: out };
}

async function updateByRunbook({ stack }: World, number: number): Promise<Update> {
  await push(`Release ${number}`, (draft) => ordinary(draft, number));
  const { user, command, environment } = stack.config.odoo;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const odoo = ["runuser", "-u", user, "--", "env", ...variables, ...command];
  const users = await comeAndGo();
  const ended = await run(
    join(import.meta.dirname, "runbook.sh"),
    [folder, "ipai_demo_ledger,ipai_demo_report", urls.public, ...odoo],
    { env: { ...byHand(stack), PSQL: `${client("psql")} -XAtq` }, timeoutMs: 1_800_000 },
  );
  const { outSeconds: out } = await users.stop();
  if (ended.exitCode !== 0) throw new Error(`the runbook failed: ${ended.stdout}\n${ended.stderr}`);
  const began = new Map(ended.stdout.split("\n").map((line) => line.split(" ").map(Number) as [number, number]));
  const between = (step: number, later: number) => (began.get(later) ?? Number.NaN) - (began.get(step) ?? Number.NaN);
  return { out, update: between(7, 8), copy: 0, closed: between(3, 14) };
}

/** The three services, as this program itself starts and stops them. */
function byHand({ runtime }: World["stack"]) {
  const start = services.map((name) => renderShell(runtime.service(name).start as CommandAction));
  return { START: start.join("\n"), STOP: renderShell(runtime.together(services).stop as CommandAction) };
}

async function deployCode(number: number): Promise<Rolled> {
  await push(`Correction ${number}`, (draft) => codeAlone(draft, number));
  const users = await comeAndGo();
  const ended = await runJson("deploy");
  const { failures, requests } = await users.stop();
  if (ended.outcome !== "succeeded") throw new Error(JSON.stringify(ended.error));
  return { failed: failures.length, requests };
}

/** The runbook's hot-fix: the code, and all services restarted. */
async function restartAll({ stack }: World, number: number): Promise<Rolled> {
  await push(`Correction ${number}`, (draft) => codeAlone(draft, number));
  const users = await comeAndGo();
  const pulled = await run("git", ["pull", "--quiet", "origin", "main"], { directory: join(folder, "addons") });
  if (pulled.exitCode !== 0) throw new Error(pulled.stderr);
  await stopOdoo(stack);
  await startOdoo(stack);
  const { failures, requests } = await users.stop();
  return { failed: failures.length, requests };
}
