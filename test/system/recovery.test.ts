import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configWith, refusal } from "../harness/backups.ts";
import { fingerprintAtRest } from "../harness/release.ts";
import {
  compose,
  container,
  environment,
  folder,
  home,
  inTools,
  ipai,
  isCompose,
  leftovers,
  parsed,
  places,
  project,
  type RunJson,
  run,
  serves,
  services,
  sql,
  there,
  urls,
} from "../harness/sandbox.ts";

/**
 * The day on which everything is lost but the repository and `ipai.yaml`: data, database server, configuration, code and the control
 * database are removed, of a project its containers and volumes; one command, and the suite serves again with the same data.
 */
const desk = `${home}-kept`;
const [config, key] = [join(desk, "ipai.yaml"), join(desk, "key")];
const root = { env: { ...environment } };
const called = join(desk, "called");

/** Tables that an Odoo which serves writes into by itself: jobs, presence, devices, messages between its processes. */
const ownPace = "^(ir_cron|bus_|mail_presence|res_device|res_users_log|ir_logging|ir_profile)";

describe("a server", () => {
  let set: string;
  let before: string;

  beforeAll(async () => {
    await mkdir(desk, { recursive: true, mode: 0o755 });
    if (isCompose) await keepRepositoryElsewhere();
    else await keepMachineElsewhere();
    await sql("alter system set work_mem = '7MB'; select pg_reload_conf();", "postgres");
    await sql("alter role odoo set statement_timeout = '77min'", "postgres");
    if (!isCompose) expect((await ipai(["-c", config, "wal", "setup", "--yes"])).exitCode).toBe(0);
    await fingerprintAtRest();
    before = await everything();
    expect((await ipai(["-c", config, "control", "backup"])).exitCode).toBe(0);
    const made = parsed<RunJson>(await ipai(["-c", config, "backup", "--yes", "--json"]));
    expect(made.outcome).toBe("succeeded");
    expect(made.steps.find(({ id }) => id === "parts")?.outcome).toBe("succeeded");
    set = made.run;
  });

  /** As the shipped project's own page says: the repository is on another disk, mounted into the tools. */
  async function keepRepositoryElsewhere(): Promise<void> {
    const repository = join(desk, "repository");
    await mkdir(repository);
    const override = { services: { tools: { volumes: [`${repository}:/var/lib/ipai/repository`] } } };
    await writeFile(join(folder, "compose.override.yaml"), JSON.stringify(override));
    await writeFile(key, await readFile(join(folder, "secrets/backup_password")), { mode: 0o600 });
    await configWith(config, (stack) => {
      // Secrets and what images are built of are taken without being named.
      stack.backup["files"] = [join(folder, "ipai.yaml")];
      stack["recovery"] = { repositories: { primary: { repository, passwordFile: key } } };
    });
    expect((await compose("up", "--detach", "--wait", "tools")).exitCode).toBe(0);
  }

  async function keepMachineElsewhere(): Promise<void> {
    await writeFile(key, "kept elsewhere\n", { mode: 0o600 });
    await configWith(config, (stack) => {
      stack.backup["repository"] = join(desk, "repository");
      stack.backup["passwordFile"] = key;
      stack.backup["wal"] = { repository: join(desk, "archive"), passwordFile: key, patience: 20 };
      // What the practice stack has besides a stack: the tests after this one find it again.
      stack.backup["files"] = ["made", "ipai.yaml", "maintenance.conf", "repository-password", "work/code"].map(
        (name) => join(folder, name),
      );
    });
  }

  afterAll(async () => {
    // The containers go with the practice stack.
    if (isCompose) return rm(desk, { recursive: true, force: true });
    await ipai(["-c", config, "wal", "remove", "--yes"]);
    await rm(desk, { recursive: true, force: true });
    await sql("alter system reset work_mem; select pg_reload_conf();", "postgres");
    await sql("alter role odoo reset statement_timeout", "postgres");
  });

  /**
   * Every row of every table, what the server knows of roles and settings, and the filestore: as another tool than ipai sees them. What Odoo
   * notes for its clean-up of files comes and goes.
   */
  async function everything(): Promise<string> {
    const [rows, roles, files] = await Promise.all([
      sql(
        `select string_agg(format('%s %s', relname, (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %s', oid::regclass), false, true, '')))[1]), ',' order by relname)
           from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace and relname !~ '${ownPace}'`,
      ),
      sql(
        "select string_agg(rolname || rolcanlogin || coalesce(rolconfig::text, ''), ',' order by rolname) from pg_roles; show work_mem",
        "postgres",
      ),
      run(inTools[0] ?? "sh", [
        ...[...inTools, "sh"].slice(1),
        ...[
          "-c",
          'cd "$1" && find . -path ./checklist -prune -o -type f -exec sha1sum {} + | sort',
          "files",
          `${places.filestore}/odoo`,
        ],
      ]),
    ]);
    return [rows, roles, files.stdout].join("\n");
  }

  /** Stops what runs and removes all of it: the practice stack's folder has data, server, configuration, code and logs. */
  async function loseEverything(): Promise<void> {
    await ipai(["-c", config, "control", "stop"]);
    if (isCompose) {
      expect((await compose("down", "--volumes", "--remove-orphans", "--timeout", "10")).exitCode).toBe(0);
      await run("sh", ["-c", loseScript, "lose", home]);
      return;
    }
    for (const service of [...services, "nginx", "redis"])
      await run("sh", [
        "-c",
        // Its workers too: one of nginx that lives on keeps the port.
        'kill -9 $(pgrep -P "$(cat "$1")") "$(cat "$1")" 2>/dev/null; while kill -0 "$(cat "$1")" 2>/dev/null; do sleep 0.1; done',
        "kill",
        join(folder, `run/${service}.pid`),
      ]);
    await run("pg_ctlcluster", ["15", "sandbox", "stop", "-m", "immediate"], {
      env: { ...environment, PG_CLUSTER_CONF_ROOT: join(folder, "postgresql") },
    });
    await run("sh", ["-c", loseScript, "lose", home]);
  }
  const loseScript = 'rm -rf "$1"/* "$1"/.[!.]*';

  const recover = (...args: readonly string[]) => ipai(["-c", config, "recover", "server", ...args], root);

  it("is thought of as lost, and so is its database: both come back beside it, measured, with evidence", async () => {
    const drilled = await ipai(["-c", config, "drill", "--yes"]);
    expect([drilled.exitCode, drilled.stderr.slice(-2000)]).toEqual([0, expect.stringContaining("succeeded")]);
    type Shown = {
      what: string;
      run: string;
      evidence: { seconds: number; lossSeconds: number; set: string | null; counts: Record<string, number> };
    };
    const [database, server] = parsed<Shown[]>(await ipai(["-c", config, "drill", "list", "--json"]));
    expect([server, database]).toMatchObject([
      { what: "server", evidence: { set } },
      { what: "database", evidence: { set: isCompose ? set : null } },
    ]);
    const modules = Number(
      await sql("select count(*) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"),
    );
    for (const one of [server, database]) {
      expect(one?.evidence.counts["tables"]).toBeGreaterThanOrEqual(modules);
      expect(one?.evidence.lossSeconds).toBeLessThan(600);
    }
    const evidence = await ipai(["-c", config, "drill", "show", server?.run ?? ""]);
    expect(evidence.stdout).toMatch(/back after \(RTO\) \| 4 h.*\| met \|/);
    expect(evidence.stdout).toContain("| configuration and code |");
    expect(await leftovers()).toEqual([]);
    expect(await everything()).toBe(before);
  });

  it("that serves is not touched", async () => {
    expect(refusal(await recover("--yes", "--json"))).toMatchObject({
      code: "recovery.still_serves",
      message: expect.stringContaining("serves its login page"),
    });
  });

  it.skipIf(!isCompose)(
    "whose database does not start gets another one in the same volume, and keeps the damaged one",
    async () => {
      const data = "/var/lib/postgresql/data/cluster";
      await there("sh", "-c", 'echo "# ours" >> "$1/pg_hba.conf"', "mark", data);
      await run("docker", ["kill", container("database")]);
      await there("sh", "-c", 'echo damaged > "$1/global/pg_control"', "damage", data);
      const back = await ipai(["-c", config, "recover", "database", "--yes"]);
      expect([back.exitCode, back.stderr.slice(-2000)]).toEqual([0, expect.stringContaining("succeeded")]);
      process.stdout.write(back.stdout);
      expect(back.stdout).toMatch(
        /Back after .*: evidence .*, users out .*, reading the set .*, exchange .*, services /,
      );
      for (const url of [urls.public, ...urls.odoo]) expect([url, await serves(url)]).toEqual([url, true]);
      expect(await everything()).toBe(before);
      expect(await there("tail", "-n", "1", `${data}/pg_hba.conf`)).toBe("# ours\n");
      const [kept] = parsed<{ id: string }[]>(await ipai(["-c", config, "resources", "--json"]));
      expect(await there("cat", `${data}_${kept?.id}/global/pg_control`)).toBe("damaged\n");
      const evidence = await there("sh", "-c", `cat ${places.work}/runs/*/evidence/server.log`);
      expect(evidence).toContain("database system");
      expect((await ipai(["-c", config, "resources", "close", kept?.id ?? "", "--yes"])).exitCode).toBe(0);
      expect(await leftovers()).toEqual([]);
    },
  );

  it("of which nothing is left but repository and ipai.yaml serves again with the same data, and says how long it took", async () => {
    await loseEverything();
    expect(existsSync(folder)).toBe(false);

    await rename(key, `${key}.away`);
    expect(refusal(await recover("--yes", "--json"))).toMatchObject({ code: "recovery.key_missing" });
    await writeFile(key, "wrong\n", { mode: 0o600 });
    expect(refusal(await recover("--yes", "--json"))).toMatchObject({ code: "backup.repository_unreadable" });
    await rename(`${key}.away`, key);
    await rename(join(desk, "repository"), join(desk, "away"));
    expect(refusal(await recover("--yes", "--json"))).toMatchObject({ code: "backup.repository_unreadable" });
    await rename(join(desk, "away"), join(desk, "repository"));
    if (isCompose) await refusesVolumes();
    expect(existsSync(folder)).toBe(false);

    await nameOwnPrograms();
    const back = await recover("--yes");
    expect([back.exitCode, back.stderr]).toEqual([0, expect.stringContaining("succeeded")]);
    expect(back.stderr).toContain("The control database is back as it was at");
    expect(back.stdout).toMatch(isCompose ? toldOfProject : told);
    process.stdout.write(back.stdout);
    expect(await readFile(called, "utf8")).toBe("machine sandbox\nname sandbox\n");
    for (const url of [urls.public, ...urls.odoo]) expect([url, await serves(url)]).toEqual([url, true]);
    expect(await everything()).toBe(before);
    expect(await readFile(join(folder, "odoo.conf"), "utf8")).toContain("db_name = odoo");
    // The journal of before is there, and goes on.
    const runs = parsed<RunJson[]>(await ipai(["-c", config, "runs", "--json"]));
    expect(runs[0]).toMatchObject({ procedure: "recover server", outcome: "succeeded" });
    expect(runs.some(({ run: id }) => id < set)).toBe(true);
    if (isCompose) await expectProject();
    else await expectMachine();
  });

  async function nameOwnPrograms(): Promise<void> {
    const note = (name: string) => ["sh", "-c", 'echo "$0 $IPAI_STACK" >> "$1"', name, called];
    const [comment, ...json] = (await readFile(config, "utf8")).split("\n");
    const text = JSON.parse(json.join("\n")) as { stacks: { sandbox: { recovery?: object } } };
    const { sandbox } = text.stacks;
    sandbox.recovery = { ...sandbox.recovery, provision: note("machine"), dns: note("name") };
    await writeFile(config, `${comment}\n${JSON.stringify(text, null, 2)}\n`);
  }

  const told =
    /Back after .*: control database .*, new machine .*, reading the set .*, configuration and code .*, database .*, attachments .*, services .*, public address/;
  const toldOfProject =
    /Back after .*: control database .*, new machine .*, configuration and code .*, containers .*, reading the set .*, database .*, attachments .*, services .*, public address/;

  /** A volume of that name would be taken for the new one. */
  async function refusesVolumes(): Promise<void> {
    const volume = `${project}_database`;
    await run("docker", ["volume", "create", "--label", `com.docker.compose.project=${project}`, volume]);
    // Only looked at: the control database would come back first.
    const { code, message } = refusal(await recover("--plan", "--json"));
    expect([code, message]).toEqual(["recovery.project_remains", expect.stringContaining(volume)]);
    await run("docker", ["volume", "rm", volume]);
  }

  /** The next backup and the next proof find everything as they knew it. */
  async function expectProject(): Promise<void> {
    const mode = await run("stat", ["--format=%a %n", "secrets", "secrets/backup_password"], { directory: folder });
    expect(mode.stdout).toBe("700 secrets\n444 secrets/backup_password\n");
    expect((await compose("config", "--quiet")).exitCode).toBe(0);
    const drift = await ipai(["-c", config, "health", "--json"]);
    expect([drift.exitCode, drift.stdout]).toEqual([0, expect.stringContaining("IPAI-CMP-001")]);
    const next = parsed<RunJson>(await ipai(["-c", config, "backup", "--yes", "--json"]));
    expect([next.outcome, next.error]).toEqual(["succeeded", undefined]);
  }

  async function expectMachine(): Promise<void> {
    // Archived again, beside what the archive has of the old server.
    const archive = parsed<{ backups: unknown[] }>(await ipai(["-c", config, "wal", "list", "--json"]));
    expect(archive.backups).toHaveLength(2);
    expect((await run("stat", ["--format=%U %a", join(folder, "data")])).stdout.trim()).toBe("postgres 700");
  }
});
