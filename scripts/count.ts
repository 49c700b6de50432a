import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";

/**
 * The closing lines of a run of the tests: `node scripts/count.ts FOLDER`, where FOLDER has the JSON report of each suite (`NAME.json`)
 * and of the files of it that were run once more (`NAME.again.json`). What failed is named with its first lines. A test that failed, and
 * did not when its file was run again, counts as passed and is named as unstable: it is one to mend, and no proof of a fault here.
 */

interface Test {
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
  readonly message: string;
}
interface Report {
  readonly tests?: Partial<Record<Test["status"], number>>;
  /** What a suite printed that ended badly without a test that failed. */
  readonly ended?: string;
  readonly testResults?: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** What is no suite of vitest's has its counts only. */
function testsOf({ tests = {}, ended, testResults = [] }: Report, suite: string): readonly Test[] {
  const counted = (["passed", "failed", "skipped"] as const).flatMap((status) =>
    Array.from({ length: tests[status] ?? 0 }, () => ({ name: suite, status, message: "see above" })),
  );
  const end = ended === undefined ? [] : [{ name: `${suite}: its end`, status: "failed", message: ended } as const];
  return [...counted, ...testResults.flatMap(ofFile), ...end];
}

function ofFile({ name: file, status, message, assertionResults }: NonNullable<Report["testResults"]>[number]) {
  const found = assertionResults.map(({ fullName, status: ended, failureMessages }): Test => {
    const known = ended === "passed" || ended === "failed" ? ended : "skipped";
    return { name: `${basename(file)}: ${fullName}`, status: known, message: failureMessages[0] ?? "" };
  });
  // A file whose preparation failed has no test that did.
  const isLost = status === "failed" && !found.some((one) => one.status === "failed");
  return isLost
    ? [...found, { name: `${basename(file)}: its preparation`, status: "failed", message } as const]
    : found;
}

/** The tests of a suite as they are after its failed files were run again, and the names of those that only failed once. */
export function settle(first: readonly Test[], again: readonly Test[]) {
  // Of two tests of one name the one that failed stands for both.
  const later = new Map(again.toSorted((one, other) => weight(one) - weight(other)).map((one) => [one.name, one]));
  const isLost = ({ name }: Test) => name.endsWith(": its preparation") || name.endsWith(": its end");
  const tests = first.flatMap(
    (one) => after(one, later.get(one.name)) ?? (isLost(one) && again.length > 0 ? [] : [one]),
  );
  const added = again.filter((one) => !first.some(({ name }) => name === one.name));
  const settled = [...tests, ...added];
  const stillFailed = new Set(settled.filter(({ status }) => status === "failed").map(({ name }) => name));
  return {
    tests: settled,
    unstable: first.filter(({ name, status }) => status === "failed" && !stillFailed.has(name)),
  };
}

/** One that failed, and that nobody asked again, has failed. */
function after(first: Test, later: Test | undefined): Test | undefined {
  return first.status === "failed" && later?.status === "skipped" ? first : later;
}

const weight = ({ status }: Test) => (status === "failed" ? 1 : 0);

async function readTests(folder: string, name: string, suite = name): Promise<readonly Test[]> {
  return testsOf(JSON.parse(await readFile(join(folder, `${name}.json`), "utf8")) as Report, suite);
}

const say = (line: string) => process.stdout.write(`${line}\n`);
const firstLines = (message: string) => message.trim().split("\n").slice(0, 12).join("\n  ");

async function count(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((file) => file.endsWith(".json")).map((file) => basename(file, ".json"));
  const suites = await Promise.all(
    names
      .filter((name) => !name.endsWith(".again"))
      .map(async (name) => {
        const again = names.includes(`${name}.again`) ? await readTests(folder, `${name}.again`, name) : [];
        return settle(await readTests(folder, name), again);
      }),
  );
  const tests = suites.flatMap((suite) => suite.tests);
  const of = (status: Test["status"]) => tests.filter((one) => one.status === status);
  for (const { name, message } of suites.flatMap(({ unstable }) => unstable))
    say(`UNSTABLE (failed, and passed when its file was run again) ${name}\n  ${firstLines(message)}`);
  for (const { name, message } of of("failed")) say(`FAILED ${name}\n  ${firstLines(message)}`);
  say(`\n${of("passed").length} passed, ${of("failed").length} failed, ${of("skipped").length} skipped`);
  if (of("failed").length > 0) process.exitCode = 1;
}

const [, script, folder] = process.argv;
if (script === import.meta.filename && folder !== undefined) await count(folder);
