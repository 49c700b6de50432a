import { describe, expect, it } from "vitest";
import type { AutomationTold } from "./automation/told.ts";
import { judgeAutomation } from "./findings.ts";

const whole: AutomationTold = { isDumped: true, workflows: 3, credentials: 1, exported: 3 };

function told(automation: AutomationTold | null, database: string | undefined = "n8n"): string {
  const [finding] = judgeAutomation({ database }, [
    { id: "last", automation },
    { id: "before", automation: whole },
  ]);
  return finding === undefined ? "" : `${finding.code} ${finding.status} ${finding.value}: ${finding.hint}`;
}

describe("n8n in the newest backup", () => {
  it("is missed when it lacks a part that is configured, whatever older ones have", () => {
    expect(told(whole)).toBe("");
    expect(told({ ...whole, exported: null })).toMatch(
      /^IPAI-AUTOMATION-003 warn 1: last has n8n without its workflows as JSON\. /,
    );
    expect(told({ isDumped: false, workflows: null, credentials: null, exported: 3 })).toContain(
      "without its database.",
    );
    expect(told(null)).toContain("2: last has n8n without its database and its workflows as JSON.");
  });

  it("needs no database where it keeps its data elsewhere, and nothing before the first backup", () => {
    const elsewhere = { isDumped: false, workflows: null, credentials: null, exported: 0 };
    const [finding] = judgeAutomation({ database: undefined }, [{ id: "last", automation: elsewhere }]);
    expect(finding).toBeUndefined();
    expect(judgeAutomation({ database: "n8n" }, [])).toEqual([]);
  });
});
