import { describe, expect, it } from "vitest";
import { example } from "../../config/fixtures/example.ts";
import { parseConfig } from "../../config/load.ts";
import { createStack } from "../stack.ts";

const text = example
  .replace("[/usr/bin/odoo, -c", "[/opt/odoo/current/odoo-bin, -c")
  .replace(
    "odoo: { command: [/usr/bin/odoo] }",
    'odoo: { command: [/opt/odoo/current/odoo-bin], addons: [/srv/addons], environment: { PYTHONPATH: "/opt/odoo/current/lib:/opt/odoo/current-old:/opt/odoo/current" }, ' +
      'upgrade: { link: /opt/odoo/current, to: { "19.0": /opt/odoo/19 } } }',
  );
const { production } = parseConfig(text, "ipai.yaml", {}).stacks;

function successorOf(series: string) {
  if (production === undefined) throw new TypeError("the example has no stack");
  return createStack(production).successor(series);
}

describe("the Odoo of another series", () => {
  it("is known when the configuration names it", () => {
    expect(successorOf("19.0")).toMatchObject({ kind: "linked", folder: "/opt/odoo/19" });
    expect(successorOf("20.0")).toBeUndefined();
  });

  it("is asked by the paths that it will have, and what only looks like the link stays", () => {
    const { config, relinked } = successorOf("19.0") ?? {};
    expect(config?.odoo).toMatchObject({
      command: ["/opt/odoo/19/odoo-bin"],
      environment: { PYTHONPATH: "/opt/odoo/19/lib:/opt/odoo/current-old:/opt/odoo/19" },
      config: "/etc/odoo/odoo.conf",
      addons: ["/srv/addons"],
    });
    expect(relinked?.("/opt/odoo/current/addons")).toBe("/opt/odoo/19/addons");
  });
});
