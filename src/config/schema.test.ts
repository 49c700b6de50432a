import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { example } from "./fixtures/example.ts";
import { configSchema } from "./schema.ts";

interface Schema {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

const schema = z.toJSONSchema(configSchema, { io: "input" }) as Schema;

/** Every key of the file with its schema; `*` is any name or position. */
function keysOf(at: Schema, path: string): readonly (readonly [string, Schema])[] {
  const inner = [at.items, typeof at.additionalProperties === "object" ? at.additionalProperties : undefined];
  return [
    ...Object.entries(at.properties ?? {}).flatMap(([key, one]) => [
      [`${path}${key}`, one] as const,
      ...keysOf(one, `${path}${key}.`),
    ]),
    ...[...inner, ...(at.anyOf ?? []), ...(at.oneOf ?? [])].flatMap((one) =>
      one === undefined ? [] : keysOf(one, inner.includes(one) ? `${path}*.` : path),
    ),
  ];
}

describe("the JSON Schema of the configuration", () => {
  const keys = keysOf(schema, "");

  it("says of every key what it means", () => {
    expect(keys.length).toBeGreaterThan(50);
    expect(keys.filter(([, one]) => (one.description ?? "").length < 10).map(([path]) => path)).toEqual([]);
  });

  it("names the unit of every number and duration", () => {
    const numbers = keys.filter(([path]) => /seconds|hours|warn|fail|rto|rpo|jobs|port$/i.test(path));
    expect(numbers.length).toBeGreaterThanOrEqual(10);
    for (const [path, one] of numbers)
      expect([path, one.description]).toEqual([
        path,
        expect.stringMatching(/[Ss]econds|[Hh]ours|[Pp]ercent|unit|Workers|Port/),
      ]);
  });

  it("has the defaults that the program uses", () => {
    const defaults = Object.fromEntries(
      keys.filter(([, one]) => one.default !== undefined).map(([path, one]) => [path, one.default]),
    );
    expect(defaults).toMatchObject({
      "stacks.*.timezone": "Asia/Manila",
      "stacks.*.odoo.modules": "ipai_*",
      "stacks.*.health.disk.warn": 80,
      "stacks.*.objectives.rto": "4h",
      "stacks.*.services.database.port": 5432,
      "control.database": "embedded",
    });
    const read = configSchema.parse(parse(example));
    const stack = Object.values(read.stacks)[0];
    expect([stack?.timezone, stack?.odoo.modules, stack?.health.disk.warn, stack?.objectives.rtoSeconds]).toEqual([
      "Asia/Manila",
      ["ipai_*"],
      80,
      14_400,
    ]);
  });

  it("refuses unknown keys everywhere", () => {
    const open = (at: Schema, path: string): readonly string[] => [
      ...(at.properties !== undefined && at.additionalProperties !== false ? [path] : []),
      ...keysOf(at, path).flatMap(([inner, one]) =>
        one.properties !== undefined && one.additionalProperties !== false ? [inner] : [],
      ),
    ];
    expect(open(schema, "")).toEqual([]);
  });
});
