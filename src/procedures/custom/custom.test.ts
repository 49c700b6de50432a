import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../config/load.ts";
import { hashPlan } from "../../runbook/hash.ts";
import type { Plan } from "../../runbook/plan.ts";
import { renderPlan } from "../../runbook/render.ts";
import { findFaults } from "../../runbook/validate.ts";
import type { Json } from "../../runbook/value.ts";
import { createStack, type Stack } from "../../stack/stack.ts";
import type { Procedure } from "../procedure.ts";
import { createProcedures, type Procedures } from "../registry.ts";
import { sandboxConfig } from "../sandbox/definition.ts";
import { schedulesOf } from "../schedules.ts";

const examples = join(import.meta.dirname, "../../../docs/examples/procedures");
const exampleFiles = readdirSync(examples).map((name) => ({
  name: `procedures/${name}`,
  text: readFileSync(join(examples, name), "utf8"),
}));

function stackOf(text: string, environment: NodeJS.ProcessEnv = {}): Stack {
  const [config] = Object.values(parseConfig(text, "ipai.yaml", environment).stacks);
  if (config === undefined) throw new TypeError("a configuration without a stack");
  return createStack(config);
}

const native = stackOf(
  sandboxConfig({
    folder: "/srv/sandbox",
    basePort: 18_080,
    odoo: { command: ["/usr/bin/odoo"], addons: ["/usr/lib/odoo/addons"], environment: { HOME: "/srv/sandbox/odoo" } },
  }),
);
const compose = stackOf(
  `stacks:
  shop:
    runtime: { compose: { project: odoo, directory: /opt/odoo } }
    services:
      odoo: [{ name: web, url: "http://web:8069" }]
      cache: { name: redis, url: "redis://redis:6379", password: "\${REDIS}" }
    odoo: { command: [odoo] }
    urls: { public: "https://erp.example.com" }
`,
  { REDIS: "x" },
);

function planOf(procedures: Procedures, name: string, stack: Stack, input: Json, facts: Json = {}): Plan {
  const found = procedures.find(name) as unknown as Procedure<unknown, unknown> | undefined;
  if (found === undefined) throw new TypeError(`no procedure ${name}`);
  return found.plan(stack, found.input.parse(input), facts);
}

describe("the examples", () => {
  const procedures = createProcedures(exampleFiles, [native, compose]);

  it("are all right, and do what they say", () => {
    expect(procedures.broken).toEqual([]);
    const own = procedures.all.filter(({ file }) => file !== undefined);
    expect(own.map(({ name, chapter, risk }) => [name, chapter, risk])).toEqual([
      ["clear assets", "troubleshooting", "change"],
      ["end sessions", "incident", "destroy"],
      ["vacuum table", "maintenance", "change"],
    ]);
  });

  it.each([
    ["vacuum-table", "vacuum table", { table: "res_partner", backup: true }, { kind: "r" }],
    ["end-sessions", "end sessions", {}, {}],
    ["clear-assets", "clear assets", {}, {}],
  ])("are the same for every runtime: %s", async (file, name, input, facts) => {
    for (const [runtime, stack] of [
      ["native", native],
      ["compose", compose],
    ] as const) {
      const plan = planOf(procedures, name, stack, input, facts);
      expect(findFaults(plan)).toEqual([]);
      const golden = `../golden/custom-${file}-${runtime}.txt`;
      await expect(`${renderPlan(plan, { detail: true })}\n`).toMatchFileSnapshot(golden);
    }
  });
});

/** A file with one step, or with others. */
function fileOf(steps: string, rest = ""): string {
  return `name: try\ntitle: Try\nsummary: It is tried.\n${rest}steps:\n${steps}`;
}

const touch = `  - id: touch
    title: Touch
    command: [touch, /tmp/x]
    undo: nothing
    verify: [{ title: it is there, command: [test, -e, /tmp/x] }]
`;

function read(text: string, ...others: readonly string[]): Procedures {
  const files = [text, ...others].map((one, index) => ({ name: `p${index}.yaml`, text: one }));
  return createProcedures(files, [native]);
}

/** Everything that is wrong with a file, as `line:column message`. */
function faultsOf(text: string, ...others: readonly string[]): readonly string[] {
  const { broken } = read(text, ...others);
  return broken.flatMap(({ problems }) => problems.map((one) => `${one.line}:${one.column} ${one.message}`));
}

