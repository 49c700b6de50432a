import { describe, expect, it } from "vitest";
import { parseLook } from "../../stack/maintenance.ts";
import { judgeExplained, judgeFlag } from "./watchdog.ts";

const grace = 1800;
const seconds = (time: string) => Date.parse(`2026-11-25T${time}:00Z`) / 1000;

/** What the folder says at a time of day; the flag was put there at 10:00. */
function look(now: string, flag?: string) {
  return parseLook([seconds(now), ...(flag === undefined ? [] : [seconds("10:00"), flag])].join("\n"));
}
const judged = (now: string, flag?: string) => judgeFlag(look(now, flag), grace, "Asia/Manila");

describe("a flag", () => {
  const until = "person 20261125t100000_abcd 2026-11-25T11:00:00.000Z\n";

  it("that is not there is well, and so is one within its time", () => {
    expect(judged("10:00")).toMatchObject({ status: "ok", value: "off" });
    expect(judged("11:00", until)).toMatchObject({
      status: "ok",
      value: "on until 19:00 on 25 November (Asia/Manila)",
    });
  });

  it("is told of after its time, and fails when it should have been lifted", () => {
    expect(judged("11:01", until)).toMatchObject({ status: "warn", hint: expect.stringContaining("1 minute longer") });
    expect(judged("11:50", until).status).toBe("warn");
    expect(judged("11:51", until)).toMatchObject({
      status: "fail",
      hint: expect.stringContaining("51 minutes longer"),
    });
  });

  it("of a run is well for four hours", () => {
    const run = "run 20261125t100000_abcd\n";
    expect(judged("14:00", run)).toMatchObject({ status: "ok", value: "on for run 20261125t100000_abcd" });
    expect(judged("14:01", run)).toMatchObject({ status: "fail", hint: expect.stringContaining("ipai runs resume") });
  });

  it.each(["", "closed\n", "person x y z\n", "person 20261125t100000_abcd tomorrow\n"])(
    "that says %j was put there by hand",
    (text) => {
      expect(judged("10:01", text)).toMatchObject({ status: "warn", value: "on, by hand" });
    },
  );
});

describe("flag and records", () => {
  const open = [{ id: "maintenance_a", run: "a", by: "anna" }];
  const of = (kind: "run" | "person", run: string) =>
    look("10:00", `${kind} ${run}${kind === "run" ? "" : " 2026-11-25T11:00:00Z"}\n`).found;
  const value = (...given: Parameters<typeof judgeExplained>) => judgeExplained(...given).map((one) => one.value);

  it("explain each other: a person's by what is open, a run's by the stack that it holds", () => {
    expect(value([], undefined, [])).toEqual([]);
    expect(value(open, of("person", "a"), [])).toEqual([]);
    expect(value([], of("run", "b"), ["b"])).toEqual([]);
  });

  it("that do not are a finding", () => {
    expect(value(open, undefined, [])).toEqual(["lifted by hand"]);
    expect(value(open, of("person", "c"), [])).toEqual(["unexplained"]);
    expect(value([], of("run", "b"), ["other"])).toEqual(["unexplained"]);
    expect(judgeExplained(open, undefined, [])[0]?.hint).toContain("maintenance_a, switched on by anna");
  });
});
