import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listLinks } from "../../../src/engine/audit.ts";
import { createRun, getRun, listRuns } from "../../../src/engine/journal.ts";
import { grantTo, hookSecret, startApi, type TestApi, tokenOf } from "../../harness/api.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { addMember } from "../../harness/person.ts";
import { approvedRun, resume } from "../../harness/plans.ts";

/** Streams of events, and hooks for other programs, over real HTTP. */
let test: TestControl;
let api: TestApi;
let token: string;
beforeAll(async () => {
  test = await startControl();
  api = await startApi(test.control, test.home);
  await addMember(test.control, "anna");
  await grantTo(test.control, "anna", "operator", { stacks: ["erp"] });
  token = await tokenOf(test.control, "anna");
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

interface Told {
  readonly id: string;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a test asks for it compares.
  readonly data: any;
}

/** Listens until `isEnough`, or until the stream ends. */
async function listen(
  path: string,
  isEnough: (told: readonly Told[]) => boolean,
  headers = {},
): Promise<readonly Told[]> {
  const stop = new AbortController();
  const response = await fetch(new URL(path, api.url), {
    headers: { authorization: `Bearer ${token}`, ...headers },
    signal: stop.signal,
  });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const told: Told[] = [];
  let rest = "";
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (rest + chunk).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
      if (field("data") !== "") told.push({ id: field("id"), event: field("event"), data: JSON.parse(field("data")) });
    }
    if (isEnough(told)) break;
  }
  stop.abort();
  return told;
}

const planned = (stack: string) => {
  const plan = api.plans["change"]?.(stack);
  if (plan === undefined) throw new Error("no plan");
  return plan;
};

describe("the events of a run", () => {
  it("are told from its beginning to its end, each once, and then the stream ends", async () => {
    const run = await approvedRun(test.control, planned("erp"));
    const [told] = await Promise.all([listen(`/api/runs/${run.id}/events`, () => false), resume(test.control, run)]);
    expect(told.at(-1)?.event).toBe("end");
    const kinds = told.map(({ event }) => event);
    expect(kinds.slice(0, 2)).toEqual(["run.running", "step.started"]);
    expect(kinds.at(-2)).toBe("run.ended");
    expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
  });

  it("go on after the last one that the listener had", async () => {
    const run = await resume(test.control, await approvedRun(test.control, planned("erp")));
    const all = await listen(`/api/runs/${run.id}/events`, () => false);
    const middle = all[2];
    const rest = await listen(`/api/runs/${run.id}/events`, () => false, { "last-event-id": middle?.id ?? "" });
    expect(rest).toEqual(all.slice(3));
  });

  it("of all runs are told from now on, of stacks that may be seen, also of several at once", async () => {
    const before = await resume(test.control, await approvedRun(test.control, planned("erp")));
    const ids: string[] = [];
    const listening = listen("/api/events", (told) => told.filter(({ event }) => event === "run.ended").length === 5);
    // The stream begins with what it finds at its first look.
    await new Promise((resolve) => setTimeout(resolve, 700));
    const shop = await resume(test.control, await approvedRun(test.control, planned("shop")));
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        const plan = { ...planned("erp"), lease: "shared" as const };
        const run = await createRun(test.control, plan, "anna", new Date());
        ids.push(run.id);
        const { approveRun } = await import("../../../src/engine/consent.ts");
        await approveRun(test.control, run, "anna");
        await resume(test.control, run);
      }),
    );
    const told = await listening;
    const runs = new Set(told.map(({ data }) => data.run));
    expect(runs).toEqual(new Set(ids));
    expect(runs.has(before.id) || runs.has(shop.id)).toBe(false);
    expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
  });
});

const knock = (headers: Record<string, string>, body = "", name = "knock") =>
  fetch(`${api.url}/api/hooks/${name}`, { method: "POST", headers, body });
const sign = (key: string, text: string) => `sha256=${createHmac("sha256", key).update(text).digest("hex")}`;
const signed = (body: string, at = Date.now(), key = hookSecret) => {
  const time = String(Math.floor(at / 1000));
  return { "x-ipai-timestamp": time, "x-ipai-signature": sign(key, `${time}.${body}`) };
};

describe("a hook", () => {
  it("has its procedure carried out by whoever knows its secret, in each of the three manners", async () => {
    const bodies = [
      [{ authorization: `Bearer ${hookSecret}` }, ""],
      [signed('{"a":1}'), '{"a":1}'],
      [{ "x-hub-signature-256": sign(hookSecret, "{}"), "x-github-delivery": "d-1" }, "{}"],
    ] as const;
    for (const [headers, body] of bodies) {
      const answer = await knock(headers, body);
      expect(answer.status).toBe(202);
      const { run } = (await answer.json()) as { run: string };
      await api.settled();
      expect(await getRun(test.control, run)).toMatchObject({ outcome: "succeeded", actor: "hook knock" });
    }
  });

  it("does nothing for anybody else, and says the same where there is none", async () => {
    const before = (await listRuns(test.control, 100)).length;
    const wrong = [
      {},
      { authorization: "Bearer wrong" },
      { authorization: `Bearer ${hookSecret}x` },
      signed("", Date.now(), "wrong"),
      signed("another body"),
      signed("", Date.now() - 600_000),
      { "x-hub-signature-256": "sha256=" },
    ];
    const answers = await Promise.all(wrong.map((headers) => knock(headers as Record<string, string>)));
    expect(answers.map(({ status }) => status)).toEqual(wrong.map(() => 401));
    const nowhere = await knock({ authorization: `Bearer ${hookSecret}` }, "", "none");
    expect(nowhere.status).toBe(401);
    expect((await nowhere.json()) as object).toEqual(await answers[1]?.json());
    expect((await listRuns(test.control, 100)).length).toBe(before);
    const refused = (await listLinks(test.control)).filter(({ actor }) => actor === "hook knock").at(-1);
    expect(refused).toMatchObject({ action: "access.refused", stack: "erp" });
  });

  it("that is knocked at again with the same request begins nothing more", async () => {
    const headers = signed("{}");
    const first = (await (await knock(headers, "{}")).json()) as { run: string };
    await api.settled();
    const again = (await (await knock({ ...headers, "idempotency-key": "another" }, "{}")).json()) as { run: string };
    expect(again.run).toBe(first.run);
  });

  it("has one run at a time", async () => {
    const authorization = `Bearer ${hookSecret}`;
    const answers = await Promise.all(Array.from({ length: 6 }, async () => (await knock({ authorization })).json()));
    await api.settled();
    const ids = new Set((answers as { run: string }[]).map(({ run }) => run));
    const runs = await Promise.all([...ids].map((id) => getRun(test.control, id)));
    expect(runs.every(({ outcome }) => outcome === "succeeded")).toBe(true);
    expect(ids.size).toBe(1);
  });
});
