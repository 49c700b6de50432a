import { defineFinding } from "../../errors/finding.ts";
import { maintenanceMark } from "../../stack/maintenance-page.ts";
import type { Address } from "../../stack/odoo/odoo.ts";
import type { Redis } from "../../stack/redis.ts";
import type { Stack } from "../../stack/stack.ts";
import { type Answer, type Check, type Judgement, judgeAnswer, judgeError, type Status, worst } from "./check.ts";

/** The services of the stack: whether their processes are there, and whether they answer. */

const runningOdoo = defineFinding("IPAI-ODOO-001", {
  title: "Odoo processes",
  asks: "whether the process, or the container, of each Odoo service runs",
  fails: "one does not",
  first: "Read the end of its log, which the finding names; then start it again.",
});

export function processes(stack: Stack): Check {
  const services = stack.config.services.odoo;
  const threshold = services.length;
  return {
    ...runningOdoo,
    unit: "running",
    actions: services.map((service) => stack.runtime.service(service.name).isRunning.action),
    judge: (answers) => {
      const judged = services.map(({ name }, index): Judgement => {
        const failHint = `Whether ${name} runs could not be found out.`;
        return judgeAnswer(answers[index], threshold, failHint, ({ exitCode }) =>
          exitCode === 0
            ? { status: "ok", value: 1, threshold }
            : { status: "fail", value: 0, threshold, hint: `${name} does not run. ${logHint(stack, name)}` },
        );
      });
      return {
        status: worst(judged.map((one) => one.status)),
        value: judged.every((one) => one.status === "unknown") ? null : judged.filter((one) => one.value === 1).length,
        threshold,
        ...hintOf(judged.flatMap((one) => one.hint ?? [])),
      };
    },
  };
}

function hintOf(hints: readonly string[]): { readonly hint?: string } {
  return hints.length === 0 ? {} : { hint: [...new Set(hints)].join(" ") };
}

function logHint(stack: Stack, name: string): string {
  const log = stack.runtime.words.log(name);
  return log === undefined ? "Start it again." : `Its log, ${log}, says why; then start it again.`;
}

/** Where every Odoo of the stack writes what it meets. */
export function logsOfOdoo(stack: Stack): string {
  return stack.config.services.odoo.flatMap(({ name }) => stack.runtime.words.log(name) ?? []).join(", ");
}

const slowMs = 5000;

const servedPages = defineFinding("IPAI-HTTP-001", {
  title: "Login page",
  asks: "whether the login form is served, at the public address and by each Odoo service; the page of maintenance mode counts as well",
  warns: `it takes ${slowMs / 1000} s or longer`,
  fails: "it does not come, or something else does: `/web/health` answers 200 even while every page fails",
  first:
    "Look at IPAI-ODOO-001 and IPAI-DB-001 first; if both are well, the log that the finding names has the traceback.",
});

/** Less than a check may take, so that curl itself says what it waited for. */
const pageSeconds = 7;

interface Target {
  readonly name: string;
  readonly address: Address;
  readonly log: string | undefined;
}

/** The login form, through the proxy and from each process itself. /web/health answers 200 while every page fails. */
export function http(stack: Stack): Check {
  const { odoo, proxy } = stack.config.services;
  const log = stack.runtime.words.log;
  const targets: readonly Target[] = [
    {
      name: "the public address",
      address: stack.odoo.publicAddress,
      log: proxy === undefined ? undefined : log(proxy.name),
    },
    ...odoo.map((service) => ({
      name: service.name,
      address: stack.odoo.addressOf(service),
      log: log(service.name),
    })),
  ];
  return {
    ...servedPages,
    unit: "ms",
    actions: targets.map((target) => stack.odoo.loginPage(target.address, pageSeconds)),
    judge: (answers) => {
      const pages = targets.map((target, index) => judgePage(target, answers[index]));
      const slowest = Math.max(...pages.map((page) => page.milliseconds));
      return {
        status: worst(pages.map((page) => page.status)),
        value: slowest === 0 ? null : slowest,
        threshold: slowMs,
        ...hintOf(describe(pages)),
      };
    },
  };
}

