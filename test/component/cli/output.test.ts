import { join } from "node:path";
import { expect, it } from "vitest";
import { root, run } from "../../harness/sandbox.ts";

/** What a command prints, for programs that read it. */

const through = (reader: string) =>
  run("bash", ["-c", `"$1" config schema | ${reader}; echo "\${PIPESTATUS[*]}" >&2`, "pipe", join(root, "bin/ipai")]);

it("more than a pipe holds is there whole", async () => {
  const { stdout } = await through("cat");
  expect(stdout.length).toBeGreaterThan(65_536);
  expect(JSON.parse(stdout)).toHaveProperty("properties.stacks");
});

it("a reader who has seen enough ends the command without a word", async () => {
  const { stdout, stderr } = await through("head -n 1");
  expect([stdout, stderr]).toEqual(["{\n", "0 0\n"]);
});
