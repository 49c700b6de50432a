import { describe, expect, it } from "vitest";
import { createProcedures } from "../procedures/registry.ts";
import { notifySettings } from "./notify.ts";

describe("people are told", () => {
  const { storyOf } = notifySettings({ notify: {}, stacks: {} }, createProcedures([], []));

  it("of runs, but of those that a finding tells of not every minute, and of the practice stack's not at all", () => {
    expect(storyOf("backup")).toMatchObject({ chapter: "backup", done: { title: "Backup complete" } });
    expect(storyOf("backup files")).toBeUndefined();
    expect(storyOf("sandbox up")).toBeUndefined();
    const gone = "one of their own that is gone";
    expect(storyOf(gone)).toEqual({ chapter: "custom", title: gone });
  });
});
