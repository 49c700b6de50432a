import { describe, expect, it } from "vitest";
import { type Action, command, type Output } from "./action.ts";
import { actOf, bracketOf, changeOf, planOf, probeOf, samplePlan, waitOf } from "./fixtures/plans.ts";
import type { Act, Plan, Step } from "./plan.ts";
import { findFaults, MalformedPlan, validatePlan } from "./validate.ts";
import { join, output, secret, type Text, type Value } from "./value.ts";

const faultsOf = (plan: Plan) => findFaults(plan).map(({ text }) => text);
const recorded = actOf("r", { outputs: { x: { from: "stdout" }, flag: { from: "stdout", as: "json" } } });
const uses = (value: Text): Action => command("local", ["echo", value]);
const unknown = "refers to later.x, which no earlier step records";
const later = output("later", "x");
/** What the type does not allow, but data that was read from somewhere may hold. */
const shownSecret = secret("token") as unknown as Text;
const http = (options: object): Action => ({
  kind: "http",
  host: "local",
  method: "GET",
  url: "http://127.0.0.1/",
  timeoutSeconds: 5,
  ...options,
});
const sql = (options: object): Action => ({
  kind: "sql",
  host: "local",
  client: ["psql"],
  database: "odoo",
  text: "select 1;\n",
  ...options,
});

describe("a plan", () => {
  it("passes when nothing is wrong with it", () => {
    expect(faultsOf(samplePlan)).toEqual([]);
    expect(validatePlan(samplePlan)).toBe(samplePlan);
  });

  it("is refused with the first fault and the procedure that made it", () => {
    const plan = planOf([actOf("a"), actOf("a"), actOf("a/b")]);
    expect(() => validatePlan(plan)).toThrow(
      expect.objectContaining({
        code: MalformedPlan.code,
        message: "The plan of test is malformed: step a occurs twice. Nothing was started.",
      }),
    );
    expect(findFaults(plan).map(({ step }) => step)).toEqual(["a", "a/b"]);
  });
});

describe("names", () => {
  it.each<[string, readonly Step[], string]>([
    ["two steps with one id", [actOf("a"), bracketOf("b", [actOf("a")])], "step a occurs twice"],
    [
      "an opening and its closing with one id",
      [bracketOf("b", [], { close: [changeOf("open b")] })],
      "step open b occurs twice",
    ],
    [
      "an undo that would be done once for two",
      [changeOf("a", { undo: [actOf("u"), actOf("u")] })],
      "step a is taken back twice by u",
    ],
    [
      "an id that cannot be told from a path",
      [actOf("a/b")],
      'the id "a/b" is empty or has a character that paths use',
    ],
    ["an id that looks like an undo", [actOf("a~b")], 'the id "a~b" is empty or has a character that paths use'],
    ["no id", [actOf("")], 'the id "" is empty or has a character that paths use'],
    [
      "two outputs that would be one variable",
      [actOf("a b", { outputs: { c: { from: "stdout" } } }), actOf("a", { outputs: { b_c: { from: "stdout" } } })],
      "two values would be the variable a_b_c of an exported script",
    ],
    [
      "an output that would be the run's id",
      [actOf("run", { outputs: { id: { from: "stdout" } } })],
      "two values would be the variable run_id of an exported script",
    ],
  ])("%s are refused", (_, steps, fault) => {
    expect(faultsOf(planOf(steps))).toEqual([fault]);
  });
});

describe("an act", () => {
  it.each<[string, Act, string]>([
    [
      "has outputs and may be found done",
      actOf("a", { done: probeOf("done"), outputs: { x: { from: "stdout" } } }),
      "a has both outputs and a done probe: its outputs would be lost when it is already done",
    ],
    ["changes and verifies nothing", changeOf("a", { verify: [] }), "a changes something and verifies nothing"],
    [
      "destroys and verifies nothing",
      changeOf("a", { effect: "destroy", verify: [] }),
      "a changes something and verifies nothing",
    ],
    ["has no attempt", actOf("a", { attempts: 0 }), "a is given no attempt or no time"],
    ["has no time", actOf("a", { timeoutSeconds: 0 }), "a is given no attempt or no time"],
    [
      "undoes without verifying",
      changeOf("a", { undo: [changeOf("u", { verify: [] })] }),
      "u changes something and verifies nothing",
    ],
  ])("that %s is refused", (_, act, fault) => {
    expect(faultsOf(planOf([act]))).toEqual([fault]);
  });

  it("may verify a change by its done probe, and need not verify a call", () => {
    const call: Action = { kind: "call", name: "x", version: 1, input: {} };
    const acts = [changeOf("a", { verify: [], done: probeOf("a") }), changeOf("b", { verify: [], action: call })];
    expect(faultsOf(planOf(acts))).toEqual([]);
  });

  it("that changes a stack needs a lease", () => {
    expect(faultsOf(planOf([changeOf("a", { undo: [changeOf("u")] })], { lease: "none" }))).toEqual([
      "a changes something without a lease",
      "u changes something without a lease",
    ]);
    expect(faultsOf(planOf([actOf("a")], { lease: "none" }))).toEqual([]);
    expect(faultsOf(planOf([changeOf("a")], { lease: "shared" }))).toEqual([]);
  });
});

