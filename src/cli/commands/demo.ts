import { existsSync } from "node:fs";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ipaiCache, ipaiHome } from "../../config/home.ts";
import { parseConfig } from "../../config/load.ts";
import { stopEmbedded } from "../../engine/embedded.ts";
import type { Outcome } from "../../engine/schema.ts";
import { defineError } from "../../errors/error.ts";
import { LocalExecutor } from "../../host/local.ts";
import { type ComposeSettings, composeConfig, composePublicUrl } from "../../procedures/sandbox/compose.ts";
import { type OdooProgram, type SandboxSettings, sandboxConfig } from "../../procedures/sandbox/definition.ts";
import type { Json } from "../../runbook/value.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { runExitCode } from "../render/run.ts";
import { duration, table } from "../render/text.ts";
import { checkHealth, renderHealth } from "./health.ts";
import { startRun } from "./run.ts";

/** The practice stack, and the main job of this program shown on it. */

export const UnknownDemo = defineError<{ given: string }>("usage.unknown_demo", {
  exitCode: 14,
  message: (d) => `ipai demo does not know "${d.given}".`,
  hint: () => "It knows up, down and reset; without a word it shows the whole job.",
});

export const NoOdoo = defineError<{ looked: string }>("demo.no_odoo", {
  exitCode: 15,
  message: (d) => `There is no Odoo to practise on (looked in ${d.looked}).`,
  hint: () => "`npm run setup` gets one, or set IPAI_ODOO_HOME to a folder with odoo-bin.",
});

export const DemoUnexpected = defineError<{ stage: string; wanted: string; found: string }>("demo.unexpected", {
  exitCode: 16,
  message: (d) => `The demonstration stops: "${d.stage}" ended ${d.found}, it should have ended ${d.wanted}.`,
  hint: () => "`ipai runs` lists what was run, `ipai runs logs` what it printed. `ipai demo reset` begins anew.",
});

interface Options {
  readonly compose?: boolean;
  readonly once?: boolean;
  readonly remove?: boolean;
}

export async function demo(context: Context, what: string | undefined, options: Options): Promise<number> {
  switch (what) {
    case undefined:
      return showMainJob(context, options);
    case "up":
      return runExitCode({ outcome: await bringUp(context, options) });
    case "down":
      return runExitCode({ outcome: await takeDown(context, options.remove === true) });
    case "reset": {
      const compose = options.compose ?? (await isProject(context));
      await takeDown(context, true);
      return runExitCode({ outcome: await bringUp(context, { compose }) });
    }
    default:
      throw UnknownDemo({ given: what });
  }
}

interface Stage {
  readonly title: string;
  readonly outcome: string;
  readonly seconds: number;
}

/** health → backup → proof → an upgrade that fails and is undone → the same upgrade done right → health. */
async function showMainJob(context: Context, options: Options): Promise<number> {
  const stages: Stage[] = [];
  const { terminal } = context;
  const stage = async (title: string, wanted: string, work: () => Promise<string | null>) => {
    terminal.err(`\n${terminal.style("bold", `▶ ${title}`)}`);
    const startedAt = performance.now();
    const outcome = (await work()) ?? "waiting";
    stages.push({ title, outcome, seconds: (performance.now() - startedAt) / 1000 });
    if (outcome !== wanted) throw DemoUnexpected({ stage: title, wanted, found: outcome });
  };
  await stage("Bring up the practice stack", "succeeded", async () => {
    await takeDown(context, true);
    return bringUp(context, options);
  });
  await stage("Health", "ok", () => health(context));
  await stage("Backup", "succeeded", () => procedure(context, "backup", {}));
  await stage("Proof of the backup", "succeeded", () => procedure(context, "backup verify", { backup: "latest" }));
  await stage("A new release arrives; its upgrade fails half-way", "undone", async () => {
    await receiveRelease(context, "broken");
    return procedure(context, "upgrade", { modules: [], acceptLostCrons: false });
  });
  await stage("Health after the undo", "ok", () => health(context));
  await stage("The corrected release arrives; its upgrade", "succeeded", async () => {
    await receiveRelease(context, "good");
    return procedure(context, "upgrade", { modules: [], acceptLostCrons: false });
  });
  await stage("Health at the end", "ok", () => health(context));
  if (options.once === true) await stage("Take it down again", "succeeded", () => takeDown(context, true));
  if (options.once === true) await stopEmbedded(ipaiHome(context.environment), new LocalExecutor());
  terminal.out(`\n${summary(stages)}`);
  if (options.once !== true)
    terminal.out(
      `\nThe stack is up: ${publicUrl(context, options)}, user admin, password admin.\nTry: bin/ipai status · bin/ipai runs · bin/ipai upgrade --plan · bin/ipai demo down`,
    );
  return 0;
}

function publicUrl(context: Context, { compose }: Options): string {
  const { basePort } = settingsOf(context);
  return compose === true ? composePublicUrl({ basePort }) : `http://127.0.0.1:${basePort}`;
}

function summary(stages: readonly Stage[]): string {
  const total = stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const rows = stages.map((stage) => [stage.title, stage.outcome, duration(stage.seconds)]);
  return table([["WHAT HAPPENED", "OUTCOME", "TOOK"], ...rows, ["Together", "", duration(total)]]);
}

/** A developer brings new code, as `git pull` would. The broken release is the good one with two files gone wrong. */
async function receiveRelease(context: Context, release: "broken" | "good"): Promise<void> {
  const { folder } = settingsOf(context);
  const layers = release === "good" ? ["good"] : ["good", "broken"];
  for (const layer of layers)
    await cp(join(installation(), "sandbox", "releases", layer), join(folder, "addons"), { recursive: true });
  context.terminal.err(`  New code for ipai_demo_ledger and ipai_demo_report lies in ${join(folder, "addons")}.`);
}

