import type { Automation } from "../../stack/automation.ts";
import { type Answer, type Check, type Judgement, judgeAnswer } from "./check.ts";

/** n8n: whether it is there, and whether it would give a backup its workflows. What its workflows do is theirs. */

/** Less than a check may take, so that curl itself says what it waited for. */
const answerSeconds = 7;

export function automationChecks(automation: Automation): readonly Check[] {
  const { address } = automation;
  return [
    {
      ...{ code: "IPAI-AUTOMATION-001", title: "Automation", unit: "status" },
      actions: [automation.health(answerSeconds)],
      judge: ([answer]) =>
        judgeStatus(answer, `n8n does not say on ${address} that it is well: is it started, and its database there?`),
    },
    {
      ...{ code: "IPAI-AUTOMATION-002", title: "Key of the automation", unit: "status" },
      actions: [automation.askWithKey(answerSeconds)],
      judge: ([answer]) => judgeStatus(answer, keyHint(address, answer), '"data"'),
    },
  ];
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
