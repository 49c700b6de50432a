import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { environment, folder, inOdoo, inTools, isCompose, run, urls } from "./sandbox.ts";

/** Odoo as its users reach it. */

/** Calls a method of a model by JSON-RPC, as admin. */
export async function call<T>(model: string, method: string, ...args: readonly unknown[]): Promise<T> {
  const url = urls.odoo[0];
  const body = {
    jsonrpc: "2.0",
    params: { service: "object", method: "execute_kw", args: ["odoo", 2, "admin", model, method, args] },
  };
  const answer = (await post(`${url}/jsonrpc`, JSON.stringify(body))) as {
    result: T;
    error?: { data?: { message: string } };
  };
  if (answer.error !== undefined) throw new Error(answer.error.data?.message ?? JSON.stringify(answer.error));
  return answer.result;
}

/** The services of a project are reached from its containers alone. */
async function post(url: string, body: string): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  if (!isCompose) return (await fetch(url, { method: "POST", headers, body })).json();
  const [program = "", ...args] = inTools;
  const curl = ["curl", "--silent", "--header", "content-type: application/json", "--data-binary", "@-", url];
  return JSON.parse((await run(program, [...args, ...curl], { stdin: body })).stdout);
}

/** A session of the web client, by way of the public address: its cookie. */
export async function logIn(): Promise<string> {
  const params = { db: "odoo", login: "admin", password: "admin" };
  const { head } = await askWeb("authenticate", params);
  return /^set-cookie: ([^;]*)/im.exec(head)?.[1] ?? "";
}

/** Whose session it is; null when it is nobody's any more. */
export async function userOf(cookie: string): Promise<number | null> {
  const { body } = await askWeb("get_session_info", {}, cookie);
  return (JSON.parse(body) as { result?: { uid: number } }).result?.uid ?? null;
}

/** The certificate of a project's proxy is one of its own making, which only curl is told of. */
async function askWeb(
  method: string,
  params: object,
  cookie = "",
): Promise<{ readonly head: string; readonly body: string }> {
  const trust = isCompose ? ["--cacert", `${folder}/secrets/tls.crt`] : [];
  const words = ["--silent", "--include", "--http1.1", ...trust, "--header", "content-type: application/json"];
  const data = JSON.stringify({ jsonrpc: "2.0", params });
  const session = cookie === "" ? [] : ["--header", `cookie: ${cookie}`];
  const ended = await run("curl", [...words, ...session, "--data", data, `${urls.public}/web/session/${method}`]);
  const [head = "", ...body] = ended.stdout.split("\r\n\r\n");
  return { head, body: body.join("\r\n\r\n") };
}

/** The databases on which an Odoo works that is told of none: Odoo's own function says. Its dbfilter keeps none of them from its schedulers. */
export async function listDatabases(): Promise<readonly string[]> {
  const { odoo } = parse(await readFile(join(folder, "ipai.yaml"), "utf8")).stacks.sandbox as {
    odoo: { command: readonly string[]; environment: Readonly<Record<string, string>>; config: string };
  };
  const [program = "", ...args] = inOdoo;
  const variables = Object.entries(odoo.environment).map(([name, value]) => `${name}=${value}`);
  const shell = [...odoo.command, "shell", "-c", odoo.config, "-d", "odoo", "--no-http", "--logfile="];
  const stdin = "from odoo.service.db import list_dbs\nprint(' '.join(list_dbs(True)))\n";
  const ended = await run(program, [...args, "/usr/bin/env", ...variables, ...shell], { stdin, directory: "/" });
  return ended.stdout.trim().split(" ");
}

export interface Load {
  /** Ends it and says what it did. */
  stop(): Promise<{ readonly done: number; readonly failures: readonly string[]; readonly slowestMs: number }>;
}

/** Does something again and again until it is stopped. */
export function repeat(work: (round: number) => Promise<void>, pauseMs = 0): Load {
  const failures: string[] = [];
  let [done, slowestMs, stopped] = [0, 0, false];
  const loop = async () => {
    while (!stopped) {
      const startedAt = performance.now();
      await work(done).catch((error: unknown) => failures.push(String(error)));
      const took = performance.now() - startedAt;
      slowestMs = Math.max(slowestMs, took);
      done += 1;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, pauseMs - took)));
    }
  };
  const running = loop();
  return {
    stop: async () => {
      stopped = true;
      await running;
      return { done, failures, slowestMs: Math.round(slowestMs) };
    },
  };
}

/** A user who makes and deletes partners and attachments, each with a file of its own. */
export function write(): Load {
  const attachments: number[] = [];
  return repeat(async (round) => {
    const raw = Buffer.from(`attachment ${round} of ${environment["IPAI_HOME"]}`.repeat(50)).toString("base64");
    const partner = await call<number>("res.partner", "create", { name: `Written ${round}` });
    attachments.push(
      await call<number>("ir.attachment", "create", {
        name: `written-${round}.txt`,
        datas: raw,
        res_model: "res.partner",
        res_id: partner,
      }),
    );
    const oldest = attachments.length > 5 ? attachments.shift() : undefined;
    if (oldest !== undefined) await call("ir.attachment", "unlink", [oldest]);
    if (round % 3 === 0)
      await call("res.partner", "unlink", [await call("res.partner", "create", { name: "Short-lived" })]);
  });
}

/** Runs Odoo's own clean-up of files now, by the scheduled action that has it. */
export async function collectGarbage(): Promise<void> {
  const name = [
    ["module", "=", "base"],
    ["name", "=", "autovacuum_job"],
  ];
  const [cron] = await call<readonly { res_id: number }[]>("ir.model.data", "search_read", name, ["res_id"]);
  await call("ir.cron", "method_direct_trigger", [cron?.res_id]);
}

export const filestore = `${folder}/odoo/filestore/odoo`;

/** Posts entries of two lines, each with one amount on both sides, as an accountant does. Needs no chart of accounts. */
export async function postEntries(amounts: readonly number[], date: string): Promise<void> {
  const account = (code: string, name: string, kind: string) =>
    call<number>("account.account", "create", { code, name, account_type: kind });
  const [cash, sales] = [await account("101999", "Cash", "asset_cash"), await account("400999", "Sales", "income")];
  const journal = await call<number>("account.journal", "create", { name: "Entries", code: "ENT", type: "general" });
  for (const amount of amounts) {
    const lines = [
      [0, 0, { account_id: cash, name: "in", debit: amount, credit: 0 }],
      [0, 0, { account_id: sales, name: "out", debit: 0, credit: amount }],
    ];
    const move = { move_type: "entry", journal_id: journal, date, line_ids: lines };
    await call("account.move", "action_post", [await call<number>("account.move", "create", move)]);
  }
}
