import { describe, expect, it } from "vitest";
import { findUnfit, versionsAfter } from "./compatible.ts";

const module = (name: string, version = "1.0", depends: readonly string[] = [], more: object = {}) => ({
  ...{ name, version, depends: [...depends], installable: true, lacks: [] as string[] },
  ...more,
});
const available = [
  module("base", "1.3"),
  module("web", "1.0", ["base"]),
  module("fits", "19.0.1.0.0", ["web"]),
  module("old", "18.0.1.0.0", ["web"]),
  module("asleep", "1.0", [], { installable: false }),
  module("lonely", "1.0", ["web", "gone"]),
  module("grandchild", "1.0", ["lonely"]),
  module("hungry", "1.0", [], { lacks: ["Python package nobody_has_this"] }),
  { name: "broken", broken: "invalid syntax" },
];

describe("modules of a database and an Odoo of another series", () => {
  it("fit, or it is said why not", () => {
    const installed = ["base", "web", "fits", "old", "asleep", "lonely", "grandchild", "hungry", "broken", "absent"];
    expect(findUnfit(installed, available, "19.0").map(({ name, why }) => `${name}: ${why}`)).toEqual([
      "absent: no code for 19.0",
      "asleep: not installable",
      "broken: its manifest cannot be read (invalid syntax)",
      "grandchild: needs gone, which nobody has",
      "hungry: needs the Python package nobody_has_this",
      "lonely: needs gone, which nobody has",
      "old: its code is for 18.0",
    ]);
    expect(findUnfit(["base", "web", "fits"], available, "19.0")).toEqual([]);
  });

  it("have the versions that Odoo will note", () => {
    expect(versionsAfter(["web", "fits", "base", "absent"], available, "19.0")).toEqual({
      base: "19.0.1.3",
      fits: "19.0.1.0.0",
      web: "19.0.1.0",
    });
  });
});
