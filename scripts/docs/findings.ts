import { type FindingDefinition, findings } from "../../src/errors/finding.ts";
import { loadDeclarations } from "./declarations.ts";
import { notice, page } from "./markdown.ts";

/** The findings as a page, and as the tests want them. */

/** All that can be found, by their codes. */
export async function allFindings(): Promise<readonly FindingDefinition[]> {
  await loadDeclarations("defineFinding");
  return [...findings.values()].toSorted((a, b) => (a.code < b.code ? -1 : 1));
}

/** Families of codes, in the order in which somebody looks for them. */
const families: Readonly<Record<string, string>> = {
  HTTP: "What users see",
  ODOO: "Processes of Odoo",
  CRON: "Scheduled actions",
  DB: "The database",
  DISK: "Disks",
  MEM: "Memory",
  CACHE: "The cache",
  CMP: "Containers",
  MAINTENANCE: "Maintenance mode",
  WAL: "The archive",
  BACKUP: "Backups",
  RECOVERY: "Drills",
  AUTOMATION: "n8n",
  RESOURCE: "What is left open",
  DEPLOY: "The checklist of a deployment",
  SETUP: "What `ipai init` sees",
};

export async function findingsPage(): Promise<string> {
  const all = await allFindings();
  const present = [...new Set(all.map(({ code }) => familyOf(code)))];
  const order = [...Object.keys(families), ...present].filter((family, index, list) => list.indexOf(family) === index);
  return page([
    notice,
    "# Findings",
    "What is found in a stack has a permanent code: the health checks (`ipai health`), what is recorded of backups, drills and what is left open (`ipai status`,",
    "and [messages](operating/notifications.md) of the schedule `health`, which have both), the checklist of a deployment (`ipai deploy --checklist`), and what `ipai init` sees",
    "in a compose project. A finding itself names what was met and the next action; here is what is asked, and when the answer is not well.",
    "",
    "Besides *ok*, *warn* and *fail* an answer may be *unknown*: it could not be asked, because a program, a right or the way to it is missing. That is never well.",
    "Limits are set under `health`, `objectives` and `deployments` in [the configuration](configuration.md). Errors, which end a command or a run, are",
    "[elsewhere](errors.md).",
    ...order
      .filter((family) => present.includes(family))
      .flatMap((family) => [
        `## ${families[family] ?? family}`,
        ...all.filter(({ code }) => familyOf(code) === family).flatMap(describeFinding),
      ]),
  ]);
}

function familyOf(code: string): string {
  return code.split("-")[1] ?? code;
}

function describeFinding({ code, title, asks, warns, fails, first }: FindingDefinition): readonly string[] {
  return [
    `### ${code}`,
    `**${title}**`,
    "",
    `- asked: ${asks}`,
    ...(warns === undefined ? [] : [`- warn: ${warns}`]),
    ...(fails === undefined ? [] : [`- fail: ${fails}`]),
    `- first: ${first}`,
  ];
}
