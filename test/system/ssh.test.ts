import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { at, backups, configWith, refusal, testFolder } from "../harness/backups.ts";
import { strike } from "../harness/kill.ts";
import { bring, edit, fingerprint, fingerprintAtRest, installedCode } from "../harness/release.ts";
import {
  basePort,
  checks,
  container,
  type Ended,
  environment,
  ipai,
  isCompose,
  leftovers,
  parsed,
  type RunJson,
  root,
  run,
  serves,
  sql,
  urls,
} from "../harness/sandbox.ts";
import { hasNetworks, type Sshd, startSshd } from "../harness/sshd.ts";

/**
 * The same stack on another machine: the command line sits in a network of its own, and reaches the stack through a real OpenSSH
 * server, over a cable that can be cut.
 */
const namespace = `ipai-far-${basePort}`;
let sshd: Sshd;
let desk: string;
let config: string;

beforeAll(async () => {
  if (!hasNetworks) return;
  await installedCode();
  desk = await testFolder();
  sshd = await startSshd({ namespace, inside: "client" });
  config = await configWith(join(desk, "ipai.yaml"), (stack) => {
    stack["host"] = sshd.destination;
  });
});
afterAll(async () => {
  if (!hasNetworks) return;
  await sshd[Symbol.asyncDispose]();
  await rm(desk, { recursive: true });
  expect((await ipai(["demo", "reset"])).exitCode).toBe(0);
});

/** `ipai` on the far side of the cable; a script may be run there at a point of its run. */
function far(args: readonly string[], stop?: { readonly point: string; readonly script: string }): Promise<Ended> {
  const { nodeOptions, env } = at(stop?.point ?? "", stop?.script ?? "");
  const node = [
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    ...nodeOptions,
    join(root, "src/cli/main.ts"),
  ];
  const program = stop === undefined ? [join(root, "bin/ipai")] : node;
  return run("ip", ["netns", "exec", namespace, ...program, "--config", config, ...args], {
    env: { IPAI_SSH_CONFIG: sshd.configFile, ...(stop === undefined ? {} : env) },
    timeoutMs: 300_000,
  });
}

const farJson = async (args: readonly string[], stop?: Parameters<typeof far>[1]) =>
  parsed<RunJson>(await far([...args, "--yes", "--json"], stop));

/** Cuts the cable at a point, once, and mends it while nobody watches. */
const cutAt = (point: string, seconds: number) => ({
  point,
  script: `[ ! -e ${desk}/cut ] || exit 0; touch ${desk}/cut; ip link set eth0 down; (sleep ${seconds}; ip link set eth0 up) </dev/null >/dev/null 2>&1 &`,
});

/** A script, as root of the machine, that sees the same files as the tools. */
async function amongTools(script: string): Promise<void> {
  const format = ["--format", "{{.State.Pid}}"];
  const pid = isCompose ? (await run("docker", ["inspect", ...format, container("tools")])).stdout.trim() : "self";
  const ended = await run("nsenter", [`--mount=/proc/${pid}/ns/mnt`, "sh", "-c", script]);
  expect([ended.exitCode, ended.stderr]).toEqual([0, ""]);
}

const version = () => sql("select latest_version from ir_module_module where name = 'ipai_demo_report'");
const everythingServes = async () => (await Promise.all([urls.public, ...urls.odoo].map(serves))).every(Boolean);

/** A run may wait for its host at several steps; what it says while it waits is not part of its answer. */
async function expectWaited(id: string): Promise<void> {
  expect((await ipai(["runs", "logs", id])).stdout).toMatch(/connection to .* was lost|There is no connection/);
}

