import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-count-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const script = join(import.meta.dirname, "../../scripts/count.ts");
const counted = () => spawnSync(process.execPath, [script, folder], { encoding: "utf8" });

/** A report of vitest's of one file: its tests, each with how it ended. */
function report(name: string, tests: Readonly<Record<string, string>>, status = "passed", message = "") {
  const assertionResults = Object.entries(tests).map(([fullName, ended]) => ({
    fullName,
    status: ended,
    failureMessages: ended === "failed" ? [`${fullName} is wrong\n  at a line`] : [],
  }));
  const file = { name: "/tests/one.test.ts", status, message, assertionResults };
  return writeFile(join(folder, `${name}.json`), JSON.stringify({ testResults: [file] }));
}

it("counts what passed, failed and was skipped, and names what failed", async () => {
  await report("one", { a: "passed", b: "failed", c: "skipped" }, "failed");
  await writeFile(join(folder, "lint.json"), JSON.stringify({ tests: { passed: 1 } }));
  const { stdout, status } = counted();
  expect(stdout).toBe("FAILED one.test.ts: b\n  b is wrong\n    at a line\n\n2 passed, 1 failed, 1 skipped\n");
  expect(status).toBe(1);
});

it("counts a test as it was when its file was run again, and says that it is unstable", async () => {
  await report("one", { a: "passed", b: "failed" }, "failed");
  await report("one.again", { a: "passed", b: "passed" });
  const { stdout, status } = counted();
  expect(stdout).toContain("UNSTABLE (failed, and passed when its file was run again) one.test.ts: b\n  b is wrong");
  expect(stdout).toContain("\n2 passed, 0 failed, 0 skipped\n");
  expect(status).toBe(0);
});

it("counts what fails twice, and what fails only the second time, as failed", async () => {
  await report("one", { a: "passed", b: "failed" }, "failed");
  await report("one.again", { a: "failed", b: "failed" }, "failed");
  const { stdout, status } = counted();
  expect(stdout).toContain("\n0 passed, 2 failed, 0 skipped\n");
  expect(stdout).not.toContain("UNSTABLE");
  expect(status).toBe(1);
});

it("counts what failed and was skipped the second time as failed", async () => {
  await report("one", { a: "failed" }, "failed");
  await report("one.again", { a: "skipped" });
  const { stdout, status } = counted();
  expect(stdout).toContain("\n0 passed, 1 failed, 0 skipped\n");
  expect(stdout).not.toContain("UNSTABLE");
  expect(status).toBe(1);
});

it("counts a file whose preparation failed, and a suite that died, each as one failure", async () => {
  await report("one", { a: "skipped" }, "failed", "no server");
  await writeFile(join(folder, "two.json"), JSON.stringify({ ended: "Unhandled Rejection\nno disk" }));
  const { stdout, status } = counted();
  expect(stdout).toContain("FAILED one.test.ts: its preparation\n  no server");
  expect(stdout).toContain("FAILED two: its end\n  Unhandled Rejection\n  no disk");
  expect(stdout).toContain("\n0 passed, 2 failed, 1 skipped\n");
  expect(status).toBe(1);
});

it("lets a preparation that succeeds the second time go", async () => {
  await report("one", { a: "skipped" }, "failed", "no server");
  await report("one.again", { a: "passed" });
  const { stdout } = counted();
  expect(stdout).toContain("UNSTABLE (failed, and passed when its file was run again) one.test.ts: its preparation");
  expect(stdout).toContain("\n1 passed, 0 failed, 0 skipped\n");
});

it("lets a bad end that does not come the second time go, and counts each test once", async () => {
  const passed = { testResults: [{ name: "/tests/one.test.ts", status: "passed", assertionResults: [test("a")] }] };
  await writeFile(join(folder, "one.json"), JSON.stringify({ ...passed, ended: "Unhandled Rejection" }));
  await writeFile(join(folder, "one.again.json"), JSON.stringify(passed));
  const { stdout, status } = counted();
  expect(stdout).toContain(
    "UNSTABLE (failed, and passed when its file was run again) one: its end\n  Unhandled Rejection",
  );
  expect(stdout).toContain("\n1 passed, 0 failed, 0 skipped\n");
  expect(status).toBe(0);
});

it("counts a bad end that comes twice as failed", async () => {
  for (const name of ["one", "one.again"])
    await writeFile(join(folder, `${name}.json`), JSON.stringify({ ended: "no Docker" }));
  const { stdout, status } = counted();
  expect(stdout).toBe("FAILED one: its end\n  no Docker\n\n0 passed, 1 failed, 0 skipped\n");
  expect(status).toBe(1);
});

const test = (fullName: string) => ({ fullName, status: "passed", failureMessages: [] });
