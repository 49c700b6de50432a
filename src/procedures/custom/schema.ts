import { z } from "zod";
import { duration, environmentName, text } from "../../config/values.ts";

/**
 * A procedure of the user's own as its file says it: the words of the language of plans, with defaults. Error messages, the JSON Schema
 * for editors and the types come from here. What one key cannot tell is told where it is compiled.
 */

/** Numbers are fine where a program gets a word. */
const word = z
  .union([z.string(), z.number()], "must be text or a number")
  .transform(String)
  .describe(
    "Text, in which ${input.NAME}, ${facts.NAME}, ${steps.ID.OUTPUT}, ${run.id} and ${stack.NAME} are replaced",
  );
const argv = z.array(word).min(1, "must name a program");
const env = z
  .record(environmentName, word)
  .optional()
  .describe("Environment variables. ${secret.NAME} may be a whole value");
const stdin = z.string().optional().describe("Standard input. ${secret.NAME} may be the whole of it");
const mergeStderr = z.boolean().optional().describe("Sends standard error down the pipeline too");
const program = z.union(
  [argv, z.strictObject({ command: argv.describe("A program with its arguments"), env, stdin, mergeStderr })],
  "must be a list of words, or have command",
);
const request = z.strictObject({
  url: text.describe("Address, such as ${stack.url}/web/health"),
  method: z.enum(["GET", "POST"]).default("GET").describe("GET or POST"),
  headers: z.record(z.string(), word).optional().describe("Headers; they show in commands, so no secrets"),
  body: z.string().optional().describe("Body. ${secret.NAME} may be the whole of it"),
  authority: text
    .optional()
    .describe("File with the certificate of a private authority; the stack's for its own address"),
  timeout: duration.prefault("30s").describe("How long the whole request may take, with unit"),
});

/** What asks or acts. Which keys belong together is in `kinds.ts`. */
const doing = {
  command: argv.optional().describe("A program with its arguments, one item each; no shell is involved"),
  pipeline: z.array(program).min(1).optional().describe("Several programs, each reading what the one before prints"),
  sql: text
    .optional()
    .describe("SQL for psql. Values are parameters: :'name' for a literal, :\"name\" for an identifier"),
  python: text
    .optional()
    .describe("Python in Odoo's shell: `env` is there, values are in os.environ, and only env.cr.commit() keeps"),
  http: z
    .union([text.transform((url) => request.parse({ url })), request], "must be an address, or have url")
    .optional()
    .describe("A request; redirects are not followed"),
  on: text
    .optional()
    .describe(
      "Where: host (usual), tools, database (as PostgreSQL's user), odoo (as Odoo's user), or a service by its name",
    ),
  env,
  stdin,
  mergeStderr,
  values: z
    .record(z.string().regex(/^[A-Za-z_]\w*$/, "must be a word"), word)
    .optional()
    .describe("Values for sql or python"),
  database: text.optional().describe("Database for sql; Odoo's when absent"),
  okExitCodes: z.array(z.int()).min(1).optional().describe("Exit codes that are an answer and not a failure"),
};

const reading = {
  from: z
    .enum(["stdout", "stderr", "exitCode", "status", "body"])
    .optional()
    .describe("What is read; stdout when absent, and the status of a request"),
  as: z.enum(["text", "number", "json", "jsonLines"]).optional().describe("How it is read; as text when absent"),
  pick: z
    .array(z.union([z.string(), z.int()]))
    .optional()
    .describe("A path into JSON; -1 is the last of a list"),
};

const expected = z.union([z.string(), z.number(), z.boolean()], "must be text, a number, true or false").optional();
const comparing = {
  is: expected.describe("The answer is this"),
  atMost: expected.describe("The answer is a number and not above this"),
  atLeast: expected.describe("The answer is a number and not below this"),
  contains: expected.describe("The answer, a text or a list, has this"),
  lacks: expected.describe('The answer does not have this; "" asks for an empty answer'),
};

const probe = z
  .strictObject({
    title: text.optional().describe("What holds when the answer is yes"),
    ...doing,
    ...reading,
    ...comparing,
  })
  .describe("A question with the answer that is wanted. A command without one is asked whether it succeeds");

const output = z.union(
  [z.enum(["text", "number", "json", "jsonLines"]), z.strictObject(reading)],
  "must be text, number, json or jsonLines, or have from, as and pick",
);

const seconds = (what: string) => duration.optional().describe(`${what}, with unit`);
const id = z
  .string()
  .regex(/^[a-z][a-z0-9]*([-_][a-z0-9]+)*$/, "must begin with a letter and have only a-z, 0-9, - and _")
  .describe("Its name in the journal; once in the file");
const effect = z.enum(["read", "change", "destroy"]);
const undoClass = z.enum(["instant", "restore", "irreversible"]);