describe.skipIf(!hasNetworks)("a stack on another machine (needs network namespaces)", () => {
  it("is looked at, within 3 seconds", async () => {
    const ended = await far(["health", "--json"]);
    const report = parsed<{ status: string; checks: { status: string }[] }>(ended);
    expect([report.status, report.checks.map(({ status }) => status)]).toEqual(["ok", Array(checks).fill("ok")]);
    // Twice the goal, since the machine may have other work.
    expect(ended.seconds).toBeLessThan(6);
    expect((await far(["status"])).stdout).toContain(sshd.destination);
  });

  it("is backed up, and the backup is proven", async () => {
    const made = await farJson(["backup"]);
    expect(made.outcome).toBe("succeeded");
    expect((await farJson(["backup", "verify"])).outcome).toBe("succeeded");
    expect((await backups())[0]).toMatchObject({ id: made.run, proof: { mismatches: 0 } });
    expect(await leftovers()).toEqual([]);
  });

  it("is upgraded, and a failing upgrade is taken back", async () => {
    await bring("broken");
    const before = await fingerprintAtRest();
    expect(await farJson(["upgrade"])).toMatchObject({
      outcome: "failed-and-undone",
      error: { code: "odoo.update_failed" },
    });
    expect(await fingerprint()).toBe(before);
    await bring("good");
    expect((await farJson(["upgrade"])).outcome).toBe("succeeded");
    expect(await version()).toMatch(/1\.1\.0$/);
    expect(await everythingServes()).toBe(true);
    expect(await leftovers()).toEqual([]);
  });

  it("is not touched by a program that is killed, until somebody resumes the run", async () => {
    const program = {
      program: "src/cli/main.ts",
      args: ["--config", config, "backup", "--yes"],
      env: { ...environment, IPAI_SSH_CONFIG: sshd.configFile },
    };
    await strike(program, "do:folder/files held/take/dump:spawned", { afterMs: 300 });
    const [struck] = parsed<RunJson[]>(await ipai(["runs", "--json"]));
    const resumed = parsed<RunJson>(await far(["runs", "resume", struck?.run ?? "", "--json"]));
    expect([resumed.run, resumed.outcome]).toEqual([struck?.run, "succeeded"]);
    expect(await leftovers()).toEqual([]);
  });

  it("has no room left: the error says so", async () => {
    const work = isCompose ? "/var/lib/odoo/small" : join(desk, "work");
    await amongTools(`mkdir ${work} && mount -t tmpfs -o size=10m none ${work}`);
    const small = await configWith(join(desk, "small.yaml"), (stack) => {
      [stack["host"], stack["workDirectory"]] = [sshd.destination, work];
    });
    const ended = await ipai(["--config", small, "backup", "--yes", "--json"], {
      env: { IPAI_SSH_CONFIG: sshd.configFile },
    });
    await amongTools(`umount ${work} && rmdir ${work}`);
    expect(refusal(ended).code).toBe("backup.no_space");
  });

  it("that nobody vouches for is not worked on", async () => {
    await writeFile(
      join(desk, "ssh_config"),
      "Host *\n  UserKnownHostsFile /dev/null\n  GlobalKnownHostsFile /dev/null\n",
    );
    const ended = await ipai(["--config", config, "backup", "--yes", "--json"], {
      env: { IPAI_SSH_CONFIG: join(desk, "ssh_config") },
    });
    expect([refusal(ended).code, ended.exitCode]).toEqual(["host.key_unknown", 43]);
  });
});

describe.skipIf(!hasNetworks)("a cable that is cut (needs network namespaces)", () => {
  beforeEach(() => rm(join(desk, "cut"), { force: true }));

  it("during a dump: it is made again, and the backup is whole", async () => {
    const made = await farJson(["backup"], cutAt("do:folder/files held/take/dump:spawned", 25));
    expect(made.outcome).toBe("succeeded");
    await expectWaited(made.run);
    expect((await farJson(["backup", "verify", made.run])).outcome).toBe("succeeded");
    expect(await leftovers()).toEqual([]);
  });

  it("during odoo -u: nobody knows how far it came, so it is taken back", async () => {
    await edit("ipai_demo_ledger/models/entry.py", "note = fields.Text()", "note = fields.Text(help='changed')");
    const before = await fingerprintAtRest();
    const ended = await farJson(["upgrade"], cutAt("do:closed/stopped/update:spawned", 25));
    expect(ended).toMatchObject({ outcome: "failed-and-undone", error: { code: "run.interrupted" } });
    await expectWaited(ended.run);
    expect(await fingerprint()).toBe(before);
    expect(await everythingServes()).toBe(true);
    expect(await leftovers()).toEqual([]);
  });

  it("during the swap of an undo: it is finished when the host is there again", async () => {
    await bring("broken");
    const before = await fingerprintAtRest();
    const ended = await farJson(["upgrade"], cutAt("undo:closed/stopped/update~swap database:spawned", 25));
    expect(ended).toMatchObject({ outcome: "failed-and-undone", error: { code: "odoo.update_failed" } });
    await expectWaited(ended.run);
    expect(await fingerprint()).toBe(before);
    expect(await everythingServes()).toBe(true);
    expect(await leftovers()).toEqual([]);
  });
});
