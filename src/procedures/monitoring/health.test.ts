import { describe, expect, it } from "vitest";
import { parseConfig } from "../../config/load.ts";
import { Secret } from "../../config/secret.ts";
import type { ActionResult } from "../../host/perform.ts";
import { createStack } from "../../stack/stack.ts";
import { sandboxConfig } from "../sandbox/definition.ts";
import { type Answer, type Judgement, worst } from "./check.ts";
import { healthChecks } from "./health.ts";

/** How answers are judged; that the right questions are asked is shown on a real stack. */

const settings = {
  folder: "/srv/s",
  basePort: 18_080,
  odoo: { command: ["/usr/bin/odoo"], addons: [], environment: {} },
};
const { sandbox } = parseConfig(sandboxConfig(settings), "ipai.yaml", {}).stacks;
if (sandbox === undefined) throw new TypeError("the configuration has no practice stack");
const automation = { url: "http://127.0.0.1:5678", apiKey: new Secret("k"), database: "n8n" };
const services = { ...sandbox.services, automation: { ...automation, name: undefined, keyFile: undefined } };
const checks = healthChecks(createStack({ ...sandbox, services }));

function judge(code: string, ...answers: readonly Answer[]): Judgement {
  const check = checks.find((one) => one.code === code);
  if (check === undefined) throw new TypeError(`no check ${code}`);
  return check.judge(answers);
}

function said(stdout: string, more: Partial<ActionResult> = {}): Answer {
  return { result: { stdout, stderr: "", exitCode: 0, seconds: 0.2, truncated: false, ...more } };
}

function failed(code: string, output = ""): Answer {
  return { error: { code, message: "It failed.", hint: "Look.", output } };
}

const page = (status: number, body: string, seconds = 0.2) => said("", { status, body, seconds });
const login = page(200, '<input name="login"/>');
const row = (value: object) => said(`${JSON.stringify(value)}\n`);

describe("n8n", () => {
  it("is asked for its health, and whether it takes the key: without it no workflow gets into a backup", () => {
    expect(judge("IPAI-AUTOMATION-001", page(200, "{}")).status).toBe("ok");
    expect(judge("IPAI-AUTOMATION-001", page(503, ""))).toMatchObject({ status: "fail", value: 503 });
    expect(judge("IPAI-AUTOMATION-001", failed("host.http_unreachable", "refused")).status).toBe("fail");
    expect(judge("IPAI-AUTOMATION-001", failed("host.program_not_found")).status).toBe("unknown");
    expect(judge("IPAI-AUTOMATION-002", page(401, "")).hint).toContain("refuses the key of its API");
    expect(judge("IPAI-AUTOMATION-002", page(404, "")).hint).toContain("does not answer");
    expect(judge("IPAI-AUTOMATION-002", page(200, "n8n is starting up. Please wait")).status).toBe("fail");
    expect(judge("IPAI-AUTOMATION-002", page(200, '{"data": []}')).status).toBe("ok");
  });

  it("is missed when it asked Odoo and does so no more", () => {
    for (const [answer, status, value] of [
      ["26", "ok", 26],
      ["27", "warn", 27],
      ["", "ok", null],
    ] as const)
      expect(judge("IPAI-AUTOMATION-004", said(`${answer}\n`))).toMatchObject({ status, value });
    expect(judge("IPAI-AUTOMATION-004", failed("host.program_not_found")).status).toBe("unknown");
  });

  it("is not asked where there is none", () => {
    const codes = healthChecks(createStack(sandbox)).map(({ code }) => code);
    expect(codes.filter((code) => code.startsWith("IPAI-AUTOMATION"))).toEqual([]);
  });
});

describe("the disks", () => {
  const df = (...rows: readonly string[]) => said(rows.map((line) => `Use% IUse% Mounted on\n${line}\n`).join(""));

  it("are as full as the fullest of them, by space or by inodes", () => {
    expect(judge("IPAI-DISK-001", df(" 10%    3% /", " 45%   82% /srv my disk"))).toMatchObject({
      status: "warn",
      value: 82,
    });
    expect(judge("IPAI-DISK-001", df(" 10%    3% /", " 45%   82% /srv my disk")).hint).toContain(
      "/srv my disk has 82 % of its inodes in use. `du -x --inodes",
    );
    expect(judge("IPAI-DISK-001", df(" 90%    3% /"))).toMatchObject({ status: "fail", value: 90 });
    expect(judge("IPAI-DISK-001", df("  7%     - /"))).toEqual({ status: "ok", value: 7, threshold: 90 });
  });

  it("of the database's container count as well, and are missed when it cannot be asked", () => {
    const tools = df(" 10%    3% /");
    expect(judge("IPAI-DISK-001", tools, said("91% - /var/lib/postgresql/data\n"))).toMatchObject({ value: 91 });
    expect(judge("IPAI-DISK-001", tools, failed("health.not_asked"))).toMatchObject({ status: "unknown" });
  });

  it("are unknown when df names none", () => {
    expect(judge("IPAI-DISK-001", said(""))).toMatchObject({ status: "unknown", value: null });
  });
});

describe("the memory", () => {
  it("is that of the tightest control group, whose service is named", () => {
    const figures = "host 1000 100000\ncgroup 95 100 /srv/s/run/odoo-core.pid\ncgroup 5 9223372036854771712 /x\n";
    expect(judge("IPAI-MEM-001", said(figures))).toMatchObject({ status: "fail", value: 95 });
    expect(judge("IPAI-MEM-001", said(figures)).hint).toContain("The control group of odoo-core uses 95 %");
    expect(judge("IPAI-MEM-001", said("host 85 100\n")).hint).toContain("The machine uses 85 %");
  });

  it("is unknown without figures", () => {
    expect(judge("IPAI-MEM-001", said("\n")).status).toBe("unknown");
  });
});

