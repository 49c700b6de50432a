import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startControl, type TestControl } from "../../harness/control.ts";
import { NodeProcess } from "../../harness/process.ts";
import { type Ended, ipai, parsed, type RunJson, root, run, until } from "../../harness/sandbox.ts";

/**
 * A procedure of the user's own, by the command line, on a real PostgreSQL: that of the control database, which has a database for the
 * tests. It notes an entry in a table and in a file; a last step fails, when it shall, and all is taken back.
 */
let test: TestControl;
let folder: string;

beforeAll(async () => {
  test = await startControl();
  await sql("create database books", "postgres");
  await sql("create table entries (name text primary key)");
});
afterAll(() => test[Symbol.asyncDispose]());
beforeEach(async () => {
  folder = await mkdtemp(join(test.home, "custom-"));
  await chmod(folder, 0o755);
  await mkdir(join(folder, "procedures"));
  await define("book.yaml", book());
  await writeFile(join(folder, "ipai.yaml"), configuration());
});

/** `works`: the file whose presence lets the last step succeed. */
function book(rest = ""): string {
  return `name: book entry
title: Book \${input.entry}
summary: Notes an entry in a table and in a file.
chapter: bookkeeping
input:
  entry: { pattern: "[a-z]+" }
  copies: { type: number, default: 1 }
facts:
  entries: { sql: select count(*) from entries, as: number }
steps:
  - id: row
    title: Note \${input.entry} in the table
    sql: insert into entries values (:'entry');
    values: { entry: "\${input.entry}" }
    done: { sql: select count(*) from entries where name = :'entry', values: { entry: "\${input.entry}" }, is: 1 }
    undo:
      - id: no-row
        title: Take \${input.entry} out of the table
        sql: delete from entries where name = :'entry';
        values: { entry: "\${input.entry}" }
        verify:
          - title: the table does not have it
            sql: select count(*) from entries where name = :'entry'
            values: { entry: "\${input.entry}" }
            is: 0
  - id: count
    title: Count the entries
    sql: select count(*) from entries
    effect: read
    outputs: { entries: number }
  - id: file
    title: Note it in a file
    write: { path: "${folder}/\${input.entry}", content: "\${steps.count.entries} of \${run.id}\\n" }
    verify: [{ title: the file has it, command: [cat, "${folder}/\${input.entry}"], contains: "\${run.id}" }]
    undo:
      - id: no-file
        title: Remove the file
        command: [rm, -f, "${folder}/\${input.entry}"]
        verify: [{ title: the file is gone, command: [test, "!", -e, "${folder}/\${input.entry}"] }]
  - id: works
    title: It works
    require: { command: [test, -e, "${folder}/works"] }
${rest}`;
}

/** PostgreSQL's own programs are asked for in the place where Debian has them. */
function configuration(): string {
  return `procedures: [procedures]
notify:
  books: { kind: webhook, url: "\${NOBODY}", severity: info, chapters: [bookkeeping] }
  others: { kind: webhook, url: "\${NOBODY}", severity: info, chapters: [custom, backup] }
stacks:
  shop:
    timezone: UTC
    workDirectory: ${folder}/work
    runtime:
      native:
        services:
          database: { cluster: 15/control }
          web: { command: [sleep, "60"], user: root, pidFile: ${folder}/web.pid, log: ${folder}/web.log }
    services:
      database: { host: ${test.home}/control/socket, superuser: ipai }
      odoo: [{ name: web, url: "http://127.0.0.1:9" }]
    odoo: { command: [odoo], database: books }
    urls: { public: "http://127.0.0.1:9" }
    secrets: { token: "\${BOOK_TOKEN}" }
    schedules:
      health: off
      database: off
      books: { procedure: book entry, input: { entry: monthly }, cron: "0 0 1 1 *" }
`;
}

const define = (name: string, text: string) => writeFile(join(folder, "procedures", name), text);
const environment = () => ({ IPAI_HOME: test.home, NOBODY: "http://127.0.0.1:9/", BOOK_TOKEN: "s3cr3t-w0rd" });
const at = () => ({ directory: folder, env: environment() });
const own = (...args: readonly string[]) => ipai(args, at());
const works = () => writeFile(join(folder, "works"), "");
const has = (name: string) => existsSync(join(folder, name));
const errorOf = (ended: Ended) => parsed<{ error: { code: string; message: string } }>(ended).error;

