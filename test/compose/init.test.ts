import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { refusal } from "../harness/backups.ts";
import { container, home, ipai, parsed, type RunJson, root, until } from "../harness/sandbox.ts";
import { freePort, type Sshd, startSshd } from "../harness/sshd.ts";

/** `ipai init` on projects of a real engine: the practice stack's, and one that nobody made for this program. */

interface InitJson {
  readonly file: string | null;
  readonly tools: string | null;
  readonly stack: string;
  readonly findings: readonly { readonly code: string; readonly title: string; readonly hint: string }[];
}

const project = container("x").replace(/-x-1$/, "");
/** Its own, so that nobody's project is met, whatever engine this is. */
const odoo = `foreign-${process.pid}`;
let desk: string;
let foreign: string;
let ports: Readonly<Record<"ODOO_PORT" | "DB_PORT", string>>;

beforeAll(async () => {
  desk = await mkdtemp(join(tmpdir(), "ipai-init-"));
  foreign = join(desk, "project");
  ports = { ODOO_PORT: String(await freePort("0.0.0.0")), DB_PORT: String(await freePort("0.0.0.0")) };
  await cp(join(root, "test/compose/foreign"), foreign, { recursive: true });
  await cp(join(root, "sandbox/addons"), join(foreign, "addons"), { recursive: true });
  await writeFile(
    join(foreign, ".env"),
    `ODOO_PORT=${ports.ODOO_PORT}\nDB_PORT=${ports.DB_PORT}\nPREFIX=${odoo}\nIPAI_TOOLS_BASE=ipai-test/postgres\n`,
  );
});
afterAll(async () => {
  compose("down", "--volumes", "--remove-orphans", "--timeout", "1");
  await rm(desk, { recursive: true });
});

function compose(...args: readonly string[]): void {
  const files = ["docker-compose.enterprise-parity.yml", "compose.ipai.yaml"];
  const there = files.filter((name) => execFileSync("ls", [foreign], { encoding: "utf8" }).includes(name));
  const argv = ["compose", "-p", odoo, ...there.flatMap((name) => ["-f", name]), ...args];
  execFileSync("docker", argv, { cwd: foreign, stdio: "pipe" });
}

/** What the practice stack has installed, with its files. */
async function fillForeign(): Promise<void> {
  const pipe = (script: string) => execFileSync("bash", ["-o", "pipefail", "-c", script], { stdio: "pipe" });
  compose("up", "--detach", "db");
  await until("its database answers", async () => {
    // The image's first server, for its first scripts alone, answers at the socket only, and is stopped again.
    const asked = `docker exec ${odoo}-db-1 pg_isready --host=127.0.0.1`;
    return Boolean(
      await Promise.resolve(asked)
        .then(pipe)
        .catch(() => false),
    );
  });
  pipe(
    `docker exec ${container("tools")} runuser -u postgres -- pg_dump --no-owner odoo | docker exec -i --user postgres ${odoo}-db-1 psql -q -U odoo odoo`,
  );
  compose("up", "--detach");
  pipe(
    `docker exec ${container("tools")} tar -C /var/lib/odoo -c filestore | docker exec -i --user root ${odoo}-accounting tar -C /var/lib/odoo -x`,
  );
}

