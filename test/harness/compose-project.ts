import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseConfig } from "../../src/config/load.ts";
import { LocalExecutor } from "../../src/host/local.ts";
import { createPerformer } from "../../src/host/perform.ts";
import { type Finding, runChecks } from "../../src/procedures/monitoring/check.ts";
import { healthChecks } from "../../src/procedures/monitoring/health.ts";
import { composeConfig } from "../../src/procedures/sandbox/compose.ts";
import { createStack, type Stack } from "../../src/stack/stack.ts";
import { root } from "./sandbox.ts";

/** A small project of its own on the real engine, whose services do nothing, and what ipai says of it. */

export interface Project extends AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  write(file: string, text: string): Promise<void>;
  /** Compose as a person types it in that folder. */
  compose(...args: readonly string[]): Promise<string>;
  docker(...args: readonly string[]): Promise<string>;
  /** It as a stack of ipai, with some of `runtime.compose` said differently. */
  stack(different?: Readonly<Record<string, unknown>>): Stack;
}

type Program = readonly [string, ...string[]];

export async function createProject(name: string, program: Program = ["docker", "compose"]): Promise<Project> {
  const folder = await mkdtemp(join(tmpdir(), "ipai-project-"));
  const run = async (argv: readonly string[]) => {
    const [file = "", ...args] = argv;
    return (await promisify(execFile)(file, args, { cwd: folder })).stdout.trim();
  };
  const docker = (...args: readonly string[]) => run(["docker", ...args]);
  return {
    name,
    folder,
    write: (file, text) => writeFile(join(folder, file), text),
    compose: (...args) => run([...program, "--project-name", name, ...args]),
    docker,
    stack: (different = {}) => stackOf({ project: name, directory: folder, program, ...different }),
    async [Symbol.asyncDispose]() {
      const filter = ["--filter", `label=com.docker.compose.project=${name}`];
      const ids = await docker("ps", "--all", "--quiet", ...filter);
      if (ids !== "") await docker("rm", "--force", ...ids.split("\n"));
      await docker("network", "prune", "--force", ...filter);
      await rm(folder, { recursive: true });
    },
  };
}

/** The practice stack's definition with a runtime of another project. */
function stackOf(compose: Readonly<Record<string, unknown>>): Stack {
  const [, ...json] = composeConfig({ folder: "/srv/s", basePort: 10_000, images: {} }).split("\n");
  const definition = JSON.parse(json.join("\n")) as { stacks: { sandbox: { runtime: unknown } } };
  definition.stacks.sandbox.runtime = { compose };
  const { sandbox } = parseConfig(JSON.stringify(definition), "ipai.yaml", {}).stacks;
  if (sandbox === undefined) throw new TypeError("the configuration has no stack");
  return createStack(sandbox);
}

/** What `ipai health` says of the containers of a project. */
export async function drift(stack: Stack): Promise<Finding> {
  const executor = new LocalExecutor();
  const performer = createPerformer({ executors: () => executor, calls: { get: () => undefined } });
  const report = await runChecks(
    stack,
    performer,
    healthChecks(stack).filter(({ code }) => code === "IPAI-CMP-001"),
  );
  const [finding] = report.checks;
  if (finding === undefined) throw new TypeError("a project has no check of its containers");
  return finding;
}

/** Version 1 of Compose, or the reason why there is none. */
export function findComposeV1(): { readonly program: string; readonly reason: string } {
  const folder = join(process.env["IPAI_CACHE"] ?? "/var/cache/ipai", "compose-v1");
  const made = spawnSync(join(root, "test/images/compose-v1.sh"), [folder], { encoding: "utf8" });
  return { program: join(folder, "docker-compose"), reason: made.status === 0 ? "" : made.stdout.trim() };
}