describe("a file", () => {
  it("is good when nothing is wrong with it", () => {
    expect(faultsOf(fileOf(touch))).toEqual([]);
  });

  it.each<[string, string, readonly string[]]>([
    ["is no YAML", "name: [", [expect.stringMatching(/^1:8 Flow sequence/) as unknown as string]],
    [
      "is empty",
      "",
      ["1:1 name: is missing", "1:1 title: is missing", "1:1 summary: is missing", "1:1 steps: is missing"],
    ],
    ["has an unknown key", fileOf(touch, "sumary: x\n"), ["4:1 unknown key sumary. Did you mean summary?"]],
    [
      "has an unknown key in a step",
      fileOf(touch.replace("verify", "verfiy")),
      ["9:5 steps.0: unknown key verfiy. Did you mean verify?"],
    ],
    [
      "has several faults, all told",
      fileOf(`${touch}  - { id: B, title: b, sql: 1 }\n`, "lease: mine\n"),
      [
        "4:1 lease: must be one of none, shared, exclusive",
        "11:7 steps.1.id: must begin with a letter and have only a-z, 0-9, - and _",
        "11:24 steps.1.sql: must be text, not the number 1",
      ],
    ],
    ["has the name of a built-in one", fileOf(touch).replace("try", "backup"), ["1:1 backup is a built-in procedure"]],
    [
      "changes something and verifies nothing",
      fileOf(touch.replace(/ {4}verify.*\n/, "")),
      ["5:5 touch changes something and verifies nothing"],
    ],
    [
      "does not say how it is taken back",
      fileOf(touch.replace("    undo: nothing\n", "")),
      ["5:5 does not say how it is taken back: undo: a list of steps, nothing, or irreversible"],
    ],
    [
      "changes something without a lease",
      fileOf(touch, "lease: none\n"),
      ["6:5 touch changes something without a lease"],
    ],
    ["has two steps of one id", fileOf(touch + touch), ["10:5 the id touch is another step's too"]],
    [
      "has a step that is nothing",
      fileOf("  - { id: a, title: a }\n"),
      [
        "5:5 does not say what it is: it needs one of command, pipeline, sql, python, http, write, start, stop, require, wait, bracket, parallel, procedure, pivot",
      ],
    ],
    [
      "has a step that is two things",
      fileOf("  - { id: a, title: a, sql: select 1, start: odoo }\n"),
      ["5:5 is sql and start at once; make two of it"],
    ],
    [
      "has a key that means nothing there",
      fileOf("  - { id: a, start: odoo, attempts: 3 }\n"),
      ["5:27 attempts means nothing for start"],
    ],
    [
      "has a probe without a wanted answer",
      fileOf("  - { id: a, title: a, require: { sql: select 1 } }\n"),
      ["5:24 does not say which answer is wanted: is, atMost, atLeast, contains or lacks"],
    ],
    [
      "has two wanted answers",
      fileOf("  - { id: a, title: a, require: { sql: select 1, is: 1, atMost: 2 } }\n"),
      ["5:24 has is and atMost, and only one can be asked"],
    ],
    [
      "names no such output",
      fileOf(`  - { id: a, title: a, effect: read, command: [echo, "\${steps.b.x}"] }\n`),
      ["5:5 a refers to b.x, which no earlier step records"],
    ],
    [
      "names no such input",
      fileOf(`  - { id: a, title: "\${input.tabel}", effect: read, command: [echo] }\n`, "input: { table: {} }\n"),
      ["6:14 ${input.tabel}: there is no input tabel. Did you mean table?"],
    ],
    [
      "names what stands for nothing",
      fileOf(`  - { id: a, title: "\${imput.x}", effect: read, command: [echo] }\n`),
      [
        "5:14 ${imput.x} stands for nothing: there are input.NAME, facts.NAME, steps.ID.OUTPUT, run.id, run.startedAt, stack.NAME and secret.NAME",
      ],
    ],
    [
      "puts a value into SQL",
      fileOf(`  - { id: a, title: a, effect: read, sql: "select '\${run.id}'" }\n`),
      ["5:38 nothing is replaced here; values are parameters: name them under values, and write :'name'"],
    ],
    [
      "puts a value into a script",
      fileOf(`  - { id: a, title: a, effect: read, command: [env, /bin/bash, -ec, "echo \${run.id}"] }\n`),
      ["5:69 nothing is replaced here; what it runs must always be the same: give it values as arguments after it"],
    ],
    [
      "names no such service",
      fileOf("  - { id: a, title: a, effect: read, on: datbase, command: [id] }\n"),
      ["5:38 sandbox has no service datbase. Did you mean database?"],
    ],
    [
      "has a fact of a fact",
      fileOf(touch, `facts: { a: { sql: select 1 }, b: { command: [echo, "\${facts.a}"] } }\n`),
      ["4:53 facts are all asked at once, so that none can use another"],
    ],
    [
      "depends on what is never true",
      fileOf(
        touch.replace("    undo", "    when: ${facts.n}\n    undo"),
        "facts: { n: { sql: select 1, as: number } }\n",
      ),
      ["9:5 is 0, and so neither true nor false"],
    ],
    [
      "runs no such procedure",
      fileOf("  - { id: a, procedure: bakup }\n"),
      ["5:14 there is no procedure bakup. Did you mean backup?"],
    ],
    [
      "gives a procedure what it does not take",
      fileOf("  - { id: a, procedure: upgrade, input: { modules: base } }\n"),
      ["5:43 upgrade does not take this: Invalid input: expected array, received string"],
    ],
    ["runs itself", fileOf("  - { id: a, procedure: try }\n"), ["5:14 try leads back to this procedure"]],
    [
      "changes something beside others",
      fileOf("  - { id: p, title: p, parallel: [{ id: a, start: database }] }\n"),
      ["5:35 only acts that read are done at the same time"],
    ],
    [
      "has a default that is none",
      fileOf(touch, "input: { n: { type: number, default: many } }\n"),
      ["4:29 is not what it must be: must be a number"],
    ],
    [
      "waits for two things",
      fileOf("  - { id: w, title: w, wait: { signal: go, serving: odoo } }\n"),
      ["5:24 waits for one thing: serving, until, signal, or the answer to a question"],
    ],
  ])("that %s is refused with its place", (_, text, faults) => {
    expect(faultsOf(text)).toEqual(faults);
  });

  it.each([
    ["an argument", 'command: [echo, "SECRET"]', "5:54"],
    ["a part of a value", 'command: [env], env: { X: "pSECRET" }', "5:61"],
    ["a title", 'title: "SECRET", command: [id]', "5:28"],
    ["SQL", 'sql: select 1, values: { x: "SECRET" }', "5:63"],
    ["a header", 'http: { url: "http://x", headers: { X: "SECRET" } }', "5:74"],
    ["a wanted answer", 'require: { sql: select 1, is: "SECRET" }', "5:64"],
  ])("that shows a secret in %s is refused with its place", (_, shows, place) => {
    const words = shows.replace("SECRET", "${secret.services.cache.password}");
    const text = fileOf(`  - { id: a, effect: read, ${shows.includes("title") ? "" : "title: a, "}${words} }\n`);
    const { broken } = createProcedures([{ name: "p.yaml", text }], [compose]);
    const found = broken.flatMap(({ problems }) => problems);
    const message =
      "${secret.services.cache.password} would show here: a secret may only be the whole of an env or stdin";
    expect(found.map((one) => [`${one.line}:${one.column}`, one.message])).toContainEqual([place, message]);
  });

  it("that is wrong keeps only itself from being run", () => {
    const procedures = read(fileOf(touch), "name: other\n");
    expect(procedures.find("try")).toMatchObject({ name: "try", file: "p0.yaml" });
    expect(procedures.find("backup")).toBeDefined();
    expect(() => procedures.find("other")).toThrow(expect.objectContaining({ code: "procedure.invalid" }));
    expect(procedures.find("nothing")).toBeUndefined();
  });

  it("that is wrong and scheduled fails at its times alone", () => {
    const schedule = {
      procedure: "other",
      input: { x: 1 },
      cron: "0 3 * * *",
      missed: "latest",
      grace: 60,
      jitter: 0,
    } as const;
    const config = { ...native.config, schedules: { other: schedule } };
    const names = (procedures: Procedures) => schedulesOf(config, procedures).map(({ name }) => name);
    expect(names(read(fileOf(touch), "name: other\n"))).toEqual([
      "backup",
      "retention",
      "integrity",
      "resources",
      "proof",
      "database",
      "drill-server",
      "drill-database",
      "health",
      "other",
    ]);
    expect(() => names(read(fileOf(touch)))).toThrow(expect.objectContaining({ code: "schedule.invalid" }));
    expect(() => names(read(fileOf(touch).replace("try", "other")))).toThrow(/Unrecognized key/);
  });

  it("is judged and never trips, whichever of its lines is missing, or stands twice", () => {
    const variants = exampleFiles.flatMap(({ text }) => {
      const lines = text.split("\n");
      return lines.flatMap((line, index) => [
        lines.toSpliced(index, 1).join("\n"),
        lines.toSpliced(index, 0, line).join("\n"),
        lines.toSpliced(index, 1, line.replace(/: .*/, ":")).join("\n"),
      ]);
    });
    const judged = variants.map((text) => createProcedures([{ name: "p.yaml", text }], [native, compose]));
    const broken = judged.flatMap((one) => one.broken);
    expect(broken.length).toBeGreaterThan(variants.length / 2);
    for (const { problems } of broken) expect(problems).not.toEqual([]);
  });

  it("that has the name of another, or a circle with it, is refused", () => {
    expect(faultsOf(fileOf(touch), fileOf(touch))).toEqual(["1:1 try is defined in p0.yaml too"]);
    const call = (name: string, other: string) => fileOf(`  - { id: a, procedure: ${other} }\n`).replace("try", name);
    expect(faultsOf(call("one", "two"), call("two", "one"))).toEqual([
      "5:14 two leads back to this procedure",
      "5:14 one leads back to this procedure",
    ]);
  });

  it("that lacks what one stack alone has not is refused there only", () => {
    const text = fileOf("  - { id: a, start: redis }\n  - { id: b, start: odoo-core }\n");
    const procedures = createProcedures([{ name: "p.yaml", text }], [compose, native]);
    expect(procedures.broken).toEqual([]);
    const other = stackOf(
      sandboxConfig({
        folder: "/srv/other",
        basePort: 19_080,
        odoo: { command: ["odoo"], addons: [], environment: {} },
      }).replaceAll("odoo-core", "odoo-shop"),
    );
    expect(() => planOf(procedures, "try", other, {})).toThrow(
      expect.objectContaining({ code: "procedure.invalid", message: "p.yaml:6:14: sandbox has no service odoo-core" }),
    );
  });
});