async function init(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<InitJson> {
  return parsed<InitJson>(await ipai(["init", "--json", ...args], { directory: desk, env }));
}

const config = async (file: string) =>
  parsed<{ stacks: Record<string, Record<string, unknown>> }>(
    await ipai(["--config", join(desk, file), "config", "show", "--json"]),
  );

describe("the practice stack's project", () => {
  it("is found, and is described as the one who made it describes it", async () => {
    const found = await init(["--project", project, "--output", "own.yaml"]);
    expect([found.stack, found.tools]).toEqual([project, null]);
    // The images of the tests have no versions, and the practice stack's password is the one that everybody knows.
    expect(found.findings.map(({ code }) => code)).toEqual(["IPAI-SETUP-005", "IPAI-SETUP-007"]);
    const [own, made] = await Promise.all([
      config("own.yaml"),
      ipai(["--config", join(home, "sandbox/ipai.yaml"), "config", "show", "--json"]),
    ]);
    const described = parsed<typeof own>(made).stacks["sandbox"];
    const urls = own.stacks[project]?.["urls"] as { public: string };
    // The stack is called after its project, and its folder for working files after the stack.
    const named = { name: "sandbox", workDirectory: "/var/lib/odoo/ipai-sandbox", urls: described?.["urls"] };
    // What else a bare machine needs, beside what compose tells, its maker knows alone.
    const files = (described?.["backup"] as { files: readonly string[] } | undefined)?.files;
    const backup = { ...(own.stacks[project]?.["backup"] as object), files };
    const known = { ...(own.stacks[project] as object), ...named, backup } as typeof described;
    expect(known).toEqual(withoutDoors(described));
    expect(urls.public).toMatch(/^https:\/\/(127\.0\.0\.1|localhost):\d+$/);
  });

  /** What the proxy is told by, and websockets, are not looked for. */
  function withoutDoors(stack: Record<string, unknown> | undefined) {
    const { services, ...rest } = stack ?? {};
    const { odoo, proxy, ...others } = services as {
      odoo: readonly { websocket?: string }[];
      proxy: Record<string, unknown>;
    };
    const { upstreams: _upstreams, maintenance: _maintenance, ...bare } = proxy;
    return { ...rest, services: { ...others, odoo: odoo.map(({ websocket: _, ...one }) => one), proxy: bare } };
  }

  it("is found through SSH with nothing typed but the address, and is well there", async () => {
    const sshd: Sshd = await startSshd();
    const env = { IPAI_SSH_CONFIG: sshd.configFile };
    const { stack } = await init([sshd.destination, "--project", project, "--output", "far.yaml"], env);
    const { stacks } = await config("far.yaml");
    expect(stacks[stack]?.["host"]).toBe(sshd.destination);
    const health = await ipai(["--config", join(desk, "far.yaml"), "health", "--json"], { env });
    expect(parsed<{ status: string }>(health).status).toBe("ok");
    await sshd[Symbol.asyncDispose]();
  });

  it("is only judged, when that is all that is asked", async () => {
    const before = await readdir(desk);
    expect((await init(["--project", project, "--check"])).file).toBe(null);
    expect(await readdir(desk)).toEqual(before);
  });

  it("does not lose a configuration that is there already", async () => {
    await writeFile(join(desk, "kept.yaml"), "mine");
    const refused = await ipai(["init", "--json", "--project", project, "--output", "kept.yaml"], { directory: desk });
    expect([refusal(refused).code, refused.exitCode]).toEqual(["init.file_exists", 14]);
    expect(await readFile(join(desk, "kept.yaml"), "utf8")).toBe("mine");
    await init(["--project", project, "--output", "kept.yaml", "--force"]);
    expect(Object.keys((await config("kept.yaml")).stacks)).toEqual([project]);
  });

  it.each([
    ["a project that is not there", ["--project", "nope"], "init.project_unclear"],
    ["a database that has no Odoo", ["--project", project, "--database", "postgres"], "init.database_unclear"],
    ["no address", ["odoo.example.com"], "init.bad_address"],
  ])("says so of %s, and writes nothing", async (_, args, code) => {
    const refused = await ipai(["init", "--json", ...args, "--output", "none.yaml"], { directory: desk });
    expect(refusal(refused).code).toBe(code);
    expect(await readdir(desk)).not.toContain("none.yaml");
  });
});

describe("a project that nobody made for this program", () => {
  let found: InitJson;

  beforeAll(async () => {
    await fillForeign();
    found = await init(["--project", odoo, "--output", "project/ipai.yaml"]);
  });

  it("is told everything that is wrong with it", () => {
    const said = Object.fromEntries(found.findings.map(({ code, title }) => [code, title]));
    const expected = {
      "IPAI-SETUP-001": expect.stringContaining(`0.0.0.0:${ports.DB_PORT}`),
      "IPAI-SETUP-002": expect.stringContaining(`0.0.0.0:${ports.ODOO_PORT}`),
      "IPAI-SETUP-003": expect.stringContaining("master password"),
      "IPAI-SETUP-004": expect.stringContaining("list_db"),
      "IPAI-SETUP-005": expect.stringContaining("admin"),
      "IPAI-SETUP-006": expect.stringContaining("odoo-marketing"),
      "IPAI-SETUP-007": expect.stringContaining("db (ipai-test/postgres)"),
      "IPAI-SETUP-008": expect.stringContaining("redis"),
      "IPAI-SETUP-010": expect.stringContaining("worker (workers?)"),
      "IPAI-SETUP-011": expect.stringContaining("/tmp/odoo.log"),
      "IPAI-SETUP-012": expect.stringContaining("odoo-core"),
      "IPAI-SETUP-014": expect.stringContaining("/var/lib/odoo"),
      "IPAI-SETUP-015": expect.stringContaining("superuser"),
      "IPAI-SETUP-016": expect.stringContaining("db"),
      "IPAI-SETUP-017": expect.stringContaining("10 s"),
      "IPAI-SETUP-020": expect.stringContaining("no containers to work in"),
    };
    expect(said).toMatchObject(expected);
    // Whether something keeps the clock right is told of the machine of the tests, not of the project.
    const ofProject = Object.keys(said).filter((code) => code !== "IPAI-SETUP-009");
    expect(ofProject.toSorted()).toEqual(Object.keys(expected));
  });

  it("has its containers found by whatever name they have", async () => {
    const { stacks } = await config("project/ipai.yaml");
    expect(stacks[odoo]?.["runtime"]).toMatchObject({
      compose: { directory: foreign, containers: { "odoo-core": `${odoo}-core`, redis: `${odoo}-redis` } },
    });
  });

  it("is backed up and proven when it has the containers that were written for it", async () => {
    await mkdir(join(foreign, "secrets"));
    await writeFile(join(foreign, "secrets/backup_password"), "correct horse\n");
    compose("up", "--detach", "--build", "db", "tools", "odoo-tools");
    compose("restart", "odoo-accounting", "odoo-core", "odoo-marketing");
    const run = async (...args: readonly string[]) => ipai(["--config", join(foreign, "ipai.yaml"), ...args, "--json"]);
    await until("everything is well", async () => {
      const { checks } = parsed<{ checks: { status: string }[] }>(await run("health"));
      return checks.every(({ status }) => status === "ok");
    });
    expect(parsed<RunJson>(await run("backup", "--yes")).outcome).toBe("succeeded");
    expect(parsed<RunJson>(await run("backup", "verify", "--yes")).outcome).toBe("succeeded");
    // What `git pull` brings: it is updated beside the stopped services, in a container that init wrote.
    await cp(join(root, "sandbox/releases/good"), join(foreign, "addons"), { recursive: true });
    expect(parsed<RunJson>(await run("upgrade", "--yes")).outcome).toBe("succeeded");
  });
});
