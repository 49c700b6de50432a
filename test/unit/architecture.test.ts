import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { allErrors, sampleOf } from "../../scripts/docs/errors.ts";
import { builtIn, createCallRegistry } from "../../src/procedures/registry.ts";

/**
 * The structure that ARCHITECTURE.md promises. Each rule is a function from sources to a list of faults, so that every test can
 * first show that its rule finds a fault in a small bad example, and then that the program has none.
 */

interface Source {
  /** Relative to the project: `src/engine/act.ts`. */
  readonly path: string;
  readonly text: string;
  /** Without comments. */
  readonly code: string;
}

type Rule = (sources: readonly Source[]) => readonly string[];

const root = join(import.meta.dirname, "..", "..");
let all: readonly Source[];
/** The program itself: without its tests and their fixtures. */
let program: readonly Source[];

beforeAll(() => {
  all = readSources("src");
  program = all.filter(({ path }) => !/\.test\.ts$|\/fixtures\//.test(path));
});

function readSources(folder: string): readonly Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .sort()
    .map((name) => source(`${folder}/${name}`, readFileSync(join(root, folder, name), "utf8")));
}

function source(path: string, text: string): Source {
  return { path, text, code: withoutComments(text) };
}

/** Strings and regular expressions are matched first, so that `//` inside one is not taken for a comment. */
const comments =
  /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|(?<=[(,=:!&|?]\s*)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;

function withoutComments(text: string): string {
  return text.replace(comments, (_, kept: string | undefined) => kept ?? "");
}

function withoutStrings(code: string): string {
  return code.replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g, '""');
}

/** What a file imports, in every manner: static, for effect, dynamic, and in a type. */
function importsOf({ code }: Source): readonly string[] {
  return [...code.matchAll(/\b(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] ?? "");
}

function importedFiles(from: Source): readonly string[] {
  return importsOf(from).flatMap((name) => {
    if (name.startsWith("#src/")) return [name.replace("#src/", "src/")];
    return name.startsWith(".") ? [normalize(join(dirname(from.path), name))] : [];
  });
}

function roomOf(path: string): string {
  return path.split("/")[1] ?? "";
}

/** Searches the code of the sources that `where` chooses; a fault is a file, a line and what was found there. */
function findIn(where: RegExp, pattern: RegExp, strings: "with strings" | "without strings"): Rule {
  return (sources) =>
    sources
      .filter(({ path }) => where.test(path))
      .flatMap(({ path, code }) =>
        [...(strings === "with strings" ? code : withoutStrings(code)).matchAll(pattern)].map(
          (match) => `${path}: ${match[0].trim()}`,
        ),
      );
}

/**
 * Which rooms a room may import. DESIGN's order (cli → procedures → engine, stack → host → runbook → config → errors), drawn
 * tighter where the program is better than that: the language knows no configuration, and builders know no host.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  config: ["errors"],
  finance: ["errors", "addons/ipai_finance_ppm/rules"],
  runbook: ["errors"],
  stack: ["runbook", "config", "errors"],
  host: ["runbook", "config/secret.ts", "errors"],
  engine: ["host", "runbook", "config/secret.ts", "errors"],
  procedures: [
    "n8n",
    "engine/message.ts",
    "engine/records.ts",
    "engine/schedule.ts",
    "stack",
    "host",
    "finance",
    "runbook",
    "config",
    "errors",
  ],
  access: ["engine", "runbook/plan.ts", "runbook/value.ts", "config/secret.ts", "errors"],
  api: ["access", "engine", "finance", "runbook", "config/secret.ts", "errors"],
  notify: ["engine", "config/secret.ts", "errors"],
  cli: ["api", "access", "procedures", "finance", "notify", "engine", "stack", "host", "runbook", "config", "errors"],
};

const importsPointDownwards: Rule = (sources) =>
  sources.flatMap((from) => {
    const room = roomOf(from.path);
    const allowed = mayImport[room];
    if (allowed === undefined) return [`${from.path}: the room ${room} has no place in the order`];
    return importedFiles(from)
      .map((to) => to.replace("src/", ""))
      .filter((to) => !to.startsWith(`${room}/`) && !allowed.some((one) => to === one || to.startsWith(`${one}/`)))
      .map((to) => `${from.path} imports ${to}`);
  });

const noCycles: Rule = (sources) => {
  const edges = new Map(sources.map((from) => [from.path, importedFiles(from)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) cycles.push([...trail.slice(start), path].join(" → "));
    if (start >= 0 || done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return cycles;
};

describe("rooms", () => {
  it("import downwards only", () => {
    const bad = [
      source("src/engine/a.ts", 'import { x } from "../stack/x.ts";'),
      source("src/engine/b.ts", 'import type { StackConfig } from "../config/schema.ts";'),
      source("src/runbook/c.ts", 'type T = import("../host/executor.ts").Executor;'),
      source("src/attic/d.ts", ""),
      source("src/cli/e.ts", 'import { fine } from "../engine/fine.ts"; // import "../nowhere/x.ts"'),
    ];
    expect(importsPointDownwards(bad)).toEqual([
      "src/engine/a.ts imports stack/x.ts",
      "src/engine/b.ts imports config/schema.ts",
      "src/runbook/c.ts imports host/executor.ts",
      "src/attic/d.ts: the room attic has no place in the order",
    ]);
    expect(importsPointDownwards(program)).toEqual([]);
  });

  it("have no file that imports itself by way of others", () => {
    const bad = [
      source("src/runbook/a.ts", 'import "./b.ts";'),
      source("src/runbook/b.ts", 'export { c } from "./c.ts";'),
      source("src/runbook/c.ts", 'import type { A } from "#src/runbook/a.ts";'),
    ];
    expect(noCycles(bad)).toEqual(["src/runbook/a.ts → src/runbook/b.ts → src/runbook/c.ts → src/runbook/a.ts"]);
    expect(noCycles(program)).toEqual([]);
  });

  it("are found with all their files", () => {
    // Guards the tests of this file: a scan that finds nothing finds no fault either.
    expect(new Set(program.map(({ path }) => roomOf(path)))).toEqual(new Set(Object.keys(mayImport)));
    expect(program.flatMap(importedFiles).length).toBeGreaterThan(program.length);
  });
});

describe("the engine", () => {
  it("never names what it operates", () => {
    const rule = findIn(/^src\/engine\//, /\w*(?:odoo|docker)\w*/gi, "with strings");
    const bad = [source("src/engine/a.ts", '// Odoo may be named here\nconst odooUrl = "docker exec";')];
    expect(rule(bad)).toEqual(["src/engine/a.ts: odooUrl", "src/engine/a.ts: docker"]);
    expect(rule(program)).toEqual([]);
  });
});