describe("the plan of a file", () => {
  const text = fileOf(
    `${touch.replace("    undo", "    when: ${input.wanted}\n    undo")}  - { id: b, title: "n is \${facts.n}", effect: read, command: [echo, "\${facts.n}", "$\${HOME}", 5] }\n`,
    "input: { wanted: { type: boolean, default: false } }\nfacts: { n: { sql: select 1, as: number } }\n",
  );

  it("is bound to the file, the input and the facts", () => {
    const hashOf = (file: string, input: Json, facts: Json) =>
      hashPlan(planOf(read(file), "try", native, input, facts));
    const hashes = [
      hashOf(text, {}, { n: 1 }),
      hashOf(text, { wanted: true }, { n: 1 }),
      hashOf(text, {}, { n: 2 }),
      hashOf(`${text}# changed\n`, {}, { n: 1 }),
    ];
    expect(new Set(hashes).size).toBe(4);
    expect(hashOf(text, { wanted: false }, { n: 1 })).toBe(hashes[0]);
  });

  it("has what is known in it, and leaves out what is not wanted", () => {
    const without = planOf(read(text), "try", native, {}, { n: 7 });
    expect(without.steps).toMatchObject([
      { id: "b", title: "n is 7", action: { pipeline: [{ argv: ["echo", "7", "${HOME}", "5"] }] } },
    ]);
    expect(without.lease).toBe("none");
    const wanted = planOf(read(text), "try", native, { wanted: true }, { n: 7 });
    expect(wanted.steps.map(({ id }) => id)).toEqual(["touch", "b"]);
    expect(wanted).toMatchObject({ lease: "exclusive", facts: { definition: { file: "p0.yaml" }, answers: { n: 7 } } });
  });

  it("asks a person about an interrupted act that cannot say whether it is done", () => {
    const done = touch.replace("    undo", "    done: { command: [test, -e, /tmp/x] }\n    undo");
    const stepOf = (steps: string) => planOf(read(fileOf(steps)), "try", native, {}).steps[0];
    expect(stepOf(touch)).toMatchObject({ onInterrupt: "ask", attempts: 1, timeoutSeconds: 300 });
    expect(stepOf(done)).toMatchObject({ onInterrupt: "again", done: { output: { from: "exitCode" } } });
  });

  it("takes a stopped Odoo back by starting it until it serves", () => {
    const text = fileOf("  - { id: stop, stop: odoo }\n  - { id: start, start: redis }\n");
    const steps = planOf(read(text), "try", native, {}).steps;
    const undo = steps.map((step) =>
      step.kind === "act" && Array.isArray(step.undo) ? step.undo.map(({ id }) => id) : [],
    );
    const names = ["odoo-accounting", "odoo-core", "odoo-marketing"];
    expect(undo).toEqual([
      [...names.map((name) => `start ${name}`), ...names.map((name) => `serve ${name}`)],
      ["stop redis"],
    ]);
  });

  it("hands a secret to an environment and a standard input", () => {
    const secret = "${secret.services.cache.password}";
    const steps = `  - { id: a, title: a, effect: read, command: [cat], stdin: "${secret}", env: { X: "${secret}" } }\n`;
    const procedures = createProcedures([{ name: "p.yaml", text: fileOf(steps) }], [compose]);
    const ref = { ref: "secret", name: "services.cache.password" };
    expect(planOf(procedures, "try", compose, {}).steps).toMatchObject([
      { action: { pipeline: [{ env: { X: ref }, stdin: ref }] } },
    ]);
  });
});
