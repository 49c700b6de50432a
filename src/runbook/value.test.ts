import { describe, expect, it } from "vitest";
import { join, listRefs, listSecrets, output, prefixed, runId, secret, suffixed } from "./value.ts";

const name = output("find", "name");

describe("a prefix and a suffix", () => {
  it("make one text of text", () => {
    expect([prefixed("--file=", "/a b"), suffixed("/a", "/b")]).toEqual(["--file=/a b", "/a/b"]);
  });

  it("make a join of a reference", () => {
    expect(prefixed("--file=", name)).toEqual({ join: ["--file=", name] });
    expect(suffixed(runId, ".log")).toEqual({ join: [runId, ".log"] });
  });

  it("lengthen a join, which is never inside of another", () => {
    const path = join("/a/", runId);
    expect(suffixed(prefixed("--file=", path), "/set")).toEqual({ join: ["--file=", "/a/", runId, "/set"] });
    expect(path).toEqual({ join: ["/a/", runId] });
  });
});

describe("the references of a value", () => {
  it("are found in order", () => {
    expect(listRefs("text")).toEqual([]);
    expect(listRefs(name)).toEqual([name]);
    expect(listRefs(secret("a.b"))).toEqual([{ ref: "secret", name: "a.b" }]);
    expect(listRefs(join("a", runId, "b", name))).toEqual([runId, name]);
  });
});

it("the secrets of a plan are found wherever they are, each once", () => {
  const steps = [{ action: { env: { A: secret("b"), B: "text" } } }, { undo: [{ stdin: secret("a") }, secret("b")] }];
  expect(listSecrets({ steps, facts: { ref: "other", name: "c" } })).toEqual(["a", "b"]);
});
