import { inspect } from "node:util";
import type { Secret } from "../config/secret.ts";
import { catalogue, type ErrorDefinition, toIpaiError } from "../errors/error.ts";
import type { Json } from "../runbook/value.ts";

/** Shorter secrets are not looked for: they would be found everywhere. */
const lengthMin = 6;
const mask = "[secret]";

/**
 * Takes secrets out of what a host answers, because programs print what they were given. It finds a secret as it is, each line of
 * one that has several, its URL-encoded and its JSON-escaped form; and, where an output was cut in the middle of one, its part at
 * the edge. It cannot find what a program encodes otherwise (base64, a hash).
 */
export class Redactor {
  readonly #forms = new Set<string>();
  #pattern: RegExp | undefined;

  add(secret: Secret): Secret {
    for (const form of formsOf(secret.reveal())) if (form.length >= lengthMin) this.#forms.add(form);
    const longestFirst = [...this.#forms].sort((a, b) => b.length - a.length);
    this.#pattern = longestFirst.length === 0 ? undefined : new RegExp(longestFirst.map(escapeRegExp).join("|"), "g");
    return secret;
  }

  text(text: string): string {
    if (this.#pattern === undefined) return text;
    return this.#cutStart(this.#cutEnd(text.replaceAll(this.#pattern, mask)));
  }

  json(value: Json): Json {
    if (typeof value === "string") return this.text(value);
    if (value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map((item) => this.json(item));
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.text(key), this.json(item)]));
  }

  /** The error itself when neither it nor its causes show a secret, else the same error without them and without its cause. */
  error(thrown: unknown): unknown {
    const error = toIpaiError(thrown);
    const shown = inspect(thrown, { depth: 8 }) + JSON.stringify(error.details);
    if (this.text(shown) === shown) return thrown;
    const definition = catalogue.get(error.code) as unknown as ErrorDefinition<object>;
    return definition(this.json(JSON.parse(JSON.stringify(error.details))) as object);
  }

  #cutEnd(text: string): string {
    for (const form of this.#forms)
      for (let length = form.length - 1; length >= lengthMin; length -= 1)
        if (text.endsWith(form.slice(0, length))) return text.slice(0, -length) + mask;
    return text;
  }

  #cutStart(text: string): string {
    for (const form of this.#forms)
      for (let start = 1; start <= form.length - lengthMin; start += 1)
        if (text.startsWith(form.slice(start))) return mask + text.slice(form.length - start);
    return text;
  }
}

function formsOf(secret: string): readonly string[] {
  const plain = [secret.trim(), ...secret.split("\n").map((line) => line.trim())];
  return plain.flatMap((form) => [form, encodeURIComponent(form.toWellFormed()), JSON.stringify(form).slice(1, -1)]);
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}