interface Page {
  readonly target: Target;
  readonly status: Status;
  readonly milliseconds: number;
  /** What is wrong with it, as the end of a sentence that begins with its name. */
  readonly fault?: string;
}

/** Pages with the same fault are told together. */
function describe(pages: readonly Page[]): readonly string[] {
  const faults = [...new Set(pages.flatMap((page) => page.fault ?? []))];
  return faults.map((fault) => {
    const having = pages.filter((page) => page.fault === fault);
    const logs = having.flatMap((page) => page.target.log ?? []);
    return `${having.map((page) => page.target.name).join(", ")}: ${fault}${logs.length === 0 ? "" : ` Logs: ${logs.join(", ")}.`}`;
  });
}

function judgePage(target: Target, answer: Answer | undefined): Page {
  if (answer?.result === undefined) return { target, milliseconds: 0, ...judgeNoPage(answer) };
  const { status, body, seconds } = answer.result;
  const milliseconds = Math.round(seconds * 1000);
  const fault = faultOf(status ?? 0, body ?? "");
  if (fault !== undefined) return { target, status: "fail", milliseconds, fault };
  if (milliseconds < slowMs) return { target, status: "ok", milliseconds };
  return { target, status: "warn", milliseconds, fault: "the login page is slow." };
}

function judgeNoPage(answer: Answer | undefined): Pick<Page, "status" | "fault"> {
  if (answer?.error === undefined) return { status: "unknown", fault: "it was not asked." };
  switch (answer.error.code) {
    case "host.http_unreachable":
      return { status: "fail", fault: "nothing answers there. Is its process running (IPAI-ODOO-001)?" };
    case "host.http_timeout":
      return {
        status: "fail",
        fault: `no answer within ${pageSeconds} s. Is it overloaded, stopped, or waiting for the database (IPAI-DB-001)?`,
      };
    default: {
      const { status, hint } = judgeError(answer.error, null, "the page could not be read.");
      return { status, ...(hint === undefined ? {} : { fault: hint }) };
    }
  }
}

function faultOf(status: number, body: string): string | undefined {
  // Users are kept out on purpose: how long they may be is a check of its own (IPAI-MAINTENANCE-001).
  if (status === 503 && body.includes(maintenanceMark)) return undefined;
  if (status === 200) return body.includes('name="login"') ? undefined : "the page has no login form.";
  const answers = `it answers ${status} to /web/login instead of 200:`;
  if (status >= 300 && status < 400)
    return `${answers} its database is missing or cannot be reached (IPAI-DB-001), or the address names another place.`;
  if (status >= 502 && status <= 504) return `${answers} the proxy reaches no Odoo (IPAI-ODOO-001).`;
  if (status >= 500)
    return `${answers} a view is broken, or its code and its database do not fit. The log has the traceback.`;
  return `${answers} is this the address of Odoo?`;
}

const answeringCache = defineFinding("IPAI-CACHE-001", {
  title: "Cache",
  asks: "whether Redis answers a PING, where `services.cache` names one",
  fails: "it does not, or refuses the password",
  first:
    "Start it again; a password stands in `services.cache.password`. Odoo itself keeps nothing in Redis unless a module of yours does.",
});

export function cache(stack: Stack, { name, address, ping }: Redis): Check {
  const threshold = "PONG";
  return {
    ...answeringCache,
    unit: "answer",
    actions: [ping],
    judge: ([answer]) =>
      judgeAnswer(
        answer,
        threshold,
        `Redis (${name}) does not answer on ${address}. ${logHint(stack, name)}`,
        ({ stdout }) => {
          const value = stdout.trim();
          if (value === threshold) return { status: "ok", value, threshold };
          const [word = ""] = value.split(/\s/);
          const hint = `Redis (${name}) answers "${value.slice(0, 200)}" to PING. ${loginHint(value)}`;
          return { status: "fail", value: word, threshold, hint };
        },
      ),
  };
}

/** Redis answers a log-in that failed, or is missing, with an error, not with an exit code. */
function loginHint(answer: string): string {
  return /NOAUTH|WRONGPASS|NOPERM|AUTH failed/.test(answer)
    ? "Set services.cache.password (and user) in ipai.yaml to what Redis takes."
    : "";
}
