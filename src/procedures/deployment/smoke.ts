import { loginPassword } from "../../config/load.ts";
import { command, type HttpAction, type Probe } from "../../runbook/action.ts";
import type { Act, Step } from "../../runbook/plan.ts";
import { suffixed } from "../../runbook/value.ts";
import { logInAndOut } from "../../stack/odoo/log-in.ts";
import type { Address } from "../../stack/odoo/odoo.ts";
import type { Stack } from "../../stack/stack.ts";
import { read, require } from "../steps.ts";

/**
 * What a new release must answer before users are back. Asked at the services themselves, since users are kept out meanwhile: health with
 * its database, whatever the login page loads, and what the configuration names: paths, a user that logs in, a webhook of the automation.
 * All services are asked at the same time.
 */
export function smokeTests(stack: Stack, services: readonly string[]): readonly Step[] {
  const asked = running(stack, services);
  const { login } = stack.config.urls;
  const logins = login === undefined ? [] : asked.map((service) => logsIn(stack, service, login.user));
  return [
    ...serviceTests(stack, services),
    ...together("logins", "A user is let in, and out again", logins),
    ...callsAutomation(stack),
  ];
}

/** What concerns the services alone: with a database of before, whoever logs in now may not be there, or have another password. */
export function serviceTests(stack: Stack, services: readonly string[]): readonly Step[] {
  const acts = running(stack, services).map((service) => smokeOf(stack, service));
  return together("smoke", "What every service must answer", acts);
}

function together(id: string, title: string, acts: readonly Act[]): readonly Step[] {
  return acts.length === 0 ? [] : [{ kind: "parallel", id, title, acts }];
}

type Service = Stack["config"]["services"]["odoo"][number];

function running({ config }: Stack, services: readonly string[]): readonly Service[] {
  return config.services.odoo.filter(({ name }) => services.includes(name));
}

/** One after the other: what the login page loads says nothing while the database is not reached. */
function smokeOf(stack: Stack, { name, url }: Service): Act {
  const address = stack.odoo.addressOf({ url });
  const health = healthy(name, address);
  const named = stack.config.urls.smoke.flatMap((one) => expected(name, address, one));
  return require({ id: `smoke ${name}`, title: `${name} answers as it must`, probe: health }, {
    verify: [health, assets(stack, name, address), ...named].map((one) => ({ ...one, code: "deploy.smoke_failed" })),
    timeoutSeconds: 300,
    attempts: 2,
  });
}

/** Once each: what is asked is that somebody is let in, and one who is not would only be refused again. */
function logsIn({ odoo, config }: Stack, service: Service, user: string): Act {
  return read({
    id: `smoke ${service.name} login`,
    title: `${service.name} lets ${user} in, and out again`,
    action: logInAndOut(odoo.addressOf(service), config.odoo.database, { user, password: loginPassword }),
    outputs: {},
  });
}

/** Once: a workflow may do things. To this one it is said that it is asked whether it answers. */
function callsAutomation({ automation, config, name }: Stack): readonly Act[] {
  const smoke = config.services.automation?.smoke;
  if (automation === undefined || smoke === undefined) return [];
  const told = { test: true, source: "ipai", stack: name, reason: "deployment" };
  return [
    read(
      {
        id: "smoke automation",
        title: `n8n answers a test of ${smoke.path}`,
        action: automation.callWebhook(smoke.path, told),
        outputs: {},
      },
      { onFail: smoke.required ? "undo" : "continue" },
    ),
  ];
}

function get({ from, url, authority }: Address, path: string): HttpAction {
  const trust = authority === undefined ? {} : { authority };
  return { kind: "http", host: from, method: "GET", url: suffixed(url, path), timeoutSeconds: 60, ...trust };
}

function healthy(service: string, address: Address): Probe {
  return {
    title: `${service} reaches its database`,
    action: get(address, "/web/health?db_server_status=1"),
    output: { from: "body", as: "json", pick: ["db_server_status"] },
    compare: "eq",
    with: true,
  };
}

/** Bundles are made when they are first asked for: a stylesheet that does not compile shows only there. */
function assets({ odoo }: Stack, service: string, { url }: Address): Probe {
  return {
    title: `${service} serves all that its login page loads`,
    action: command(odoo.place, ["sh", "-c", assetsScript, "assets", url]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
  };
}

/** Prints what does not answer with 200, or that there is nothing to load: a pipe ends as its last program does. */
const assetsScript = `
set -eu
links=$(curl -sS --max-time 60 "$1/web/login" | grep -o '/web/assets/[^"]*' | sort -u | grep .) || { echo 'the login page loads nothing'; exit 0; }
for link in $links; do
  status=$(curl -sS --max-time 120 -o /dev/null -w '%{http_code}' "$1$link") || status=none
  [ "$status" = 200 ] || echo "$link: $status"
done
`;

function expected(
  service: string,
  address: Address,
  { path, status, has }: Stack["config"]["urls"]["smoke"][number],
): readonly Probe[] {
  const action = get(address, path);
  const answers: Probe = {
    title: `${service} answers ${path} with ${status}`,
    action,
    output: { from: "status", as: "number" },
    compare: "eq",
    with: status,
  };
  if (has === undefined) return [answers];
  return [answers, { ...answers, title: `${path} says ${has}`, output: { from: "body" }, compare: "has", with: has }];
}