/** Calls are carried out by the engine and checks by the command; only these measure time, and whoever reads facts may ask what time it is. */
const plans =
  /^src\/(?:runbook|stack|finance|procedures)\/(?!procedure\.ts|resources\.ts|backup\/calls\.ts|monitoring\/check\.ts)/;

describe("plans and the language they are written in", () => {
  it("use no clock and no chance", () => {
    const clock =
      /\b(?:Date\.now|performance\.now|Math\.random|randomUUID|randomBytes|setTimeout|setInterval)\b|\bnew Date\(\s*\)/g;
    const rule = findIn(plans, clock, "without strings");
    const bad = [
      source("src/procedures/backup/a.ts", 'const at = Date.now(); const said = "Date.now";'),
      source("src/runbook/b.ts", "const day = new Date(); const parsed = new Date(text);"),
      source("src/engine/c.ts", "const at = Date.now();"),
    ];
    expect(rule(bad)).toEqual(["src/procedures/backup/a.ts: Date.now", "src/runbook/b.ts: new Date()"]);
    expect(rule(program)).toEqual([]);
  });

  it("use no process, no file and no network", () => {
    const rule: Rule = (sources) => [
      ...sources
        .filter(({ path }) => plans.test(path))
        .flatMap((from) =>
          importsOf(from)
            .filter((name) => name.startsWith("node:") && name !== "node:crypto")
            .map((name) => `${from.path} imports ${name}`),
        ),
      ...findIn(plans, /\bprocess\.(?:env|pid|cwd|argv|getuid)\b|\bglobalThis\b/g, "without strings")(sources),
    ];
    const bad = [
      source(
        "src/runbook/a.ts",
        'import { readFile } from "node:fs/promises";\nimport { createHash } from "node:crypto";',
      ),
      source("src/procedures/upgrade/b.ts", 'const { spawn } = await import("node:child_process");'),
      source("src/stack/c.ts", 'const home = process.env["HOME"];'),
    ];
    expect(rule(bad)).toEqual([
      "src/runbook/a.ts imports node:fs/promises",
      "src/procedures/upgrade/b.ts imports node:child_process",
      "src/stack/c.ts: process.env",
    ]);
    expect(rule(program)).toEqual([]);
  });
});