describe("the login page", () => {
  it("is as slow as the slowest, and pages with one fault are told together", () => {
    expect(judge("IPAI-HTTP-001", login, login, login, page(200, 'name="login"', 6))).toMatchObject({
      status: "warn",
      value: 6000,
      hint: "odoo-marketing: the login page is slow. Logs: /srv/s/log/odoo-marketing.log.",
    });
    const { status, hint } = judge(
      "IPAI-HTTP-001",
      page(502, ""),
      failed("host.http_unreachable"),
      login,
      page(500, ""),
    );
    expect(status).toBe("fail");
    expect(hint).toContain(
      "the public address: it answers 502 to /web/login instead of 200: the proxy reaches no Odoo",
    );
    expect(hint).toContain("odoo-accounting: nothing answers there");
    expect(hint).toContain("odoo-marketing: it answers 500");
    expect(judge("IPAI-HTTP-001", page(303, ""), page(303, ""), login, login).hint).toContain(
      "the public address, odoo-accounting: it answers 303",
    );
  });

  it("must have the form, whatever its status says", () => {
    expect(judge("IPAI-HTTP-001", page(200, "Database Manager"), login, login, login)).toMatchObject({
      status: "fail",
    });
    expect(judge("IPAI-HTTP-001", page(404, ""), login, login, login).hint).toContain("is this the address of Odoo?");
  });

  it("is unknown when it could not be asked for", () => {
    const absent = failed("host.program_not_found");
    expect(judge("IPAI-HTTP-001", absent, absent, absent, absent)).toEqual({
      status: "unknown",
      value: null,
      threshold: 5000,
      hint: expect.stringContaining("the public address, odoo-accounting"),
    });
  });
});

describe("the processes", () => {
  const stopped = said("", { exitCode: 3 });

  it("are counted, and one that cannot be asked about is not counted as missing", () => {
    expect(judge("IPAI-ODOO-001", said(""), stopped, said(""))).toMatchObject({
      status: "fail",
      value: 2,
      threshold: 3,
    });
    expect(judge("IPAI-ODOO-001", said(""), failed("health.not_asked"), said(""))).toMatchObject({
      status: "unknown",
      value: 2,
    });
    expect(judge("IPAI-ODOO-001", said(""), failed("health.not_asked"), stopped)).toMatchObject({
      status: "fail",
      value: 1,
    });
  });
});

describe("the database", () => {
  it("is judged by the share of its connections", () => {
    expect(judge("IPAI-DB-001", row({ used: 50, max: 97 }))).toEqual({ status: "ok", value: 52, threshold: 95 });
    expect(judge("IPAI-DB-001", row({ used: 96, max: 97 }))).toMatchObject({ status: "fail", value: 99 });
    expect(judge("IPAI-DB-001", failed("host.command_failed", "psql: error: connection refused")).hint).toBe(
      "PostgreSQL does not answer on database odoo. `PG_CLUSTER_CONF_ROOT=/srv/s/postgresql pg_lsclusters` names its state and its " +
        "log; start it with `PG_CLUSTER_CONF_ROOT=/srv/s/postgresql pg_ctlcluster 15 sandbox start`. (psql: error: connection refused)",
    );
    expect(judge("IPAI-DB-001", failed("host.timeout")).hint).toContain("(no answer within 8 s)");
  });
});

describe("the scheduled actions", () => {
  const well = { failing: [], stopped: [], overdue: [], pending: [], schedulers: 3 };

  it.each([
    ["ok", {}, undefined],
    ["fail", { failing: ["A", "B"] }, "Failing: A, B. The tracebacks are in /srv/s/log/odoo-accounting.log, "],
    ["fail", { stopped: ["A"] }, "Ended before they did anything"],
    ["fail", { pending: ["sale"] }, "between two states: sale"],
    ["fail", { schedulers: 0 }, "Restart odoo-accounting, odoo-core, odoo-marketing"],
    ["warn", { overdue: ["A"] }, "Overdue by more than 15 minutes: A."],
  ])("are %s with %j", (status, given, hint) => {
    const judged = judge("IPAI-CRON-001", row({ ...well, ...given }));
    expect(judged.status).toBe(status);
    if (hint === undefined) expect(judged.hint).toBeUndefined();
    else expect(judged.hint).toContain(hint);
  });

  it("that fail and are overdue are counted once", () => {
    expect(judge("IPAI-CRON-001", row({ ...well, failing: ["A"], overdue: ["A", "B"] })).value).toBe(2);
  });
});

describe("the cache", () => {
  it("has to answer PONG", () => {
    expect(judge("IPAI-CACHE-001", said("PONG\n"))).toEqual({ status: "ok", value: "PONG", threshold: "PONG" });
    expect(judge("IPAI-CACHE-001", said("LOADING Redis is loading\n"))).toMatchObject({ status: "fail" });
    expect(judge("IPAI-CACHE-001", failed("host.timeout")).hint).toContain("/srv/s/log/redis.log");
  });
});

describe("the whole", () => {
  it("is as bad as the worst, and what is known to be broken comes before what is not known", () => {
    expect(worst([])).toBe("ok");
    expect(worst(["ok", "warn"])).toBe("warn");
    expect(worst(["ok", "unknown", "warn"])).toBe("unknown");
    expect(worst(["unknown", "fail", "ok"])).toBe("fail");
  });
});
