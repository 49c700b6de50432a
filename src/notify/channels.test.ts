import { describe, expect, it } from "vitest";
import { Secret } from "../config/secret.ts";
import type { Message } from "../engine/message.ts";
import { render } from "./channels.ts";
import { judge } from "./send.ts";

const url = new Secret("https://chat.example.com/hooks/x");
const now = new Date("2026-11-25T10:00:00Z");
const message: Message = {
  ...{ key: "k", stack: "erp", chapter: "upgrade", severity: "critical" },
  ...{ title: "Upgrade ipai_ledger: failed", lines: ["@all <b> & `x`"] },
};
const textOf = (kind: "mattermost" | "slack", messages: readonly Message[]) =>
  (JSON.parse(render({ kind, url }, messages, "k", now).body) as { text: string }).text;

describe("a post", () => {
  it("calls nobody and loses no letter, whatever a program printed", () => {
    expect(textOf("mattermost", [message])).toBe("🔴 **erp: Upgrade ipai\\_ledger: failed**\n@\u200ball <b> & \\`x\\`");
    expect(textOf("slack", [message])).toBe("🔴 *erp: Upgrade ipai_ledger: failed*\n@all &lt;b&gt; &amp; `x`");
  });

  it("is never longer than what is taken", () => {
    const long = { ...message, lines: ["x".repeat(50_000)] };
    expect(textOf("mattermost", [long])).toHaveLength(16_000);
    expect(textOf("slack", [long, long])).toHaveLength(39_000);
  });

  it("shows its address to nobody who prints it", () => {
    expect(JSON.stringify(render({ kind: "slack", url }, [message], "k", now))).not.toContain("hooks/x");
  });
});

describe("an answer", () => {
  it.each([
    [200, null, { kind: "delivered" }],
    [204, null, { kind: "delivered" }],
    [500, null, { kind: "again", reason: "500: why" }],
    [408, null, { kind: "again", reason: "408: why" }],
    [429, "7", { kind: "again", reason: "429: why", afterSeconds: 7 }],
    [503, "Wed, 25 Nov 2026 10:01:00 GMT", { kind: "again", reason: "503: why", afterSeconds: 60 }],
    [503, "never", { kind: "again", reason: "503: why" }],
    [429, "99999999", { kind: "again", reason: "429: why", afterSeconds: 86_400 }],
    [301, null, { kind: "refused", reason: "301: why" }],
    [400, "7", { kind: "refused", reason: "400: why" }],
  ])("%i means", (status, retryAfter, wanted) => {
    expect(judge(status, "why", retryAfter, now)).toEqual(wanted);
  });
});
