import { command, type Probe } from "../../../runbook/action.ts";
import type { Act, Step } from "../../../runbook/plan.ts";
import { pathExists, pathIsAbsent } from "../../../stack/files.ts";
import { otherSessionsSql } from "../../../stack/postgres.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { Running } from "../../running.ts";
import { change, require, takeBack } from "../../steps.ts";
import { namesOf } from "../restore/place.ts";

/** A copy under its own name, and that nobody knows of it who is not told. */

/** It was loaded aside under the run's name: only a whole one ever has its own. It stays a template, so Odoo does not list it. */
export function placeCopy(stack: Stack, name: string): readonly Act[] {
  const { tools: host, postgres, odoo } = stack;
  const { past, pastFiles } = namesOf(stack);
  const files = odoo.filestoreOf(name);
  const renameSql = `alter database :"from" rename to :"to";`;
  return [
    change(
      {
        id: "place",
        title: `Give it its name, ${name}`,
        action: postgres.query("postgres", renameSql, { from: past, to: name }),
      },
      {
        done: postgres.databaseIsAbsent(past),
        verify: [postgres.databaseExists(name), postgres.databaseIsAbsent(past), postgres.isHidden(name)],
        undo: [
          takeBack(
            {
              id: "take name",
              title: "Take its name from it",
              action: postgres.query("postgres", renameSql, { from: name, to: past }),
            },
            { done: postgres.databaseExists(past), verify: [postgres.databaseExists(past)] },
          ),
        ],
      },
    ),
    change(
      {
        id: "place files",
        title: "Give its filestore its name",
        action: command(host, ["mv", "-T", "--", pastFiles, files]),
      },
      {
        done: pathIsAbsent(host, pastFiles, "the filestore has its name"),
        verify: [pathExists(host, files, "the filestore of the copy is there")],
        undo: [
          takeBack(
            {
              id: "take files",
              title: "Take the name from its filestore",
              action: command(host, ["mv", "-T", "--", files, pastFiles]),
            },
            {
              done: pathExists(host, pastFiles, "the filestore has the run's name"),
              verify: [pathExists(host, pastFiles, "the filestore has the run's name")],
            },
          ),
        ],
      },
    ),
  ];
}

/** Every Odoo of the stack is asked for its databases; one that may not tell knows of it as little. And nobody is on it. */
export function stayUnknown(stack: Stack, name: string, running: Running): readonly Step[] {
  const { odoo, postgres, config } = stack;
  const services = config.services.odoo.filter((service) => running.odoo.includes(service.name));
  const unlisted = services.map((service) => {
    const { from, url } = odoo.addressOf(service);
    const probe: Probe = {
      title: `${service.name} does not list it`,
      action: {
        kind: "http",
        host: from,
        method: "POST",
        url: `${String(url)}/web/database/list`,
        headers: { "content-type": "application/json" },
        body: '{"jsonrpc": "2.0", "params": {}}',
        timeoutSeconds: 30,
      },
      output: { from: "body" },
      compare: "absent",
      with: `"${name}"`,
      code: "restore.copy_listed",
    };
    return require({ id: `unlisted ${service.name}`, title: `${service.name} does not know of it`, probe });
  });
  const alone: Probe = {
    title: "no session is on the copy",
    action: postgres.query("postgres", otherSessionsSql, { name }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "restore.copy_listed",
  };
  return [...unlisted, require({ id: "unused", title: "Nobody is on it", probe: alone }, { attempts: 3 })];
}
