import { expect, it } from "vitest";
import type { Made } from "../../../stack/successor/image.ts";
import { findUnfit } from "./image.ts";

/** Whether containers can be made of the other image, and of the one of before again. */

const before = { id: "sha256:18", image: "odoo:18.0", meant: "sha256:18" };
const core: Made = { service: "odoo-core", image: "odoo:19.0", id: "sha256:19", before };
const present = new Map([["odoo-core", "odoo:18.0"]]);

it("can, when what serves is what the project names, by another name", () => {
  expect(findUnfit([core], present)).toEqual([]);
});

it.each<[string, Made, ReadonlyMap<string, string>, string]>([
  ["there is no image", { ...core, id: undefined }, present, "there is no image odoo:19.0"],
  ["there is no container", { ...core, before: undefined }, present, "odoo-core has no container"],
  ["the name is the same", { ...core, image: "odoo:18.0" }, present, "odoo-core is made of odoo:18.0 already"],
  [
    "the name means another image by now",
    { ...core, before: { ...before, meant: "sha256:18b" } },
    present,
    "odoo-core is made of an older odoo:18.0 than there is now",
  ],
  [
    "the project names the other one already",
    core,
    new Map([["odoo-core", "odoo:19.0"]]),
    "odoo-core is made of odoo:18.0, and the project names odoo:19.0",
  ],
  ["the project names none", core, new Map(), "odoo-core is made of odoo:18.0, and the project names none"],
])("cannot, when %s", (_, made, names, why) => {
  expect(findUnfit([made], names)).toEqual([why]);
});
