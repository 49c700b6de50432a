import { loginPassword } from "../../config/load.ts";
import { command, type HttpAction, type Probe } from "../../runbook/action.ts";
import type { Act } from "../../runbook/plan.ts";
import { suffixed } from "../../runbook/value.ts";
import { logInAndOut } from "../../stack/odoo/log-in.ts";
import type { Address } from "../../stack/odoo/odoo.ts";
import type { Stack } from "../../stack/stack.ts";
import { read, require } from "../steps.ts";

/**
 * What a new release must answer before users are back. Asked at the services themselves, since users are kept out meanwhile: health with
 * its database, whatever the login page loads, and what the configuration names: paths, a user that logs in, a webhook of the automation.
 */
export function smokeTests(stack: Stack, services: readonly string[]): readonly Act[] {
  const asked = running(stack, services);
  const { login } = stack.config.urls;
  return [
    ...serviceTests(stack, services),
    ...(login === undefined ? [] : asked.map((service) => logsIn(stack, service, login.user))),
    ...callsAutomation(stack),
  ];
}

/** What concerns the services alone: with a database of before, whoever logs in now may not be there, or have another password. */
export function serviceTests(stack: Stack, services: readonly string[]): readonly Act[] {
  return running(stack, services).flatMap((service) => smokeOf(stack, service));
}

type Service = Stack["config"]["services"]["odoo"][number];

function running({ config }: Stack, services: readonly string[]): readonly Service[] {
  return config.services.odoo.filter(({ name }) => services.includes(name));
}

function smokeOf(stack: Stack, service: Service): readonly Act[] {
  const address = stack.odoo.addressOf(service);
  return [
    smoke(service.name, "health", [healthy(service.name, address)]),
    smoke(service.name, "assets", [assets(stack, service.name, address)]),
    ...stack.config.urls.smoke.map((one, index) =>
      smoke(service.name, one.path, expected(service.name, address, one), String(index + 1)),
    ),
  ];
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

/** `id`: a path is no part of one. */
function smoke(service: string, what: string, probes: readonly [Probe, ...Probe[]], id = what): Act {
  const [probe] = probes;
  return require({ id: `smoke ${service} ${id}`, title: `${service} answers: ${what}`, probe }, {
    verify: probes.map((one) => ({ ...one, code: "deploy.smoke_failed" })),
    attempts: 2,
  });
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

/** Prints what does not answer with 200, or that there is nothing to load. */
const assetsScript = `
set -eu
links=$(curl -sS --max-time 60 "$1/web/login" | grep -o '/web/assets/[^"]*' | sort -u) || { echo 'the login page loads nothing'; exit 0; }
for link in $links; do
  status=$(curl -sS --max-time 120 -o /dev/null -w '%{http_code}' "$1$link") || status=none
  [ "$status" = 200 ] || echo "$link: $status"
done
`;

function expected(
  service: string,
  address: Address,
  { path, status, has }: Stack["config"]["urls"]["smoke"][number],
): readonly [Probe, ...Probe[]] {
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
