import { describe, expect, it } from "vitest";
import { defineFinding, findings } from "./finding.ts";

const spec = { title: "Rust", asks: "whether it rusts", warns: "it does", first: "Paint it." };

describe("a declared finding", () => {
  it("gives its answers code and title, and is in the catalogue with what it declared", () => {
    expect(defineFinding("IPAI-TEST-001", spec)).toEqual({ code: "IPAI-TEST-001", title: "Rust" });
    expect(findings.get("IPAI-TEST-001")).toEqual({ code: "IPAI-TEST-001", ...spec });
  });

  it("has a code of its own", () => {
    defineFinding("IPAI-TEST-002", spec);
    expect(() => defineFinding("IPAI-TEST-002", spec)).toThrow("The finding IPAI-TEST-002 is declared twice");
  });

  it.each(["IPAI-TEST-1", "IPAI-test-001", "TEST-001", "IPAI-TEST-0001", ""])("has no code like %j", (code) => {
    expect(() => defineFinding(code, spec)).toThrow(`Malformed code of a finding ${code}`);
    expect(findings.has(code)).toBe(false);
  });
});