async function sql(text: string, database = "books"): Promise<string> {
  const argv = [
    "-h",
    join(test.home, "control/socket"),
    "-U",
    "ipai",
    "-XAtq",
    "-v",
    "ON_ERROR_STOP=1",
    "-d",
    database,
  ];
  const ended = await run("psql", argv, { stdin: text });
  if (ended.exitCode !== 0) throw new Error(ended.stderr);
  return ended.stdout.trim();
}

const messages = async () => parsed<{ channel: string; title: string }[]>(await own("notify", "--json"));
const entries = async () => (await sql("select name from entries order by name")).split("\n").filter(Boolean);

describe("a procedure of one's own", () => {
  it("is run, and what it did is there", async () => {
    await works();
    const ended = parsed<RunJson>(await own("run", "book", "entry", "entry=alpha", "--yes", "--json"));
    expect(ended).toMatchObject({ outcome: "succeeded", undoClass: "instant" });
    expect([await entries(), has("alpha")]).toEqual([["alpha"], true]);
  });

  it("is taken back when its last step fails", async () => {
    const ended = parsed<RunJson>(await own("run", "book entry", "entry=beta", "--yes", "--json"));
    expect(ended).toMatchObject({ outcome: "failed-and-undone", error: { code: "run.verify_failed" } });
    expect([await entries(), has("beta")]).toEqual([["alpha"], false]);
  });

  it("is done by its script as by the tool", async () => {
    const script = async (entry: string, id: string) => {
      const { stdout } = await own("run", "book entry", `entry=${entry}`, "--script");
      return run("bash", ["-c", stdout], { env: { run_id: id } });
    };
    expect((await script("gamma", "20260101t000000_fail")).exitCode).toBe(3);
    expect([await entries(), has("gamma")]).toEqual([["alpha"], false]);
    await works();
    expect((await script("gamma", "20260101t000000_good")).exitCode).toBe(0);
    expect([await entries(), has("gamma")]).toEqual([["alpha", "gamma"], true]);
  });

  it("and killed half-way goes on with its plan, though its file is gone", async () => {
    await works();
    for (const [point, entry] of [
      ["do:row:performed", "delta"],
      ["do:file:spawned", "epsilon"],
    ] as const) {
      await define("book.yaml", book());
      const args = ["run", "book entry", `entry=${entry}`, "--yes"];
      const struck = await ipai(args, {
        ...at(),
        env: { ...at().env, KILL_AT: point },
        nodeOptions: ["--import", join(root, "test/harness/kill-at.ts")],
      });
      expect(struck.signal).toBe("SIGKILL");
      const [{ run: id }] = parsed<[{ run: string }]>(await own("runs", "--json"));
      await rm(join(folder, "procedures/book.yaml"));
      const ended = parsed<RunJson>(await own("runs", "resume", id, "--json"));
      // Whether the file was written whole cannot be told, and nobody said that it may be written again.
      if (entry === "epsilon") {
        expect(ended).toMatchObject({ error: { code: "run.interrupted" } });
        expect(parsed(await own("runs", "resume", id, "--decide", "undo", "--json"))).toMatchObject({
          outcome: "failed-and-undone",
        });
      } else expect(ended).toMatchObject({ outcome: "succeeded" });
    }
    expect([await entries(), has("delta"), has("epsilon")]).toEqual([["alpha", "delta", "gamma"], true, false]);
  });

  it("does not begin when its file is another than when it was consented to, or is gone", async () => {
    const plan = async () => parsed<{ run: string }>(await own("run", "book entry", "entry=zeta", "--json")).run;
    const [changed, removed] = [await plan(), await plan()];
    await define("book.yaml", book("  # only a comment\n"));
    const drifted = parsed<RunJson>(await own("approve", changed, "--yes", "--json"));
    expect(drifted).toMatchObject({ outcome: "failed", error: { code: "run.drift" } });
    expect(drifted.error?.message).toContain("what differs: facts.definition.sha256)");
    await rm(join(folder, "procedures/book.yaml"));
    expect(errorOf(await own("approve", removed, "--yes", "--json"))).toMatchObject({
      code: "run.procedure_unknown",
      message: expect.stringContaining("book entry"),
    });
    expect(parsed(await own("runs", "cancel", removed, "--json"))).toMatchObject({ outcome: "cancelled" });
    expect(await entries()).not.toContain("zeta");
  });

  it("does not begin when the answer to one of its facts is another", async () => {
    const planned = parsed<{ run: string }>(await own("run", "book entry", "entry=zeta", "--json")).run;
    await sql("insert into entries values ('by hand')");
    const drifted = parsed<RunJson>(await own("approve", planned, "--yes", "--json"));
    await sql("delete from entries where name = 'by hand'");
    expect(drifted.error?.message).toContain("what differs: facts.answers.entries)");
  });

  it("asks its facts so that they cannot change anything", async () => {
    await define(
      "evil.yaml",
      book()
        .replaceAll("book entry", "evil")
        .replace("select count(*) from entries, as", "delete from entries returning 1, as"),
    );
    expect(errorOf(await own("run", "evil", "entry=x", "--yes", "--json"))).toMatchObject({
      code: "host.command_failed",
    });
    expect(await entries()).toContain("alpha");
  });

  it("has another one inside it, no further than its mandate", async () => {
    await works();
    const outer = (risk: string) => `name: outer
title: Outer
summary: Runs another one.
steps:
  - { id: inner, procedure: book entry, input: { entry: inner }, mandate: { risk: ${risk} } }
  - { id: fails, title: Fails, require: { command: ["false"] } }
`;
    await define("outer.yaml", outer("read"));
    const refused = parsed<RunJson>(await own("run", "outer", "--yes", "--json"));
    expect(refused).toMatchObject({ outcome: "failed", error: { code: "run.mandate_exceeded" } });
    await define("outer.yaml", outer("change"));
    const undone = parsed<RunJson>(await own("run", "outer", "--yes", "--json"));
    expect(undone.steps.map(({ id, outcome }) => [id, outcome])).toContainEqual(["inner", "succeeded"]);
    expect([undone.outcome, has("inner")]).toEqual(["failed-and-undone", false]);
    expect(await entries()).not.toContain("inner");
  });

  it("hands a secret over where nobody sees it", async () => {
    await define(
      "secret.yaml",
      `name: secret
title: Use a secret
summary: Sends it somewhere.
steps:
  - id: send
    title: Send it
    command: [sh, -c, 'printf %s "$TOKEN" > "$1" && cat && printf " %s" "$TOKEN"', send, "${folder}/sent"]
    env: { TOKEN: "\${secret.token}" }
    stdin: \${secret.token}
    undo: nothing
    verify: [{ title: it is there, command: [cat, "${folder}/sent"], contains: w0rd }]
`,
    );
    const ended = await own("run", "secret", "--yes", "--json");
    expect(parsed<RunJson>(ended).outcome).toBe("succeeded");
    expect(await readFile(join(folder, "sent"), "utf8")).toBe("s3cr3t-w0rd");
    const told = [ended, await own("runs", "logs", parsed<RunJson>(ended).run), await own("run", "secret", "--script")];
    expect(told.map(({ stdout, stderr }) => stdout + stderr).join("")).not.toContain("s3cr3t");
    expect(told[1]?.stdout).toContain("[secret] [secret]");
  });

  it("waits for a person's signal", async () => {
    await works();
    await define("book.yaml", book("  - { id: look, title: Somebody looks, wait: { signal: good } }\n"));
    const going = own("run", "book entry", "entry=theta", "--yes", "--json");
    await until("the file is written", async () => has("theta"));
    const [{ run: id }] = parsed<[{ run: string }]>(await own("runs", "--json"));
    expect((await own("runs", "signal", id, "god")).exitCode).toBe(14);
    expect((await own("runs", "signal", id, "good")).exitCode).toBe(0);
    expect(parsed<RunJson>(await going)).toMatchObject({ outcome: "succeeded" });
    expect((await own("audit")).stdout).toContain("run.signalled");
  });

  it("is scheduled, and told of by its chapter", async () => {
    await works();
    // What belongs to no chapter of its own is custom, also when its file is gone.
    const plain = book().replace("book entry", "plain").replace("title: Book", "title: Plain");
    await define("plain.yaml", plain.replace("chapter: bookkeeping\n", ""));
    expect((await own("run", "plain", "entry=kappa", "--yes")).exitCode).toBe(0);
    await rm(join(folder, "procedures/plain.yaml"));
    const listed = parsed<{ schedules: object[] }>(await own("schedules", "--json"));
    expect(listed.schedules).toMatchObject([{ name: "books", procedure: "book entry" }]);
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const bad = await own("schedules", "once", "book entry", "--at", later, "--input", '{"entry": "A1"}', "--json");
    expect(errorOf(bad)).toMatchObject({ code: "usage.bad_input" });
    // Time enough for a busy machine to start the command.
    const soon = new Date(Date.now() + 8000).toISOString();
    const once = await own("schedules", "once", "book entry", "--at", soon, "--input", '{"entry": "iota"}');
    expect([once.exitCode, once.stderr]).toEqual([0, ""]);
    const worker = new NodeProcess("src/cli/main.ts", ["--config", join(folder, "ipai.yaml"), "worker", "--json"], {
      env: environment(),
    });
    expect(await worker.when("ended")).toMatchObject({ outcome: "succeeded" });
    await until("it is told of", async () =>
      (await messages()).some(({ title }) => title.startsWith("Book iota: complete")),
    );
    const told = (await messages()).map(({ channel, title }) => `${channel}: ${title}`);
    expect(told).toContainEqual(expect.stringMatching(/^others: Plain kappa: complete/));
    expect(told.filter((one) => /^others: Book|^books: Plain/.test(one))).toEqual([]);
    worker.kill("SIGTERM");
    await worker.ended;
    expect([await entries(), has("iota")]).toEqual([expect.arrayContaining(["iota"]), true]);
  });

  it("is planned for a time: announced, called off, run then, or not when the plan would be another one", async () => {
    await works();
    await define("book.yaml", book().replace("chapter:", "announce: [1h]\nchapter:"));
    const plan = async (entry: string, when: string) =>
      parsed<RunJson>(await own("run", "book entry", `entry=${entry}`, "--at", when, "--yes", "--json"));
    const [never, soon] = [await plan("nu", "in 50m"), await plan("mu", "in 6s")];
    expect([never, soon].map(({ outcome }) => outcome)).toEqual(["planned", "planned"]);
    const listed = parsed<{ once: { run: string }[] }>(await own("schedules", "--json"));
    expect(listed.once.map(({ run: id }) => id).sort()).toEqual([never.run, soon.run].sort());
    expect((await own("runs", "show", never.run)).stdout).toMatch(/planned for +\d{4}-/);
    const worker = new NodeProcess("src/cli/main.ts", ["--config", join(folder, "ipai.yaml"), "worker", "--json"], {
      env: environment(),
    });
    const ended = async ({ run: id }: RunJson) => {
      const show = async () => parsed<RunJson & { finishedAt: string | null }>(await own("runs", "show", id, "--json"));
      await until("it has ended", async () => (await show()).finishedAt !== null);
      return show();
    };
    expect(await ended(soon)).toMatchObject({ outcome: "succeeded" });
    const told = async () => (await messages()).map(({ title }) => title);
    await until("it is announced", async () => (await told()).some((title) => title.startsWith("Book nu: begins ")));
    expect((await own("runs", "cancel", never.run)).exitCode).toBe(5);
    const overtaken = await plan("xi", "in 6s");
    await sql("insert into entries values ('overtakes')");
    expect(await ended(overtaken)).toMatchObject({ outcome: "failed", error: { code: "run.drift" } });
    await until("it is told", async () => (await told()).includes("Book xi: does not take place"));
    expect(await told()).toContain("Book nu: cancelled");
    worker.kill("SIGTERM");
    await worker.ended;
    expect((await entries()).filter((entry) => ["mu", "nu", "xi"].includes(entry))).toEqual(["mu"]);
  });
});