describe("a reference", () => {
  it.each<[string, Act]>([
    ["its action", actOf("a", { action: uses(later) })],
    ["a join of its action", actOf("a", { action: uses(join("x", later)) })],
    ["its environment", actOf("a", { action: command("local", ["x"], { env: { X: later } }) })],
    ["its input", actOf("a", { action: command("local", ["x"], { stdin: join("x", later) }) })],
    ["the values of its SQL", actOf("a", { action: sql({ values: { v: later } }) })],
    ["the file that takes its answer", actOf("a", { action: sql({ into: later }) })],
    ["its database", actOf("a", { action: sql({ database: later }) })],
    ["its URL", actOf("a", { action: http({ url: join("http://", later) }) })],
    ["its headers", actOf("a", { action: http({ headers: { X: later } }) })],
    ["its body", actOf("a", { action: http({ method: "POST", body: later }) })],
    [
      "the file that it writes",
      changeOf("a", { action: { kind: "write", host: "local", path: later, content: "", mode: "0600" } }),
    ],
    ["a call's input", actOf("a", { action: { kind: "call", name: "x", version: 1, input: { v: later } } })],
    ["a verification", actOf("a", { verify: [probeOf("v", { action: uses(later) })] })],
    ["what a verification expects", actOf("a", { verify: [probeOf("v", { with: later })] })],
    ["a join that a verification expects", actOf("a", { verify: [probeOf("v", { with: join("x", later) })] })],
    ["its done probe", actOf("a", { done: probeOf("d", { action: uses(later) }) })],
    ["when it is wanted", actOf("a", { when: later })],
  ])("to what no earlier step records is refused in %s", (_, act) => {
    expect(faultsOf(planOf([act, actOf("later", { outputs: { x: { from: "stdout" } } })]))).toEqual([`a ${unknown}`]);
  });

  it("is refused in a wait's probe", () => {
    const wait = waitOf("w", { until: { probe: probeOf("p", { action: uses(later) }) } });
    expect(faultsOf(planOf([wait]))).toEqual([`w ${unknown}`]);
    expect(
      faultsOf(planOf([recorded, waitOf("w", { until: { probe: probeOf("p", { with: output("r", "x") }) } })])),
    ).toEqual([]);
  });

  it("is refused in an undo, also to the outputs of the step that it takes back", () => {
    const own = actOf("a", {
      outputs: { x: { from: "stdout" } },
      undo: [actOf("u", { action: uses(output("a", "x")) })],
    });
    expect(faultsOf(planOf([own]))).toEqual(["u refers to a.x, which no earlier step records"]);
    const undo = [actOf("u", { action: uses(later), verify: [probeOf("v", { with: later })] })];
    expect(faultsOf(planOf([actOf("a", { undo })]))).toEqual([`u ${unknown}`, `u ${unknown}`]);
  });

  it("to its own outputs is for an act's verification alone", () => {
    const own = { outputs: { x: { from: "stdout" } } } as const;
    expect(faultsOf(planOf([actOf("a", { ...own, verify: [probeOf("v", { with: output("a", "x") })] })]))).toEqual([]);
    expect(faultsOf(planOf([actOf("a", { ...own, action: uses(output("a", "x")) })]))).toEqual([
      "a refers to a.x, which no earlier step records",
    ]);
  });

  it("to what is done at the same time is refused", () => {
    const acts = [recorded, actOf("a", { action: uses(output("r", "x")) })];
    expect(faultsOf(planOf([{ kind: "parallel", id: "p", title: "p", acts }]))).toEqual([
      "a refers to r.x, which no earlier step records",
    ]);
  });

  it("in a closing must be known when the bracket is opened, since closing takes the opening back", () => {
    const close = [changeOf("c", { action: uses(output("r", "x")) })] as const;
    expect(faultsOf(planOf([bracketOf("b", [recorded], { close })]))).toEqual([
      "c refers to r.x, which no earlier step records",
    ]);
    expect(faultsOf(planOf([recorded, bracketOf("b", [], { close })]))).toEqual([]);
  });

  it("to a property that every object has is no output", () => {
    expect(faultsOf(planOf([recorded, actOf("a", { action: uses(output("r", "constructor")) })]))).toHaveLength(1);
  });

  it("inside of a call's JSON is refused, because it would not be replaced", () => {
    const action: Action = { kind: "call", name: "x", version: 1, input: { v: { list: [{ ...output("r", "x") }] } } };
    expect(faultsOf(planOf([recorded, actOf("a", { action })]))).toEqual([
      "a hides a reference inside of JSON, where it would not be replaced",
    ]);
  });
});

