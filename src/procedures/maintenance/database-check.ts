import { z } from "zod";
import { command, type Probe } from "../../runbook/action.ts";
import type { Act, Plan } from "../../runbook/plan.ts";
import { output } from "../../runbook/value.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { read, require } from "../steps.ts";
import { DatabaseCheckImpossible } from "./errors.ts";
import { integritySql } from "./integrity-sql.ts";

const input = z.object({});
type NoInput = z.infer<typeof input>;

interface CheckFacts {
  readonly databaseBytes: number;
}

export const databaseCheck: Procedure<NoInput, CheckFacts> = {
  name: "database check",
  chapter: "maintenance",
  version: 1,
  risk: "read",
  title: "Integrity of the database",
  summary:
    "Reads every page of its tables and B-tree indexes, looks for every row of a table in its indexes, and whether pages have checksums, so that damage is " +
    "found before the backups that are still good have been removed. Users go on working; nothing is changed.",
  input,
  facts: readCheckFacts,
  plan: planCheck,
};

const factsSql = `
select json_build_object('databaseBytes', pg_database_size(current_database()),
  'isPossible', exists (select from pg_available_extensions where name = 'amcheck'));
`;
const facts = z.object({ databaseBytes: z.number(), isPossible: z.boolean() });

async function readCheckFacts({ stack, json }: FactReader): Promise<CheckFacts> {
  const { databaseBytes, isPossible } = facts.parse(
    await json(stack.postgres.query(stack.config.odoo.database, factsSql)),
  );
  if (!isPossible) throw DatabaseCheckImpossible({ stack: stack.name });
  return { databaseBytes };
}

function planCheck(stack: Stack, _input: NoInput, { databaseBytes }: CheckFacts): Plan {
  const { database } = stack.config.odoo;
  return {
    procedure: databaseCheck.name,
    version: databaseCheck.version,
    stack: stack.name,
    title: `Check every page of ${database}`,
    input: {},
    facts: {},
    // An upgrade would wait for the locks of a reader, and the reader for its own.
    lease: "shared",
    notes: [
      "What it needs in the database is made in a transaction that is never committed: nobody sees it, and nothing is left.",
      "Like a dump it keeps VACUUM from removing what dies meanwhile.",
    ],
    steps: [
      read(
        {
          id: "pages",
          title: "Read every table and every B-tree index",
          action: stack.postgres.query(database, integritySql),
          outputs: {
            answer: { from: "stdout", as: "json" },
            damaged: { from: "stdout", as: "json", pick: ["damagedWords"] },
            skipped: { from: "stdout", as: "json", pick: ["skippedWords"] },
          },
        },
        { timeoutSeconds: 6 * 3600, forecastSeconds: 1 + Math.ceil(databaseBytes / bytesPerSecond) },
      ),
      note(stack),
      isSound(stack),
    ],
  };
}

/** Measured on the test machine, out of its page cache; only used to say how long it will take. */
const bytesPerSecond = 60_000_000;

function note(stack: Stack): Act {
  const given = { stack: stack.name, answer: output("pages", "answer") };
  return read(
    {
      id: "note",
      title: "Note what was found",
      action: { kind: "call", name: "maintenance.record_integrity", version: 1, input: given },
      outputs: {},
    },
    { timeoutSeconds: 30 },
  );
}

/** Damage, and what could not be read, are two things to be told. */
function isSound(stack: Stack): Act {
  const none = (name: string) =>
    ({
      action: command(stack.tools, ["printf", "%s", output("pages", name)]),
      output: { from: "stdout" },
      compare: "absent",
      with: "",
    }) as const;
  const whole: Probe = { ...none("damaged"), title: "nothing is damaged", code: "database.damaged" };
  const complete: Probe = { ...none("skipped"), title: "everything was read", code: "database.check_incomplete" };
  return require({ id: "sound", title: "The database is sound", probe: whole }, { verify: [whole, complete] });
}