describe("what is wrong with a file", () => {
  it("is told by check, with its places, and does not keep the others from being run", async () => {
    await define("bad.yaml", "name: bad\ntitel: x\n");
    const checked = await own("procedures", "check");
    expect(checked.exitCode).toBe(11);
    expect(checked.stderr).toContain("procedures/bad.yaml:2:1: unknown key titel. Did you mean title?");
    expect((await own("config", "check")).exitCode).toBe(11);
    expect(errorOf(await own("run", "bad", "--json"))).toMatchObject({ code: "procedure.invalid" });
    const shown = await own("run", "book entry", "entry=x", "--plan");
    expect(shown.exitCode).toBe(0);
    await rm(join(folder, "procedures/bad.yaml"));
    expect((await own("procedures", "check")).stdout).toBe("procedures/book.yaml: good; book entry\n");
  });

  it("is told of what a person says, too", async () => {
    const said = await Promise.all(
      [["entry=X"], ["entri=x"], ["entry=x", "copies=many"], []].map(async (words) =>
        errorOf(await own("run", "book", "entry", ...words, "--json")),
      ),
    );
    expect(said.map(({ message }) => message.slice("This is no input for book entry: ".length))).toEqual([
      "entry: must fit the pattern [a-z]+. Nothing was started.",
      "it takes no entri. Did you mean entry? Nothing was started.",
      "copies: must be a number. Nothing was started.",
      "entry: is missing. Nothing was started.",
    ]);
    expect(errorOf(await own("run", "book", "entri", "--json"))).toMatchObject({ code: "usage.no_procedure" });
  });
});
