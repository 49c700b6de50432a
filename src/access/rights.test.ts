import { describe, expect, it } from "vitest";
import { can, type Principal, rightToConsent } from "./principal.ts";
import { type Grant, may, mayGrant, peopleFor, type Right, type Role, roles } from "./rights.ts";

const grant = (role: Role, over: Partial<Grant> = {}): Grant => ({ role, stacks: [], procedures: [], ...over });
const backup = { name: "backup", chapter: "backup", undoClass: "instant" } as const;
const wipe = { name: "wipe", chapter: "maintenance", undoClass: "irreversible" } as const;
const filing = { name: "file", chapter: "finance", undoClass: "instant" } as const;
const rights: readonly Right[] = ["look", "start", "consent", "steer", "schedule", "people"];

describe("the table of roles", () => {
  it("says for each role what it may do to a backup, to what cannot be taken back, and to a filing", () => {
    const rows = roles.map((role) =>
      [backup, wipe, filing]
        .map((procedure) => {
          const had = rights.filter((right) => may([grant(role)], right, { stack: "erp", procedure }));
          return `${role} ${procedure.name}: ${had.join(" ")}`;
        })
        .join("\n"),
    );
    expect(`\n${rows.join("\n")}\n`).toBe(`
viewer backup: look
viewer wipe: look
viewer file: look
operator backup: look start consent steer schedule
operator wipe: look steer schedule
operator file: look
approver backup: look consent
approver wipe: look consent
approver file: look
finance backup: look
finance wipe: look
finance file: look start consent steer schedule
admin backup: look start consent steer schedule people
admin wipe: look start consent steer schedule people
admin file: look start consent steer schedule people
`);
  });

  it("gives nothing to somebody without a grant", () => {
    for (const right of rights) expect(may([], right, { stack: "erp", procedure: backup })).toBe(false);
  });
});

describe("a grant", () => {
  it("holds on its stacks only, and what belongs to no stack is not in it", () => {
    const grants = [grant("admin", { stacks: ["erp"] })];
    expect(may(grants, "start", { stack: "erp", procedure: backup })).toBe(true);
    expect(may(grants, "start", { stack: "shop", procedure: backup })).toBe(false);
    expect(may(grants, "people")).toBe(false);
    expect(may([grant("admin")], "people")).toBe(true);
  });

  it("for some procedures is for those, and lets nothing else be seen", () => {
    const grants = [grant("operator", { procedures: ["backup"] })];
    expect(may(grants, "start", { stack: "erp", procedure: backup })).toBe(true);
    expect(may(grants, "start", { stack: "erp", procedure: { ...backup, name: "upgrade" } })).toBe(false);
    expect(may(grants, "look", { stack: "erp" })).toBe(false);
  });

  it("adds up with others", () => {
    const grants = [grant("viewer"), grant("operator", { stacks: ["shop"] })];
    expect(may(grants, "look", { stack: "erp" })).toBe(true);
    expect(may(grants, "start", { stack: "erp", procedure: backup })).toBe(false);
    expect(may(grants, "start", { stack: "shop", procedure: backup })).toBe(true);
  });

  it("is given only by those who have as much", () => {
    expect(mayGrant([grant("admin")], { stacks: [] })).toBe(true);
    expect(mayGrant([grant("admin", { stacks: ["erp"] })], { stacks: [] })).toBe(false);
    expect(mayGrant([grant("admin", { stacks: ["erp"] })], { stacks: ["erp"] })).toBe(true);
    expect(mayGrant([grant("admin", { stacks: ["erp"] })], { stacks: ["erp", "shop"] })).toBe(false);
    expect(mayGrant([grant("operator")], { stacks: ["erp"] })).toBe(false);
  });
});

describe("a principal", () => {
  const anna: Principal = { handle: "anna", person: "1", via: "session", grants: [grant("admin")], deputyFor: [] };
  const subject = { stack: "erp", procedure: backup };

  it("with a token may no more than the token, and no more than the person", () => {
    const reader = { ...anna, limits: [grant("viewer", { stacks: ["erp"] })] };
    expect(can(reader, "look", subject)).toBe(true);
    expect(can(reader, "start", subject)).toBe(false);
    expect(can(reader, "look", { stack: "shop" })).toBe(false);
    const boaster = { ...anna, grants: [grant("viewer")], limits: [grant("admin")] };
    expect(can(boaster, "start", subject)).toBe(false);
  });

  it("consents by her own right, or by that of somebody who is away", () => {
    const deputy: Principal = {
      ...{ handle: "berta", person: "2", via: "session", grants: [grant("viewer")] },
      deputyFor: [{ handle: "carla", grants: [grant("approver", { stacks: ["erp"] })] }],
    };
    expect(rightToConsent(anna, subject)).toEqual({});
    expect(rightToConsent(deputy, subject)).toEqual({ onBehalfOf: "carla" });
    expect(rightToConsent(deputy, { ...subject, stack: "shop" })).toBeUndefined();
    // The place that she takes is the other's when a plan needs consent, not in anything else.
    expect(can(deputy, "start", subject)).toBe(false);
    expect(rightToConsent({ ...deputy, limits: [grant("viewer")] }, subject)).toBeUndefined();
  });
});

describe("a plan needs a second person", () => {
  it.each([
    ["never", "exclusive", "irreversible", 1],
    ["irreversible", "exclusive", "instant", 1],
    ["irreversible", "exclusive", "irreversible", 2],
    ["irreversible", "shared", "irreversible", 2],
    ["change", "exclusive", "instant", 2],
    ["change", "shared", "instant", 1],
    ["change", "none", "instant", 1],
  ] as const)("%s, %s, %s: %i", (second, lease, undoClass, people) => {
    expect(peopleFor(second, { lease }, undoClass)).toBe(people);
  });

  it("always, when it goes on in spite of something", () => {
    const override = { reason: "It has to be", findings: ["IPAI-DEPLOY-010"] };
    expect(peopleFor("never", { lease: "exclusive", override }, "instant")).toBe(2);
  });
});