describe("the world", () => {
  it("is reached by processes that only host starts", () => {
    const rule: Rule = (sources) =>
      sources
        .filter(({ path }) => !path.startsWith("src/host/"))
        .filter((from) => importsOf(from).some((name) => /^(?:node:)?(?:child_process|cluster)$|^execa$/.test(name)))
        .map(({ path }) => `${path} starts processes`);
    const bad = [
      source("src/engine/a.ts", 'import { spawn } from "node:child_process";'),
      source("src/host/b.ts", 'import { spawn } from "node:child_process";'),
    ];
    expect(rule(bad)).toEqual(["src/engine/a.ts starts processes"]);
    expect(rule(program)).toEqual([]);
  });

  it("hears of errors and results from cli only", () => {
    const speech = /\bprocess\.(?:stdout|stderr|exitCode|exit)\b|\bconsole\.\w+/g;
    const rule = findIn(/^src\/(?!cli\/)/, speech, "without strings");
    const bad = [
      source("src/engine/a.ts", 'console.error("failed"); process.exitCode = 1;'),
      source("src/cli/b.ts", "process.exitCode = 1;"),
    ];
    expect(rule(bad)).toEqual(["src/engine/a.ts: console.error", "src/engine/a.ts: process.exitCode"]);
    expect(rule(program)).toEqual([]);
  });

  it("and its journal are written to by the engine only, and people and their rights by access", () => {
    const peoples =
      "people|sessions|accounts|verifications|second_factors|passkeys|rate_limits|invitations|used_codes|refusals|grants|tokens|absences|covers";
    const write = (tables: string) => new RegExp(`\\.(?:insertInto|updateTable|deleteFrom|mergeInto)\\(${tables}`, "g");
    const rule: Rule = (sources) => [
      ...findIn(/^src\/(?!engine\/|access\/)/, write(""), "with strings")(sources),
      ...findIn(/^src\/access\//, write(`(?!"(?:${peoples})")`), "with strings")(sources),
      ...findIn(/^src\/engine\//, write(`"(?:${peoples})"`), "with strings")(sources),
    ];
    const bad = [
      source("src/cli/a.ts", 'db.updateTable("runs")'),
      source("src/engine/b.ts", 'db.deleteFrom("runs"); db.insertInto("people")'),
      source("src/access/c.ts", 'db.insertInto("people"); db.insertInto("runs")'),
    ];
    expect(rule(bad)).toEqual([
      "src/cli/a.ts: .updateTable(",
      "src/access/c.ts: .insertInto(",
      'src/engine/b.ts: .insertInto("people"',
    ]);
    expect(rule(program)).toEqual([]);
  });

  it("is joined to the program in cli only", () => {
    const rule = findIn(/^src\/(?!cli\/)/, /\bnew \w*Executor\(/g, "without strings");
    expect(rule([source("src/procedures/a.ts", "new LocalExecutor()")])).toEqual([
      "src/procedures/a.ts: new LocalExecutor(",
    ]);
    expect(rule(program)).toEqual([]);
  });
});

interface ProcedureLike {
  readonly name: string;
  readonly chapter: string;
  readonly version: number;
}

function isProcedure(value: unknown): value is ProcedureLike {
  return (
    typeof value === "object" && value !== null && ["name", "chapter", "facts", "plan"].every((key) => key in value)
  );
}

/** Procedures that a chapter exports: each must be registered, under a name of its own, in the folder of its chapter. */
function procedureFaults(
  exported: readonly { path: string; value: ProcedureLike }[],
  registered: readonly ProcedureLike[],
): readonly string[] {
  const names = registered.map(({ name, version }) => `${name}@${version}`);
  return [
    ...exported
      .filter(({ value }) => !registered.includes(value))
      .map(({ path, value }) => `${path}: ${value.name} is not registered`),
    ...exported
      .filter(({ path, value }) => path.split("/")[2] !== value.chapter)
      .map(({ path, value }) => `${path}: ${value.name} is in chapter ${value.chapter}`),
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is registered twice`),
  ];
}

describe("procedures", () => {
  it("are all in the registry, each under one name", async () => {
    const one = { name: "backup", chapter: "backup", version: 1, facts: null, plan: null };
    const other = { ...one };
    expect(procedureFaults([{ path: "src/procedures/upgrade/a.ts", value: other }], [one, one])).toEqual([
      "src/procedures/upgrade/a.ts: backup is not registered",
      "src/procedures/upgrade/a.ts: backup is in chapter backup",
      "backup@1 is registered twice",
    ]);
    const files = program.filter(({ path }) => path.startsWith("src/procedures/"));
    const modules = await Promise.all(
      files.map(async ({ path }) => ({ path, members: await (import(join(root, path)) as Promise<object>) })),
    );
    const exported = modules.flatMap(({ path, members }) =>
      Object.values(members)
        .filter(isProcedure)
        .map((value) => ({ path, value })),
    );
    expect(exported.map(({ value }) => value.name).sort()).toEqual(builtIn.map(({ name }) => name).sort());
    expect(procedureFaults(exported, builtIn)).toEqual([]);
  });

  it("call only functions that are registered, by name and version", () => {
    const rule = (known: (name: string, version: number) => boolean): Rule => {
      const call = /kind: "call",(?:\s*name: "([^"]+)",\s*version: (\d+))?/g;
      return (sources) =>
        sources.flatMap(({ path, code }) =>
          [...code.matchAll(call)].flatMap(([, name, version]) => {
            if (name === undefined) return [`${path}: a call whose name and version cannot be read`];
            return known(name, Number(version)) ? [] : [`${path}: ${name}@${version} is not registered`];
          }),
        );
    };
    const bad = [
      source("src/procedures/a.ts", '{ kind: "call", name: "a.b", version: 2, input }'),
      source("src/procedures/b.ts", '{ kind: "call", name: chosen, version: 1, input }'),
    ];
    expect(rule((name, version) => name === "a.b" && version === 1)(bad)).toEqual([
      "src/procedures/a.ts: a.b@2 is not registered",
      "src/procedures/b.ts: a call whose name and version cannot be read",
    ]);
    const registry = createCallRegistry(
      {
        put: () => Promise.resolve(),
        find: () => Promise.resolve(undefined),
        forget: () => Promise.resolve(),
        trim: () => Promise.resolve(),
        actorOf: () => Promise.resolve(""),
        list: () => Promise.resolve([]),
      },
      {
        checkHealth: () => Promise.reject(new TypeError("nothing is asked here")),
        readerOf: () => {
          throw new TypeError("nothing is asked here");
        },
        tell: () => Promise.resolve(),
        timesOf: () => Promise.reject(new TypeError("nothing is asked here")),
        notary: {
          signer: () => Promise.reject(new TypeError("nothing is signed here")),
          account: () => Promise.reject(new TypeError("nothing was run here")),
          ask: () => Promise.reject(new TypeError("nothing is asked for here")),
          now: () => new Date(),
          program: "none",
        },
      },
    );
    const chapters = program.filter(({ path }) => path.startsWith("src/procedures/"));
    expect(chapters.filter(({ code }) => code.includes('kind: "call"'))).not.toEqual([]);
    expect(rule((name, version) => registry.get(name, version) !== undefined)(chapters)).toEqual([]);
  });
});

interface Spoken {
  readonly code: string;
  readonly exitCode: number;
  readonly message: string;
  readonly hint: string;
}

/** An error must speak: a whole sentence of what happened, the next action or question, and a documented exit code. */
function speechFaults({ code, exitCode, message, hint }: Spoken): readonly string[] {
  return [
    ...[message, hint].filter((text) => text.trim() === "").map(() => `${code}: an empty message or hint`),
    ...[message, hint]
      .filter((text) => /undefined|NaN|\[object|null\b/.test(text))
      .map((text) => `${code}: does not print its details: ${text}`),
    // A hint may end with the command to type.
    ...(/[.?)`]$|: \S[^:]*$/.test(hint.trim()) ? [] : [`${code}: the hint is no whole sentence: ${hint}`]),
    ...(Number.isInteger(exitCode) && exitCode >= 10 && exitCode <= 99 ? [] : [`${code}: exit code ${exitCode}`]),
  ];
}

describe("errors", () => {
  it("have a message, a hint and an exit code", async () => {
    expect(
      speechFaults({ code: "a.b", exitCode: 3, message: "It has undefined.", hint: "" }).map((fault) =>
        fault.slice(0, 30),
      ),
    ).toEqual([
      "a.b: an empty message or hint",
      "a.b: does not print its detail",
      "a.b: the hint is no whole sent",
      "a.b: exit code 3",
    ]);
    const definitions = await allErrors();
    expect(definitions.length).toBeGreaterThan(40);
    const spoken = definitions.flatMap((definition) =>
      sampleOf(definition).map((sample) => ({ ...definition, ...sample })),
    );
    expect(spoken.flatMap(speechFaults)).toEqual([]);
  });

  it("are declared once and used", () => {
    const rule: Rule = (sources) => {
      const declared = sources.flatMap(({ path, code }) =>
        [...code.matchAll(/(\w+) = defineError(?:<[\s\S]*?>)?\(\s*"([^"]+)"/g)].map(([, name = "", id = ""]) => ({
          path,
          name,
          id,
        })),
      );
      const text = sources.map(({ code }) => code).join("\n");
      const mentions = (pattern: string) => text.match(new RegExp(pattern, "g"))?.length ?? 0;
      const twice = declared.filter(({ id }, index) => declared.findIndex((other) => other.id === id) !== index);
      const idle = declared.filter(
        ({ name, id }) => mentions(`\\b${name}\\(`) === 0 && mentions(`"${id.replace(".", "\\.")}"`) <= 1,
      );
      return [
        ...twice.map(({ path, id }) => `${path}: ${id} is declared twice`),
        ...idle.map(({ path, id }) => `${path}: ${id} is never used`),
      ];
    };
    const bad = [
      source("src/a.ts", 'export const Lost = defineError<{ a: string }>("a.lost", {});'),
      source("src/b.ts", 'export const Gone = defineError<{}>(\n  "a.lost", {}); throw Gone({});'),
    ];
    expect(rule(bad)).toEqual(["src/b.ts: a.lost is declared twice"]);
    expect(rule(bad.slice(0, 1))).toEqual(["src/a.ts: a.lost is never used"]);
    expect(rule(program)).toEqual([]);
  });

  it("that plans and code name by their code are in the catalogue", async () => {
    const rule = (catalogue: ReadonlySet<string>): Rule => {
      const families = [...new Set([...catalogue].map((code) => code.split(".")[0]))].join("|");
      // In these places a text can only be a code; elsewhere in a plan it is one when it looks like one.
      const places = /(?:\b(?:code|exitCodes): |\bcode [!=]== |\b\d+: )"([a-z0-9_]+\.[a-z0-9_.]+)"/g;
      const looks = new RegExp(`(?<!name: |event: |secret\\()"((?:${families})\\.(?!conf")[a-z0-9_]+)"`, "g");
      return (sources) =>
        sources.flatMap(({ path, code }) =>
          [...code.matchAll(/^src\/(?:stack|procedures)\//.test(path) ? looks : places)]
            .map((match) => match[1] ?? "")
            .filter((named) => !catalogue.has(named) && !named.includes("@"))
            .map((named) => `${path}: ${named}`),
        );
    };
    const bad = [
      source(
        "src/procedures/a.ts",
        '{ code: "backup.dump_fialed", exitCodes: { 1: "backup.lost" } } grep("x", "backup.gone")',
      ),
      source("src/engine/b.ts", 'if (error.code === "run.fence") log("run.planned");'),
    ];
    expect(rule(new Set(["backup.dump_failed", "run.fenced"]))(bad)).toEqual([
      "src/procedures/a.ts: backup.dump_fialed",
      "src/procedures/a.ts: backup.lost",
      "src/procedures/a.ts: backup.gone",
      "src/engine/b.ts: run.fence",
    ]);
    const catalogue = new Set((await allErrors()).map(({ code }) => code));
    const declarations = /\/errors\.ts$/;
    expect(rule(catalogue)(program.filter(({ path }) => !declarations.test(path)))).toEqual([]);
  });
});

describe("files", () => {
  it("have no any", () => {
    const rule = findIn(/./, /(?:[:<,|&(]|\bas|=>)\s*any\b|\bany\[\]/g, "without strings");
    const bad = [
      source("src/a.ts", 'const a: any = "b as any"; f(b as any); const c: Record<string, any> = {}; // any'),
    ];
    expect(rule(bad)).toEqual(["src/a.ts: : any", "src/a.ts: as any", "src/a.ts: , any"]);
    expect(rule(all)).toEqual([]);
  });

  it("can be read at one sitting: 400 lines, tests 600", () => {
    const rule: Rule = (sources) =>
      sources
        .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
        .filter(({ path, lines }) => lines > (/\.test\.ts$|^test\//.test(path) ? 600 : 400))
        .map(({ path, lines }) => `${path} has ${lines} lines`);
    expect(rule([source("src/a.ts", "\n".repeat(401)), source("src/a.test.ts", "\n".repeat(600))])).toEqual([
      "src/a.ts has 401 lines",
    ]);
    expect(rule([...all, ...readSources("test"), ...readSources("scripts")])).toEqual([]);
  });
});
