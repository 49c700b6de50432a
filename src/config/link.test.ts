import { describe, expect, it } from "vitest";
import { example } from "./fixtures/example.ts";
import { parseConfig } from "./load.ts";

const read = (odoo: string, service = "/usr/bin/odoo") =>
  parseConfig(
    example
      .replace("[/usr/bin/odoo, -c", `[${service}, -c`)
      .replace("odoo: { command: [/usr/bin/odoo] }", `odoo: { ${odoo} }`),
    "ipai.yaml",
    {},
  );
const upgrade = 'upgrade: { link: /opt/odoo, to: { "19.0": /opt/19 } }';

describe("the link by which services find their Odoo", () => {
  it("is one that each of them goes by", () => {
    const { production } = read(`command: [/opt/odoo/odoo-bin], ${upgrade}`, "/opt/odoo/odoo-bin").stacks;
    expect(production?.odoo.upgrade).toEqual({ link: "/opt/odoo", to: { "19.0": "/opt/19" } });
    const must = "command: must name what lies below the link /opt/odoo";
    expect(() => read(`command: [/usr/bin/odoo], ${upgrade}`, "/opt/odoo/odoo-bin")).toThrow(
      `ipai.yaml:21:13: stacks.production.odoo.${must}`,
    );
    expect(() => read(`command: [/opt/odoo/odoo-bin], ${upgrade}`)).toThrow(
      `ipai.yaml:8:13: stacks.production.runtime.native.services.odoo-core.${must}`,
    );
  });

  it("leads to series", () => {
    const wrong = upgrade.replace('"19.0"', "nineteen");
    expect(() => read(`command: [/opt/odoo/odoo-bin], ${wrong}`, "/opt/odoo/odoo-bin")).toThrow(
      "odoo.upgrade.to.nineteen: the name must be a series such as 19.0",
    );
  });

  it("is the machine's; a compose project has variables", () => {
    const ofProject = 'upgrade: { to: { "19.0": { ODOO_IMAGE: odoo:19.0 } } }';
    expect(() => read(`command: [/usr/bin/odoo], ${ofProject}`)).toThrow(
      "stacks.production.odoo.upgrade: must have link, and to with folders",
    );
  });
});
