import { parseArgs } from "node:util";
import { backupBenches } from "./backup.ts";
import { type Measured, run } from "./bench.ts";
import { cliBenches } from "./cli.ts";
import { deployBenches } from "./deploy.ts";
import { engineBenches } from "./engine.ts";
import { journalBenches } from "./journal.ts";

/**
 * Measures what the program promises to be fast at: `npm run bench [-- NAME…] [--json] [--check]`. Every number is the median of
 * several measurements on this machine as it is now. With `--check` a missed goal is exit code 1. What takes minutes is only measured
 * when it is named: `npm run bench -- backup`.
 */
const { values, positionals } = parseArgs({
  options: { json: { type: "boolean" }, check: { type: "boolean" }, list: { type: "boolean" } },
  allowPositionals: true,
});
const all = [...cliBenches, ...engineBenches, ...journalBenches, ...backupBenches, ...deployBenches];
const chosen =
  positionals.length === 0
    ? all.filter(({ isLong }) => isLong !== true || values.list === true)
    : all.filter(({ name }) => positionals.some((one) => name.startsWith(one)));

if (values.list === true) {
  for (const { name, title } of chosen) process.stdout.write(`${name.padEnd(18)} ${title}\n`);
} else {
  const results: Measured[] = [];
  for (const bench of chosen) {
    const measured = await run(bench);
    results.push(measured);
    if (values.json !== true) process.stdout.write(`${describe(measured)}\n`);
  }
  if (values.json === true) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  if (values.check === true && results.some(({ isMet }) => isMet === false)) process.exitCode = 1;
}

function describe({ name, title, unit: given, median, min, max, count, goal, isMet, explanation }: Measured): string {
  const unit = given === "ratio" ? "×" : given;
  const verdict = isMet === null ? "" : isMet ? `✓ ≤ ${goal} ${unit}` : `✗ > ${goal} ${unit}`;
  const spread = `(${round(min)}–${round(max)}, ${count} times)`;
  return `${name.padEnd(18)} ${`${round(median)} ${unit}`.padStart(12)}  ${spread.padEnd(26)} ${verdict.padEnd(12)} ${title}${
    explanation === null ? "" : ` (${explanation})`
  }`;
}

function round(value: number): string {
  return value >= 100 || value === 0 ? value.toFixed(0) : value.toPrecision(3);
}
