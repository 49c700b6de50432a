import { describe, expect, it } from "vitest";
import { findPasswordFault } from "./passwords.ts";

describe("a password", () => {
  it.each([
    ["eleven.char", "at least 12"],
    ["🐎🐎🐎🐎🐎🐎", "at least 12"],
    ["x1".repeat(80), "at most 128"],
    ["abababababab", "at least 6 different"],
    ["my Anna.Reyes 2026", "its owner's name"],
    ["anna.r@example.com is me", "its owner's name"],
  ])("%s is refused: %s", (password, reason) => {
    expect(findPasswordFault(password, ["anna.reyes", "anna.r@example.com"])).toContain(reason);
  });

  it.each(["correct horse battery", "ñandú über straße", "eva is a short name"])("%s is taken", (password) => {
    expect(findPasswordFault(password, ["eva", "eva@example.com"])).toBeUndefined();
  });
});
