import { afterAll, beforeAll, expect, it } from "vitest";
import { readOutput } from "../../../src/host/perform.ts";
import { serviceTests } from "../../../src/procedures/deployment/smoke.ts";
import { createStack } from "../../../src/stack/stack.ts";
import { perform, practiceStack } from "../../harness/perform.ts";
import { Receiver } from "../../harness/receiver.ts";

/** What a login page loads, asked at pages that an Odoo shows when something is wrong with it. What a real one shows: the system tests. */

let odoo: Receiver;
beforeAll(async () => {
  odoo = await new Receiver().listen();
});
afterAll(() => odoo.close());

const form = '<form><input name="login"></form>';
const link = (name: string) => `<link rel="stylesheet" href="/web/assets/1/${name}">`;

/** Serves these pages, and nothing else. */
async function ask(pages: Readonly<Record<string, string>>): Promise<string> {
  odoo.behave = ({ url = "" }, response) => {
    const page = pages[url];
    response.writeHead(page === undefined ? 500 : 200).end(page);
  };
  const config = practiceStack("/srv/practice");
  const [service] = config.services.odoo;
  if (service === undefined) throw new TypeError("no service");
  const services = { ...config.services, odoo: [{ ...service, url: `http://127.0.0.1:${odoo.port}` }] };
  const [tests] = serviceTests(createStack({ ...config, services }), [service.name]);
  const probes = tests?.kind === "parallel" ? tests.acts.flatMap(({ verify }) => verify) : [];
  const loads = probes.find(({ title }) => title.endsWith("serves all that its login page loads"));
  if (loads === undefined) throw new TypeError("nobody asks what the page loads");
  expect([loads.compare, loads.with]).toEqual(["absent", ""]);
  return String(readOutput(await perform(loads.action), loads.output));
}

it.each<[string, Readonly<Record<string, string>>, string]>([
  ["loads what answers", { "/web/login": form + link("a.css"), "/web/assets/1/a.css": "a {}" }, ""],
  ["loads nothing", { "/web/login": form }, "the login page loads nothing"],
  ["is not shown", {}, "the login page loads nothing"],
  [
    "loads what does not answer",
    { "/web/login": form + link("a.css") + link("b.js"), "/web/assets/1/a.css": "a {}" },
    "/web/assets/1/b.js: 500",
  ],
])("a login page that %s", async (_, pages, said) => {
  expect(await ask(pages)).toBe(said);
});
