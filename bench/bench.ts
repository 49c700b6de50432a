/** One thing that is measured several times, and how much of it is allowed. */
export interface Bench {
  readonly name: string;
  /** What one measurement is, in words. */
  readonly title: string;
  /** `ratio`: ours to the other's, both measured in one run on the same data. */
  readonly unit: "ms" | "s" | "ratio" | "answers";
  /** At most this much. Without one the number is only told. */
  readonly goal?: number;
  /** Takes minutes: measured only when it is named. */
  readonly isLong?: boolean;
  measure(): Promise<readonly number[]>;
  /** Of what was measured, in words: both sides of a ratio. */
  explain?(): string;
}

export interface Measured {
  readonly name: string;
  readonly title: string;
  readonly unit: Bench["unit"];
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly goal: number | null;
  readonly isMet: boolean | null;
  readonly explanation: string | null;
}

export async function run(bench: Bench): Promise<Measured> {
  const { name, title, unit, goal } = bench;
  const values = (await bench.measure()).toSorted((a, b) => a - b);
  const middle = median(values);
  return {
    name,
    title,
    unit,
    median: middle,
    min: values.at(0) ?? Number.NaN,
    max: values.at(-1) ?? Number.NaN,
    count: values.length,
    goal: goal ?? null,
    isMet: goal === undefined ? null : middle <= goal,
    explanation: bench.explain?.() ?? null,
  };
}

/** Of sorted values. */
export function median(values: readonly number[]): number {
  const upper = values[Math.floor(values.length / 2)] ?? Number.NaN;
  const lower = values[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** Milliseconds that each of `count` calls takes, after one that warms up. */
export async function time(count: number, work: () => Promise<unknown>): Promise<readonly number[]> {
  await work();
  const values: number[] = [];
  for (let index = 0; index < count; index++) {
    const startedAt = performance.now();
    await work();
    values.push(performance.now() - startedAt);
  }
  return values;
}
