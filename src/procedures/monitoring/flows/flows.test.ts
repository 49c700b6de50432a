import { compileFunction } from "node:vm";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../config/load.ts";
import { Secret } from "../../../config/secret.ts";
import { createStack } from "../../../stack/stack.ts";
import { sandboxConfig } from "../../sandbox/definition.ts";
import type { FlowFound } from "./facts.ts";
import { shippedWorkflows, testedPath, workflowsOf } from "./shipped.ts";
import { syncWorkflows } from "./sync.ts";

/** The shipped workflows, and what of them is put. That n8n takes them is shown on a real one. */

const settings = {
  folder: "/srv/s",
  basePort: 18_080,
  odoo: { command: ["/usr/bin/odoo"], addons: [], environment: {} },
};
const { sandbox } = parseConfig(sandboxConfig(settings), "ipai.yaml", {}).stacks;
if (sandbox === undefined) throw new TypeError("the configuration has no practice stack");
const automation = { url: "http://127.0.0.1:5678", apiKey: new Secret("k"), name: undefined };
const { services } = sandbox;
const stackWith = (webhookSecret?: Secret) =>
  createStack({
    ...sandbox,
    services: { ...services, automation: { ...automation, webhookSecret, database: undefined, keyFile: undefined } },
  });
const stack = stackWith();
const guarded = stackWith(new Secret("sesame"));
const found = (is: FlowFound["is"], differs: readonly string[] = []): FlowFound[] =>
  shippedWorkflows.map((shipped) => ({
    ...{ shipped, is, differs, isActive: is === "as shipped", digest: is === "missing" ? null : "5a" },
  }));
const stepsOf = (flows: readonly FlowFound[]) => syncWorkflows.plan(stack, {}, { flows }).steps;

interface Node {
  readonly name: string;
  readonly type: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly credentials?: Readonly<Record<string, { readonly id: string | null }>>;
  readonly webhookId?: string;
  readonly retryOnFail?: boolean;
}

describe.each(shippedWorkflows.map((one) => [one.name, one] as const))(
  "%s",
  (_, { nodes: all, settings, connections }) => {
    const nodes = all as unknown as readonly Node[];
    const ofType = (type: string) => nodes.filter((node) => node.type === `n8n-nodes-base.${type}`);

    it("is small, in Manila's time, and tells of its failures", () => {
      expect(nodes.length).toBeLessThanOrEqual(8);
      expect(settings["timezone"]).toBe("Asia/Manila");
      const names = shippedWorkflows.map(({ name }) => name);
      if (ofType("errorTrigger").length === 0) expect(names).toContain(settings["errorWorkflow"]);
    });

    it("has no secret and no address in it, and tries again", () => {
      for (const { name, parameters, credentials = {}, retryOnFail = false } of ofType("httpRequest")) {
        // A second try would be in the time that is taken.
        expect([retryOnFail || name === "Measure", parameters["url"]]).toEqual([
          true,
          expect.stringMatching(/^=\{\{ \$env\.[A-Z_]+ \}\}/),
        ]);
        expect(Object.values(credentials).every(({ id }) => id === null)).toBe(true);
      }
    });

    it("is wired to nodes that are there, and its webhook is the same each time", () => {
      const targets = Object.values(connections as Record<string, { main: { node: string }[][] }>).flatMap(({ main }) =>
        main.flat().map(({ node }) => node),
      );
      expect(nodes.map(({ name }) => name)).toEqual(expect.arrayContaining([...targets, ...Object.keys(connections)]));
      for (const { webhookId } of ofType("webhook")) expect(webhookId).toMatch(/^[0-9a-f-]{36}$/);
    });
  },
);

