import { describe, expect, it } from "vitest";
import { type KeptHealth, tellHealth } from "./watch.ts";

/** What is news about health: a change, and nothing but a change. */

const well: KeptHealth = { status: "ok", findings: [] };
const disk = {
  code: "IPAI-DISK-001",
  title: "Disk space",
  status: "warn",
  value: 85,
  unit: "% used",
  hint: "Look.",
} as const;
const odoo = {
  code: "IPAI-ODOO-001",
  title: "Odoo processes",
  status: "fail",
  value: 2,
  unit: "running",
  hint: null,
} as const;
const full: KeptHealth = { status: "warn", findings: [disk] };
const worse: KeptHealth = { status: "fail", findings: [{ ...disk, value: 86 }, odoo] };
const tell = (before: KeptHealth | undefined, now: KeptHealth) => {
  const told = tellHealth("erp", "r1", before, now);
  return told === undefined ? undefined : [told.severity, told.title, ...told.lines];
};

describe("the answers of the checks", () => {
  it("are no news while all is well, from the first on", () => {
    expect(tell(undefined, well)).toBeUndefined();
    expect(tell(well, well)).toBeUndefined();
  });

  it("are no news while the same is wrong, whatever the figure", () => {
    expect(tell(full, { status: "warn", findings: [{ ...disk, value: 88 }] })).toBeUndefined();
  });

  it("are news when something goes wrong, or more does", () => {
    expect(tell(well, full)).toEqual(["warning", "Health: Disk space", "warn: Disk space (IPAI-DISK-001). Look."]);
    expect(tell(undefined, full)?.[0]).toBe("warning");
    expect(tell(full, worse)?.slice(0, 2)).toEqual(["critical", "Health: Disk space, Odoo processes"]);
  });

  it("are news when it is well again, in part or as a whole", () => {
    expect(tell(worse, full)?.at(-1)).toBe("ok again: Odoo processes (IPAI-ODOO-001)");
    expect(tell(worse, well)?.slice(0, 2)).toEqual(["info", "Everything is well again"]);
  });
});
