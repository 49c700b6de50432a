import { type Document, isAlias, isCollection, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from "yaml";
import type { Problem } from "./errors.ts";

/** A YAML text with the place of everything that is in it. */
export class ConfigDocument {
  /** Faults of the text itself; when there is one, `value` is undefined. */
  readonly faults: readonly Problem[];
  /** What the text says; undefined for an empty one. */
  readonly value: unknown;
  readonly #document: Document;
  readonly #lines = new LineCounter();

  constructor(text: string) {
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, merge: true });
    // A warning is a tag that is not understood: the value would silently be something else.
    const errors = [...this.#document.errors, ...this.#document.warnings];
    const syntax = errors.map((error) => this.#problem(error.pos[0], firstLine(error.message)));
    const faults = [...syntax, ...(syntax.length === 0 ? this.#unresolved() : [])];
    const read = faults.length === 0 ? this.#read() : { faults };
    this.faults = read.faults;
    this.value = "value" in read ? read.value : undefined;
  }

  /** A problem with what lies at a path: placed at its key, or at the nearest thing around it that is there. */
  at(path: readonly PropertyKey[], message: string): Problem {
    return this.#problem(this.#offsetOf(path), message);
  }

  /** Names that stand for nothing: YAML's parser would only notice them when it is asked for the values. */
  #unresolved(): readonly Problem[] {
    const found: Problem[] = [];
    visit(this.#document, {
      Alias: (_, alias) => {
        if (alias.resolve(this.#document) === undefined)
          found.push(
            this.#problem(
              alias.range?.[0] ?? 0,
              `*${alias.source} stands for nothing: there is no &${alias.source} before it`,
            ),
          );
      },
    });
    return found;
  }

  #read(): { readonly faults: readonly Problem[]; readonly value?: unknown } {
    try {
      return { faults: [], value: this.#document.toJS() ?? undefined };
    } catch (error) {
      // References to references to references, or a merge of what is no map.
      return { faults: [this.#problem(0, error instanceof Error ? firstLine(error.message) : String(error))] };
    }
  }

  #offsetOf(path: readonly PropertyKey[]): number {
    let node: unknown = this.#document.contents;
    let offset = startOf(node);
    for (const part of path) {
      const inner = stepInto(this.#resolve(node), part);
      if (inner === undefined) return offset;
      offset = startOf(inner.place);
      node = inner.node;
    }
    return offset;
  }

  #resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  #problem(offset: number, message: string): Problem {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col), message };
  }
}

/** The value of a key or at a position of a list, and where it is named. */
function stepInto(node: unknown, part: PropertyKey): { readonly node: unknown; readonly place: unknown } | undefined {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(part));
    return pair === undefined ? undefined : { node: pair.value, place: pair.key };
  }
  const item = isCollection(node) ? node.items[Number(part)] : undefined;
  return item === undefined ? undefined : { node: item, place: item };
}

function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? text;
}
