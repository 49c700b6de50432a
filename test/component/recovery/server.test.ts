import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lacking } from "../../harness/archive.ts";
import { strike } from "../../harness/kill.ts";
import { createMachine, ipaiOn, type Machine } from "../../harness/machine.ts";
import { parsed, type RunJson, run, until } from "../../harness/sandbox.ts";

/** A stack of real PostgreSQL, Redis, nginx and restic; all but repository, key and ipai.yaml is lost. */
describe.skipIf(lacking.length > 0)("a server", () => {
  let machine: Machine;
  let before: string;

  beforeAll(async () => {
    machine = await createMachine(29_600);
    machine.startAll();
    await until("all of it serves", machine.serves);
    before = machine.everything();
    for (const args of [
      ["backup", "--yes", "--json"],
      ["control", "backup"],
      ["backup", "--yes", "--json"],
    ])
      expect([args[0], (await ipaiOn(machine, args)).exitCode]).toEqual([args[0], 0]);
  }, 120_000);
  afterAll(() => machine[Symbol.asyncDispose]());

  const recover = (...args: readonly string[]) => ipaiOn(machine, ["recover", "server", ...args]);
  const refused = async () => parsed<{ error: { code: string } }>(await recover("--yes", "--json")).error.code;

  it("that serves, or whose database is there, is not touched", async () => {
    expect(await refused()).toBe("recovery.still_serves");
  });

  it("without its key, with a wrong one, or without its repository is not begun", async () => {
    await machine.lose();
    const [key, repository] = [join(machine.kept, "key"), join(machine.kept, "repository")];
    await rename(key, `${key}.away`);
    expect(await refused()).toBe("recovery.key_missing");
    await writeFile(key, "wrong\n", { mode: 0o600 });
    expect(await refused()).toBe("backup.repository_unreadable");
    await rename(`${key}.away`, key);
    await rename(repository, `${repository}.away`);
    expect(await refused()).toBe("backup.repository_unreadable");
    await rename(`${repository}.away`, repository);
    expect(existsSync(machine.folder)).toBe(false);
  });

  /** What a stop-watch says of each phase, whatever it took. */
  const told =
    /Back after .+: control database .+, new machine .+, reading the set .+, configuration and code .+, database .+, attachments .+, services .+, public address .+\./;

  it("of which nothing else is left serves again, as it was; the user's own programs make the machine and name it; the journal is there", async () => {
    const note = (name: string) => [
      "sh",
      "-c",
      'echo "$0 $IPAI_STACK $IPAI_HOST $1" >> "$2"',
      name,
      "two words",
      join(machine.kept, "called"),
    ];
    await machine.configure((stack) => {
      stack.recovery = { provision: note("machine"), dns: note("name") };
    });
    const back = await recover("--yes");
    expect([back.exitCode, back.stderr]).toEqual([0, expect.stringContaining("The control database is back")]);
    expect(back.stdout).toMatch(told);
    expect(readFileSync(join(machine.kept, "called"), "utf8")).toBe(
      "machine sandbox local two words\nname sandbox local two words\n",
    );
    await machine.configure(() => undefined);
    expect(await machine.serves()).toBe(true);
    expect(machine.everything()).toBe(before);
    const runs = parsed<{ procedure: string; outcome: string }[]>(await ipaiOn(machine, ["runs", "--json"]));
    expect(runs.map(({ procedure, outcome }) => [procedure, outcome])).toEqual([
      ["recover server", "succeeded"],
      // The first one; the control database was backed up after it.
      ["backup", "succeeded"],
    ]);
  });

  it("comes back by the exported script too, run by plain bash", async () => {
    await machine.lose();
    const script = join(machine.kept, "script");
    await writeFile(script, (await recover("--script")).stdout);
    const ended = await run("bash", [script], { env: machine.environment });
    expect([ended.exitCode, ended.exitCode === 0 ? "" : ended.stderr]).toEqual([0, ""]);
    expect(await machine.serves()).toBe(true);
    expect(machine.everything()).toBe(before);
  }, 120_000);

  it("is killed at any phase and resumed, and what is in the way is kept", async () => {
    await machine.lose();
    await mkdir(join(machine.folder, "data"), { recursive: true });
    await writeFile(join(machine.folder, "data/left"), "somebody's");
    const points = [
      ["do:folder/fetch:spawned", 50],
      ["do:folder/put postgresql:performed", 0],
      ["do:folder/cluster:spawned", 300],
      ["do:folder/restore:spawned", 100],
      ["do:folder/filestore:performed", 0],
    ] as const;
    const program = { program: "src/cli/main.ts", env: machine.environment as Record<string, string> };
    const begin = { ...program, args: ["-c", machine.config, "recover", "server", "--yes"] };
    let id = "";
    for (const [index, [point, afterMs]] of points.entries()) {
      const args = index === 0 ? begin.args : ["-c", machine.config, "runs", "resume", id];
      await strike({ ...program, args }, point, { afterMs });
      id = parsed<{ run: string }[]>(await ipaiOn(machine, ["runs", "--json"]))[0]?.run ?? "";
    }
    const ended = parsed<RunJson>(await ipaiOn(machine, ["runs", "resume", id, "--json"]));
    expect([ended.outcome, ended.error]).toEqual(["succeeded", undefined]);
    expect(await machine.serves()).toBe(true);
    expect(machine.everything()).toBe(before);
    expect(readFileSync(join(machine.folder, `data.before_${id}`, "left"), "utf8")).toBe("somebody's");
  }, 240_000);
});