describe("the performance monitor", () => {
  const { nodes, connections } = shippedWorkflows.find(({ name }) => name.endsWith("monitor")) as unknown as {
    nodes: readonly Node[];
    connections: Record<string, { main: { node: string }[][] }>;
  };
  type Item = { readonly json: { readonly text?: string; readonly error?: object } };

  it("remembers only what the chat has taken, and tells the rest again", () => {
    const state = {};
    /** As n8n runs a node of code: what came in, and what the first of them gave. */
    const run = (name: string, item: Item, changed: readonly Item[]): readonly Item[] => {
      const code = String(nodes.find((node) => node.name === name)?.parameters["jsCode"]);
      const first = ([json]: readonly Item[]) => ({ first: () => json });
      return compileFunction(code, ["$getWorkflowStaticData", "$input", "$"])(
        ...[() => state, first([item]), () => first(changed)],
      );
    };
    const look = (error: object | undefined, isChatUp: boolean) => {
      const changed = run("What changed", { json: error === undefined ? {} : { error } }, []);
      if (changed.length > 0 && isChatUp) run("Told", { json: {} }, changed);
      return changed.map(({ json }) => json.text);
    };
    const away = { message: "timeout" };
    const [gone, back] = ["Odoo does not answer within 5 seconds: timeout", "Odoo answers again."];
    expect(connections["Tell Mattermost"]?.main).toEqual([[expect.objectContaining({ node: "Told" })]]);
    expect(look(undefined, true)).toEqual([]);
    expect([look(away, false), look(away, true), look(away, true)]).toEqual([[gone], [gone], []]);
    expect([look(undefined, false), look(undefined, true), look(undefined, true)]).toEqual([[back], [back], []]);
  });
});

describe("the performance log", () => {
  const { nodes } = shippedWorkflows.find(({ name }) => name.endsWith("log")) as unknown as { nodes: readonly Node[] };

  it("takes no time of what did not answer", () => {
    const row = (json: object) => {
      const code = String(nodes.find(({ name }) => name === "Row")?.parameters["jsCode"]);
      const begun = { first: () => ({ json: { begun: Date.now() - 250 } }) };
      const [told] = compileFunction(code, ["$input", "$"])({ first: () => ({ json }) }, () => begun);
      return told.json;
    };
    const about = { source: "n8n", metric: "http", route: "/web/login" };
    const { response_time_ms: took, ...slow } = row({ statusCode: 503 });
    expect([slow, took >= 250 && took < 2000]).toEqual([{ ...about, status_code: 503 }, true]);
    expect(row({ error: { message: "timeout" } })).toEqual({ ...about, meta: { error: "timeout" } });
  });
});

describe("a secret of the webhooks", () => {
  it("changes nothing but the webhooks, and is not in them", () => {
    expect(workflowsOf(stack)).toBe(shippedWorkflows);
    const changed = workflowsOf(guarded).flatMap(({ nodes }, nth) =>
      nodes.filter((node, at) => node !== shippedWorkflows[nth]?.nodes[at]),
    ) as unknown as readonly Node[];
    expect(changed.map(({ type }) => type)).toEqual(Array(3).fill("n8n-nodes-base.webhook"));
    for (const { parameters, credentials } of changed) {
      expect(parameters["authentication"]).toBe("headerAuth");
      expect(credentials).toEqual({ httpHeaderAuth: { id: null, name: "Finance PPM: webhooks" } });
    }
  });

  it("has whoever does not know it refused in the end, and is in no plan", () => {
    const { steps } = syncWorkflows.plan(guarded, {}, { flows: found("as shipped") });
    expect(steps.map(({ id }) => id)).toEqual(["test", "refuse"]);
    expect(JSON.stringify(steps)).not.toContain("sesame");
  });
});

describe("ipai n8n sync", () => {
  it("calls a path that a workflow has", () => {
    expect(JSON.stringify(shippedWorkflows)).toContain(`"path":"${testedPath.replace("/webhook/", "")}"`);
  });

  it("only tests what is as shipped", () => {
    expect(stepsOf(found("as shipped")).map(({ id }) => id)).toEqual(["test"]);
  });

  it("says what it does with each, and takes back to what was", () => {
    const titles = (is: FlowFound["is"], differs?: readonly string[]) =>
      stepsOf(found(is, differs).slice(1, 2)).map((step) => ("title" in step ? step.title : ""));
    expect(titles("missing")[0]).toBe("Add Finance PPM: BIR deadline alert");
    expect(titles("inactive")[0]).toBe("Activate Finance PPM: BIR deadline alert");
    expect(titles("different", ["node Schedule", "setting timezone"])[0]).toBe(
      "Change Finance PPM: BIR deadline alert: node Schedule, setting timezone",
    );
    const undone = (is: FlowFound["is"]) => {
      const [step] = stepsOf(found(is));
      return step?.kind === "act" && Array.isArray(step.undo) ? step.undo.map(({ id }) => id) : [];
    };
    expect([undone("missing"), undone("different")]).toEqual([
      ["remove Finance PPM: failure"],
      ["put back Finance PPM: failure"],
    ]);
  });
});
