import { describe, expect, it } from "vitest";
import { judgeResources, type Resource } from "./resources.ts";

const opened: Resource = {
  ...{ id: "20261125t100000_abcd", stack: "erp", kind: "past", title: "the past of 10:00", by: "anna" },
  ...{ run: "20261125t100000_abcd", openedAt: "2026-11-25T02:00:00.000Z", expires: "2026-11-25T10:00:00.000Z" },
  ...{
    close: { procedure: "past close", input: { id: "20261125t100000_abcd" } },
    about: {},
    attempts: 0,
    graceHours: 0,
    closed: null,
  },
};

describe("what outlives its run", () => {
  const at = (time: string) => judgeResources([opened], new Date(`2026-11-25T${time}:00Z`));

  it("is no finding until it is over for an hour: till then the schedule closes it", () => {
    expect(at("09:59")).toEqual([]);
    expect(at("11:00")).toEqual([]);
    expect(at("11:01")).toMatchObject([{ code: "IPAI-RESOURCE-001", status: "warn", value: 1 }]);
  });

  it("is named with its owner, and how often closing it failed", () => {
    expect(at("12:00")[0]?.hint).toContain("20261125t100000_abcd (the past of 10:00, opened by anna)");
    const tried = judgeResources([{ ...opened, attempts: 3 }], new Date("2026-11-26T00:00:00Z"));
    expect(tried[0]?.hint).toContain("opened by anna, closing it failed 3 times");
  });
});