async function health(context: Context): Promise<string> {
  await using app = await context.openApp();
  const report = await checkHealth(app.stack(), app.performer);
  context.terminal.err(renderHealth(context.terminal, report));
  return report.status;
}

async function procedure(context: Context, name: string, input: Json): Promise<Outcome | null> {
  await using app = await context.openApp();
  return (await startRun(context, app, name, input)).outcome;
}

/** The one that was made before, of whichever kind; a new one as asked for. */
async function bringUp(context: Context, { compose }: Options): Promise<Outcome | null> {
  const { folder } = settingsOf(context);
  const file = join(folder, "ipai.yaml");
  await mkdir(folder, { recursive: true });
  if (!existsSync(file))
    await writeFile(
      file,
      compose === true ? composeConfig(composeSettingsOf(context)) : sandboxConfig(nativeSettingsOf(context)),
    );
  await using app = await openSandbox(context, file);
  return "compose" in app.stack().config.runtime
    ? await bringUpProject(context, app)
    : await bringUpNative(context, app);
}

async function bringUpNative(context: Context, app: App): Promise<Outcome | null> {
  const { folder, basePort, odoo } = nativeSettingsOf(context);
  const [shipped, modules] = [join(installation(), "sandbox", "compose"), join(installation(), "sandbox", "addons")];
  const input = { folder, basePort, odoo: { ...odoo }, shipped, modules, cache: ipaiCache(context.environment) };
  return (await startRun(context, app, "sandbox up", input)).outcome;
}

/** What is in its volumes can only be asked when its tools are there: two plans. */
async function bringUpProject(context: Context, app: App): Promise<Outcome | null> {
  const { images, ...settings } = composeSettingsOf(context);
  const [shipped, modules] = [join(installation(), "sandbox", "compose"), join(installation(), "sandbox", "addons")];
  const input = { ...settings, images: { ...images }, shipped, modules };
  const { outcome } = await startRun(context, app, "sandbox containers", input);
  return outcome === "succeeded" ? (await startRun(context, app, "sandbox contents", {})).outcome : outcome;
}

/** Whether the practice stack that is there is a compose project. */
async function isProject(context: Context): Promise<boolean> {
  const file = join(settingsOf(context).folder, "ipai.yaml");
  if (!existsSync(file)) return false;
  await using app = await openSandbox(context, file);
  return "compose" in app.stack().config.runtime;
}

async function takeDown(context: Context, remove: boolean): Promise<Outcome | null> {
  const { folder } = settingsOf(context);
  const file = join(folder, "ipai.yaml");
  if (!existsSync(file)) return "succeeded";
  await using app = await openSandbox(context, file);
  return (await startRun(context, app, "sandbox down", { remove: remove ? folder : null })).outcome;
}

/** The practice stack's own configuration, also when the user has another one. */
async function openSandbox(context: Context, file: string) {
  const { createApp } = await import("../app.ts");
  const { readFile } = await import("node:fs/promises");
  return createApp(parseConfig(await readFile(file, "utf8"), file, context.environment), context.environment);
}

function settingsOf({ environment }: Context): { readonly folder: string; readonly basePort: number } {
  const folder = join(ipaiHome(environment), "sandbox");
  return { folder, basePort: Number(environment["IPAI_SANDBOX_PORT"] ?? 18_080) };
}

function nativeSettingsOf(context: Context): SandboxSettings {
  const settings = settingsOf(context);
  return { ...settings, odoo: findOdoo(context.environment, settings.folder) };
}

/** IPAI_IMAGE_ODOO and the like: images instead of the official ones, for machines that have them already. */
function composeSettingsOf(context: Context): ComposeSettings {
  const images = ["ODOO", "DATABASE", "POSTGRES", "REDIS", "NGINX"].flatMap((name) => {
    const image = context.environment[`IPAI_IMAGE_${name}`];
    return image === undefined ? [] : [[`${name}_IMAGE`, image] as const];
  });
  return { ...settingsOf(context), images: Object.fromEntries(images) };
}

/** The user's own Odoo, or Debian's package that `npm run setup` unpacked. */
function findOdoo(environment: NodeJS.ProcessEnv, folder: string): OdooProgram {
  const own = environment["IPAI_ODOO_HOME"];
  // Odoo's user has no home of its own and may not write beside the program's code.
  const writable = { HOME: join(folder, "odoo"), PYTHONPYCACHEPREFIX: join(folder, "pycache") };
  if (own !== undefined) {
    if (!existsSync(join(own, "odoo-bin"))) throw NoOdoo({ looked: own });
    return {
      command: ["/usr/bin/python3", join(own, "odoo-bin")],
      addons: [join(own, "odoo", "addons"), join(own, "addons")],
      environment: writable,
    };
  }
  const unpacked = join(ipaiCache(environment), "odoo-19");
  if (!existsSync(join(unpacked, "usr/bin/odoo"))) throw NoOdoo({ looked: unpacked });
  const packages = join(unpacked, "usr/lib/python3/dist-packages");
  return {
    command: ["/usr/bin/python3", join(unpacked, "usr/bin/odoo")],
    addons: [join(packages, "odoo", "addons")],
    environment: { HOME: writable.HOME, PYTHONPATH: packages },
  };
}

/** Where ipai itself is installed. */
function installation(): string {
  return join(import.meta.dirname, "..", "..", "..");
}