const single = z.strictObject({
  id,
  title: text.optional().describe("What it does, for people; ${input.NAME} and ${facts.NAME} are replaced"),
  when: text
    .optional()
    .describe(
      "Takes the step only if this is true: ${steps.ID.OUTPUT}, ${facts.NAME} or ${input.NAME}, the whole value",
    ),
  ...doing,
  write: z
    .strictObject({
      path: text.describe("Path of the file"),
      content: z.string().describe("All that is in it"),
      mode: z
        .string()
        .regex(/^[0-7]{3,4}$/, "must be octal, in quotes")
        .default("0644")
        .describe("Octal, as chmod takes it"),
    })
    .optional()
    .describe("A file, written whole; among the tools when `on` is absent"),
  start: text.optional().describe("A service to start, by its name or as odoo (all of them), database, cache or proxy"),
  stop: text.optional().describe("A service to stop, named as for start"),
  require: probe.optional().describe("What must hold, or the plan goes no further"),
  wait: z
    .strictObject({
      ...probe.shape,
      serving: text
        .optional()
        .describe("The login page is served: odoo (by all of them), a service, or public (at the public address)"),
      until: text.optional().describe("An instant, such as 2026-11-25T18:00:00Z"),
      signal: text.optional().describe("A word that a person gives with `ipai runs signal`"),
    })
    .optional()
    .describe("Waits for an answer, for a served page, for an instant or for a person"),
  procedure: text.optional().describe("Another procedure, planned when it is reached"),
  pivot: text.optional().describe("Why a failure after this is not taken back by itself, such as: users are back"),
  effect: effect.optional().describe("What it does to the stack; change when absent"),
  outputs: z
    .record(z.string().regex(/^[a-z]\w*$/i, "must be a word"), output)
    .optional()
    .describe("What later steps may use, by name"),
  done: probe.optional().describe("Asked before: yes means that there is nothing to do"),
  verify: z.array(probe).optional().describe("Asked afterwards: what must be true of the world"),
  onFail: z.enum(["undo", "continue", "ask"]).optional().describe("What a failure means; undo when absent"),
  onInterrupt: z
    .enum(["again", "undo", "ask"])
    .optional()
    .describe("What to do when the program died in the middle; again for what reads or says when it is done, else ask"),
  timeout: seconds("How long it may take; 5m when absent, 2m for what only reads"),
  attempts: z.int().min(1).optional().describe("How often it is tried; once, and three times to take something back"),
  undoClass: undoClass.optional().describe("Makes the whole procedure's undo at least this"),
  forecast: seconds("How long it usually takes"),
  onTimeout: z
    .enum(["undo", "continue", "ask"])
    .optional()
    .describe("What it means when the wait was in vain; undo when absent"),
  input: z.record(z.string(), z.json()).optional().describe("Input of the procedure"),
  mandate: z
    .strictObject({
      risk: effect.default("change").describe("The most that it may do"),
      undo: undoClass.default("instant").describe("The worst way in which it may have to be taken back"),
    })
    .optional()
    .describe("What is consented to for the procedure"),
});

/** A step with those inside it. */
export interface StepSpec extends z.output<typeof single> {
  readonly bracket?: Record<"open" | "body" | "close", readonly StepSpec[]> | undefined;
  readonly parallel?: readonly StepSpec[] | undefined;
  readonly undo?: "nothing" | "irreversible" | readonly StepSpec[] | undefined;
}

const step: z.ZodType<StepSpec> = z.strictObject({
  ...single.shape,
  get bracket() {
    const closing = {
      open: steps.describe("What opens; it may be repeated"),
      body: steps.describe("What is done in between"),
      close: steps.describe("What closes, whatever happened; it may be repeated"),
    };
    return z
      .strictObject(closing)
      .optional()
      .describe("Opens, does the body, and closes on success, undo and cancel alike");
  },
  get parallel() {
    return steps.optional().describe("Steps that only read, at the same time");
  },
  get undo() {
    return z
      .union([z.enum(["nothing", "irreversible"]), steps], "must be nothing, irreversible or a list of steps")
      .optional()
      .describe("What takes it back: steps, nothing, or irreversible");
  },
});
const steps = z.array(step).min(1, "must have at least one step");

const input = z.strictObject({
  type: z.enum(["text", "number", "boolean", "choice"]).default("text").describe("What it is"),
  choices: z.array(text).min(1).optional().describe("Of a choice: what there is"),
  default: expected.describe("What it is when nobody says; without it, it must be said"),
  pattern: text.optional().describe("Regular expression that the whole of a text must fit"),
  description: text.optional().describe("What it is for"),
});

export const fileSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9]*([ -][a-z0-9]+)*$/, "must be words of a-z and 0-9, with a blank or - between them")
      .describe("How it is called: ipai run NAME"),
    title: text.describe("What it does, in a few words; ${input.NAME} and ${facts.NAME} are replaced"),
    summary: text.describe("What it does for whom, in a sentence or two"),
    chapter: z
      .string()
      .regex(/^[a-z]+$/, "must be a word of a-z")
      .default("custom")
      .describe("Chapter of the runbook that it belongs to; notifications are routed by it"),
    lease: z
      .enum(["none", "shared", "exclusive"])
      .optional()
      .describe("What it needs of the stack; exclusive when it changes something, else none"),
    announce: z
      .array(duration)
      .default([])
      .describe("So long before it begins it is announced, when it has been planned for a time, with units"),
    notes: z.array(text).default([]).describe("What a person should know before consenting"),
    input: z
      .record(z.string().regex(/^[a-z]\w*$/i, "must be a word"), input)
      .default({})
      .describe("What whoever runs it says, by name"),
    facts: z
      .record(z.string().regex(/^[a-z]\w*$/i, "must be a word"), z.strictObject({ ...doing, ...reading }))
      .default({})
      .describe("Questions that only read. The plan is bound to the answers: another answer makes another plan"),
    steps: steps.describe("What is done, in order"),
  })
  .describe("A procedure of your own");

export type Definition = z.output<typeof fileSchema>;
export type ProbeSpec = z.output<typeof probe>;
export type WaitSpec = NonNullable<StepSpec["wait"]>;
export type InputSpec = z.output<typeof input>;
export type FactSpec = Definition["facts"][string];
export type OutputSpec = z.output<typeof output>;
/** What all of them have that ask or act. */
export type Doing = Pick<FactSpec, keyof typeof doing> & Pick<StepSpec, "write">;
export type Reading = Pick<FactSpec, keyof typeof reading>;
