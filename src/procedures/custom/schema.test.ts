import { describe, expect, it } from "vitest";
import { z } from "zod";
import { questions, steps } from "./kinds.ts";
import { fileSchema } from "./schema.ts";

interface Schema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

const schema = z.toJSONSchema(fileSchema, { io: "input" }) as Schema;

/** Every key with its schema; what refers to what is around it is not followed again. */
function keysOf(at: Schema, path: string, around: readonly string[] = []): readonly (readonly [string, Schema])[] {
  if (at.$ref !== undefined) {
    const found = schema.$defs?.[at.$ref.split("/").at(-1) ?? ""];
    return found === undefined || around.includes(at.$ref) ? [] : keysOf(found, path, [...around, at.$ref]);
  }
  const more = typeof at.additionalProperties === "object" ? [at.additionalProperties] : [];
  return [
    ...Object.entries(at.properties ?? {}).flatMap(([key, one]) => [
      [`${path}${key}`, one] as const,
      ...keysOf(one, `${path}${key}.`, around),
    ]),
    ...[...more, ...(at.items === undefined ? [] : [at.items])].flatMap((one) => keysOf(one, `${path}*.`, around)),
    ...(at.anyOf ?? []).flatMap((one) => keysOf(one, path, around)),
  ];
}

describe("the JSON Schema of a procedure's file", () => {
  const keys = keysOf(schema, "");

  it("says of every key what it means", () => {
    expect(keys.map(([path]) => path)).toEqual(
      expect.arrayContaining(["steps.*.bracket.open", "facts.*.sql", "input.*.type"]),
    );
    expect(keys.length).toBeGreaterThan(100);
    expect(keys.filter(([, one]) => (one.description ?? "").length < 8).map(([path]) => path)).toEqual([]);
  });

  it("has every key that a kind of step or question has, and no other", () => {
    const own = keys.flatMap(([path]) => /^steps\.\*\.(\w+)$/.exec(path)?.[1] ?? []);
    const known = new Set(["id", "title", "when", ...Object.entries(steps).flatMap(([kind, more]) => [kind, ...more])]);
    expect(new Set(own)).toEqual(known);
    expect(Object.keys(questions).filter((kind) => !own.includes(kind))).toEqual([]);
  });
});
