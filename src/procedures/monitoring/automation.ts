import { defineFinding } from "../../errors/finding.ts";
import type { Automation } from "../../stack/automation.ts";
import type { Stack } from "../../stack/stack.ts";
import { type Answer, type Check, type Judgement, judgeAnswer } from "./check.ts";

/** n8n: whether it is there, whether it would give a backup its workflows, and whether it still asks Odoo what is due. */

/** Less than a check may take, so that curl itself says what it waited for. */
const answerSeconds = 7;

/** It asks every two hours, and Odoo tells what is older than this by mail alone. */
const silentHours = 26;

const answering = defineFinding("IPAI-AUTOMATION-001", {
  title: "Automation",
  asks: "whether n8n says that it is well, where `services.automation` names it",
  fails: "it does not answer, or not with 200",
  first: "Start it again, and its database; is `services.automation.url` right?",
});

const takingKey = defineFinding("IPAI-AUTOMATION-002", {
  title: "Key of the automation",
  asks: "whether n8n's API takes the key, where `services.automation` names it",
  fails: "it refuses the key, or does not answer: no backup gets its workflows as JSON",
  first:
    "Make a new key in n8n, as its owner, and put it where `services.automation.apiKey` is read from; keys expire.",
});

const calling = defineFinding("IPAI-AUTOMATION-004", {
  title: "Calls of the automation",
  asks: "when n8n last asked Odoo what is due, where `services.automation` names it and `ipai_finance_ppm` is installed",
  warns: `more than ${silentHours} hours ago: the chat is told nothing, mails alone go on`,
  first: "`ipai n8n status` says whether its workflows are active.",
});

export function automationChecks(stack: Stack, automation: Automation): readonly Check[] {
  const { address } = automation;
  return [
    {
      ...answering,
      unit: "status",
      actions: [automation.health(answerSeconds)],
      judge: ([answer]) =>
        judgeStatus(answer, `n8n does not say on ${address} that it is well: is it started, and its database there?`),
    },
    {
      ...takingKey,
      unit: "status",
      actions: [automation.askWithKey(answerSeconds)],
      judge: ([answer]) => judgeStatus(answer, keyHint(address, answer), '"data"'),
    },
    {
      ...calling,
      unit: "hours ago",
      actions: [stack.postgres.query(stack.config.odoo.database, lastCallSql)],
      judge: ([answer]) =>
        judgeAnswer(answer, silentHours, "Odoo's database does not say when n8n last asked it.", judgeCall),
    },
  ];
}

/** One that never called has no workflow yet (`ipai n8n status`); without the module there is nobody to call. */
const lastCallSql = `
select coalesce((xpath('//hours/text()', query_to_xml(
    'select floor(extract(epoch from now() at time zone ''UTC'' - max(called_at)) / 3600) as hours from ipai_finance_heartbeat', false, true, '')))[1]::text, '')
  where to_regclass('ipai_finance_heartbeat') is not null;
`;

function judgeCall({ stdout }: { readonly stdout: string }): Judgement {
  const threshold = silentHours;
  const value = stdout.trim() === "" ? null : Number(stdout);
  if (value === null || value <= threshold) return { status: "ok", value, threshold };
  const hint = `n8n has not asked Odoo what is due for ${value} hours: the chat is told nothing, mails alone go on. \`ipai n8n status\` says whether its workflows are active; \`ipai n8n failures\`, what became of them.`;
  return { status: "warn", value, threshold, hint };
}

/** While it starts, n8n answers every question with 200 and a text. */
function judgeStatus(answer: Answer | undefined, hint: string, having = ""): Judgement {
  const threshold = 200;
  return judgeAnswer(answer, threshold, hint, ({ status = 0, body = "" }) =>
    status === threshold && body.includes(having)
      ? { status: "ok", value: status, threshold }
      : { status: "fail", value: status, threshold, hint: `${hint} (it answers ${status})` },
  );
}

function keyHint(address: string, answer: Answer | undefined): string {
  const isRefused = [401, 403].includes(answer?.result?.status ?? 0);
  return isRefused
    ? `n8n on ${address} refuses the key of its API, so no backup gets its workflows as JSON. Keys expire: make a new one as its owner (services.automation.apiKey).`
    : `n8n's API on ${address} does not answer, so no backup gets its workflows as JSON. Is it switched on, and services.automation.url right?`;
}
