/** What is kept of a command's output and how it is cut into lines. */

/** Standard output beyond this is read and thrown away. */
export const stdoutBytesMax = 32 * 1024 * 1024;
/** Of standard error the end is kept. */
export const stderrBytesMax = 256 * 1024;
/** Longer lines lose their rest. */
export const lineBytesMax = 8 * 1024;

/** Keeps the first bytes. */
export class Head {
  readonly #chunks: Buffer[] = [];
  readonly #bytesMax: number;
  #bytes = 0;
  truncated = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(chunk: Buffer): void {
    const room = this.#bytesMax - this.#bytes;
    if (chunk.length > room) this.truncated = true;
    if (room <= 0) return;
    this.#chunks.push(chunk.subarray(0, room));
    this.#bytes += Math.min(room, chunk.length);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}

/** Keeps the last bytes. */
export class Tail {
  readonly #bytesMax: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > 2 * this.#bytesMax) this.#shrink();
  }

  text(): string {
    this.#shrink();
    return Buffer.concat(this.#chunks).toString("utf8");
  }

  #shrink(): void {
    const kept = Buffer.concat(this.#chunks).subarray(-this.#bytesMax);
    // A copy, so that the large buffer behind the view is released.
    this.#chunks = [Buffer.from(kept)];
    this.#bytes = kept.length;
  }
}

/** Cuts a stream of bytes into lines. Bytes that are not UTF-8 become U+FFFD; a carriage return at the end goes away. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #line: Buffer[] = [];
  #bytes = 0;
  #open = false;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  add(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#append(chunk.subarray(start, end));
      this.#flush();
      start = end + 1;
    }
    if (start < chunk.length) this.#append(chunk.subarray(start));
  }

  /** Hands out a last line that has no line break. */
  end(): void {
    if (this.#open) this.#flush();
  }

  #append(part: Buffer): void {
    this.#open = true;
    const room = lineBytesMax - this.#bytes;
    if (room <= 0 || part.length === 0) return;
    this.#line.push(part.subarray(0, room));
    this.#bytes += Math.min(room, part.length);
  }

  #flush(): void {
    const line = Buffer.concat(this.#line).toString("utf8");
    this.#line = [];
    this.#bytes = 0;
    this.#open = false;
    this.#onLine(line.endsWith("\r") ? line.slice(0, -1) : line);
  }
}

/** The end of an output as errors carry it: at most 20 lines and 8 KiB. */
export function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-20).join("\n").slice(-8192);
}