describe("a condition", () => {
  it("must be able to be true", () => {
    expect(faultsOf(planOf([recorded, actOf("a", { when: output("r", "flag") })]))).toEqual([]);
    expect(faultsOf(planOf([recorded, actOf("a", { when: output("r", "x") })]))).toEqual([
      "a depends on r.x, which is a text or a number and so never true",
    ]);
  });
});

describe("a secret", () => {
  it.each<[string, Action]>([
    ["in argv", uses(shownSecret)],
    ["in a join of argv", uses({ join: ["--password=", shownSecret as never] })],
    ["in a URL", http({ url: shownSecret })],
    ["in a value of SQL", sql({ values: { v: shownSecret } })],
    ["in a call's input", { kind: "call", name: "x", version: 1, input: { v: shownSecret } }],
  ])("%s is refused", (_, action) => {
    expect(faultsOf(planOf([actOf("a", { action })]))).toEqual(["a would show the secret token"]);
  });

  it("in a header is one alone", () => {
    const asking = (headers: Record<string, Value>) => faultsOf(planOf([actOf("a", { action: http({ headers }) })]));
    expect(asking({ "X-Key": secret("token") })).toEqual([]);
    expect(asking({ "X-Key": secret("token"), "X-Other": secret("token") })).toEqual([
      "a cannot be performed: A request hides one secret in a header, not several",
    ]);
  });

  it("that a probe expects is refused, because the answer is shown", () => {
    expect(faultsOf(planOf([actOf("a", { verify: [probeOf("v", { with: shownSecret })] })]))).toEqual([
      "a would show the secret token",
    ]);
  });

  it("may travel by environment, input and body", () => {
    const actions = [
      command("local", ["x"], { env: { PASSWORD: secret("token") }, stdin: secret("token") }),
      http({ method: "POST", body: secret("token") }),
    ];
    expect(faultsOf(planOf(actions.map((action, index) => actOf(`a${index}`, { action }))))).toEqual([]);
  });
});

describe("an action", () => {
  it.each<[string, Action, RegExp]>([
    ["with a NUL byte", uses("a\0b"), /^a cannot be performed: .* contains a NUL byte/],
    [
      "with a variable that cannot be set",
      command("local", ["x"], { env: { "a b": "1" } }),
      /environment variable a b$/,
    ],
  ])("%s is refused", (_, action, fault) => {
    expect(faultsOf(planOf([actOf("a", { action })]))).toEqual([expect.stringMatching(fault)]);
  });

  it.each<[Output, Action, string | undefined]>([
    [{ from: "status" }, uses("x"), "a reads the status of something that has none"],
    [{ from: "body" }, sql({}), "a reads the body of something that has none"],
    [{ from: "result" }, http({}), "a reads the result of something that has none"],
    [{ from: "stdout", pick: ["a"] }, uses("x"), "a picks from an answer that is not read as JSON"],
    [{ from: "stdout", as: "number", pick: [0] }, uses("x"), "a picks from an answer that is not read as JSON"],
    [{ from: "body", as: "json", pick: ["a"] }, http({}), undefined],
    [{ from: "exitCode" }, http({}), undefined],
    [{ from: "result", pick: ["a"] }, { kind: "call", name: "x", version: 1, input: {} }, undefined],
  ])("must have the answer %j that is read from it", (from, action, fault) => {
    const expected = fault === undefined ? [] : [fault];
    expect(faultsOf(planOf([actOf("a", { action, outputs: { x: from } })]))).toEqual(expected);
    expect(faultsOf(planOf([actOf("a", { verify: [probeOf("v", { action, output: from })] })]))).toEqual(expected);
  });
});

describe("the shape of a plan", () => {
  it("has no undo that would not be used", () => {
    const undo = [actOf("u")];
    const bracket = bracketOf("b", [], { open: [changeOf("o", { undo })], close: [changeOf("c", { undo })] });
    expect(faultsOf(planOf([bracketOf("outer", [bracket])]))).toEqual([
      "o opens or closes b, so its own undo would not be used",
      "c opens or closes b, so its own undo would not be used",
    ]);
  });

  it("does at the same time what needs no taking back", () => {
    const parallel = (act: Act): Plan => planOf([{ kind: "parallel", id: "p", title: "p", acts: [act] }]);
    const fault = ["a is done at the same time as others but destroys or is taken back"];
    for (const undo of ["irreversible", [actOf("u")]] as const)
      for (const act of [actOf("a", { undo }), changeOf("a", { undo })]) expect(faultsOf(parallel(act))).toEqual(fault);
    expect(faultsOf(parallel(changeOf("a", { effect: "destroy", undo: "nothing" })))).toEqual(fault);
    expect(faultsOf(parallel(changeOf("a", { undo: "nothing" })))).toEqual([]);
    expect(faultsOf(parallel(actOf("a")))).toEqual([]);
  });

  it("waits for an instant that there is", () => {
    const until = (instant: string) => planOf([waitOf("w", { until: { instant } })]);
    expect(faultsOf(until("tonight"))).toEqual(["w waits for tonight, which is no instant"]);
    expect(faultsOf(until("2026-01-02T03:04:05+08:00"))).toEqual([]);
  });
});
