import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { allFindings } from "../../scripts/docs/findings.ts";
import type { FindingDefinition } from "../../src/errors/finding.ts";

const root = join(import.meta.dirname, "..", "..");

/** The last number of each family. A code is permanent, so a number here may only grow. */
const lastNumbers: Readonly<Record<string, number>> = {
  AUTOMATION: 4,
  BACKUP: 11,
  CACHE: 1,
  CMP: 1,
  CRON: 1,
  DB: 3,
  DEPLOY: 10,
  DISK: 1,
  HTTP: 1,
  MAINTENANCE: 2,
  MEM: 1,
  ODOO: 1,
  RECOVERY: 3,
  RESOURCE: 1,
  SETUP: 21,
  WAL: 1,
};

const permanent = Object.entries(lastNumbers).flatMap(([family, last]) =>
  Array.from({ length: last }, (_, index) => `IPAI-${family}-${String(index + 1).padStart(3, "0")}`),
);

interface Source {
  readonly path: string;
  readonly text: string;
}

function readProgram(): readonly Source[] {
  return readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => ({ path: `src/${name}`, text: readFileSync(join(root, "src", name), "utf8") }));
}

/** Codes that nobody declared, and answers that write a code down themselves. */
function namingFaults(sources: readonly Source[], known: readonly string[]): readonly string[] {
  return sources.flatMap(({ path, text }) => [
    ...[...text.matchAll(/IPAI-[A-Z]+-\d+/g)]
      .map(([code]) => code)
      .filter((code) => !known.includes(code))
      .map((code) => `${path}: ${code} is declared nowhere`),
    ...[...text.matchAll(/code: [`"](IPAI-[^`"]*)/g)].map(([, code]) => `${path}: ${code} is not from its declaration`),
  ]);
}

/** Clauses stand behind "asked:" and the like; what to do first is a sentence. One that is never other than well finds nothing. */
function speechFaults({ code, asks, warns, fails, first }: FindingDefinition): readonly string[] {
  const clauses = [asks, warns, fails].filter((clause) => clause !== undefined);
  return [
    ...clauses.filter((clause) => !/^[a-z0-9`].*[^.]$/.test(clause)).map((clause) => `${code}: no clause: ${clause}`),
    ...(/^[A-Z`].*[.?]$/.test(first) ? [] : [`${code}: no sentence: ${first}`]),
    ...(warns === undefined && fails === undefined ? [`${code}: it neither warns nor fails`] : []),
  ];
}

describe("findings", () => {
  it("are all declared, under codes that stay", async () => {
    const codes = (await allFindings()).map(({ code }) => code);
    expect(codes).toEqual(permanent.toSorted());
  });

  it("are named by code only where they are declared, and rightly elsewhere", async () => {
    const known = (await allFindings()).map(({ code }) => code);
    const bad = [{ path: "src/a.ts", text: 'hint: "see IPAI-NONE-001"; ({ code: "IPAI-DB-001" })' }];
    expect(namingFaults(bad, known)).toEqual([
      "src/a.ts: IPAI-NONE-001 is declared nowhere",
      "src/a.ts: IPAI-DB-001 is not from its declaration",
    ]);
    expect(namingFaults(readProgram(), known)).toEqual([]);
  });

  it("say what is asked, when it is not well, and what to do first", async () => {
    const mute = { code: "IPAI-X-001", title: "X", asks: "Whether it is well.", first: "do it" };
    expect(speechFaults(mute)).toEqual([
      "IPAI-X-001: no clause: Whether it is well.",
      "IPAI-X-001: no sentence: do it",
      "IPAI-X-001: it neither warns nor fails",
    ]);
    expect((await allFindings()).flatMap(speechFaults)).toEqual([]);
  });
});
