import { describe, expect, it } from "vitest";
import { Secret } from "../config/secret.ts";
import type { Message } from "../engine/message.ts";
import { createChannel } from "./channels.ts";
import { chatRequest } from "./hooks.ts";
import { mailOf } from "./mail.ts";
import { chatText, mattermost, plainText, type Style, slack } from "./text.ts";

const message: Message = {
  ...{ key: "k", event: "run.failed", run: null, stack: "erp", chapter: "upgrade", severity: "critical" },
  ...{ title: "Upgrade ipai_ledger: failed", lines: ["@all <b> & `x`"] },
};
const many = (count: number, changed: (index: number) => Partial<Message>) =>
  Array.from({ length: count }, (_, index) => ({ ...message, key: `k${index}`, ...changed(index) }));
const url = new Secret("https://chat.example.com/hooks/x");
const textOf = (style: Style, messages: readonly Message[]) =>
  (JSON.parse(chatRequest(style, url, messages, "k").body ?? "") as { text: string }).text;

/** Every post that is made of what is due, in order. */
function postsOf(kind: "mattermost" | "slack", messages: readonly Message[]): readonly (readonly Message[])[] {
  const { choose } = createChannel({ kind, url, limit: undefined });
  const posts: (readonly Message[])[] = [];
  for (let due = messages; due.length > 0; due = due.slice(posts.at(-1)?.length)) posts.push(choose(due));
  return posts;
}

describe("a post", () => {
  it("calls nobody and loses no letter, whatever a program printed", () => {
    expect(textOf(mattermost, [message])).toBe("**🔴 erp: Upgrade ipai\\_ledger: failed**\n@\u200ball <b> & \\`x\\`");
    expect(textOf(slack, [message])).toBe("*🔴 erp: Upgrade ipai_ledger: failed*\n@all &lt;b&gt; &amp; `x`");
  });

  it("has its title on one line, and says of what begins that it does", () => {
    const begun = { ...message, event: "run.started", severity: "info" as const, title: "a\r\nb\u2028 c" };
    expect(textOf(slack, [{ ...begun, lines: [] }])).toBe("*🔧 erp: a b c*");
  });

  it("shows its address to nobody who prints it", () => {
    expect(JSON.stringify(chatRequest(slack, url, [message], "k"))).not.toContain("hooks/x");
  });
});

describe("what is too long for one post", () => {
  it.each(["mattermost", "slack"] as const)("becomes several of %s, and nothing is dropped", (kind) => {
    const style = kind === "slack" ? slack : mattermost;
    const messages = many(9, (index) => ({ lines: [`message ${index} ${"x".repeat(7000)}`] }));
    const posts = postsOf(kind, messages);
    expect(posts.flat()).toEqual(messages);
    expect(posts.length).toBeLessThan(6);
    for (const post of posts) {
      const text = textOf(style, post);
      expect(text.length).toBeLessThanOrEqual(style.lengthMax);
      expect(text).not.toMatch(/…$/);
    }
  });

  it("is cut when it is one message, not in the middle of a character, and leaves the others whole", () => {
    const messages = many(3, (index) => ({ lines: [index === 1 ? "😀".repeat(20_000) : "short"] }));
    const posts = postsOf("mattermost", messages);
    expect(posts.map((post) => post.length)).toEqual([1, 1, 1]);
    const text = textOf(mattermost, posts[1] ?? []);
    expect(text.length).toBeLessThanOrEqual(16_000);
    expect(text.isWellFormed()).toBe(true);
    expect(text).toMatch(/😀…$/u);
  });
});

describe("a storm", () => {
  const storm = many(500, (index) => ({
    severity: index % 250 === 7 ? "critical" : "warning",
    title: index % 2 === 0 ? "health was missed" : `Upgrade module_${index}: failed`,
  }));

  it("of 500 messages becomes a handful of posts, which say how many there are", () => {
    const posts = postsOf("mattermost", storm);
    expect(posts.length).toBeLessThanOrEqual(3);
    expect(posts.flat()).toEqual(storm);
    const [text] = posts.map((post) => textOf(mattermost, post));
    expect(text).toMatch(/^\*\*\d+ messages at once, [12] of them critical:\*\*/);
    expect(text).toMatch(/⚠️ erp: health was missed \(\d+ times\)/);
  });

  it("names every message, and says in full what is critical", () => {
    const text = chatText(plainText, storm);
    for (const { title } of storm) expect(text).toContain(title);
    expect(text.split("@all <b> & `x`")).toHaveLength(3);
    expect(text).toContain("500 messages at once, 2 of them critical:");
    expect(text).toContain("health was missed (250 times)");
  });
});

describe("a mail", () => {
  const mail = (messages: readonly Message[], run?: string) =>
    mailOf(
      { channel: "post", key: "abc", messages, firstSentAt: undefined, run, root: undefined },
      "IPAI <ops@example.com>",
    );

  it("says in its subject how bad it is, where, and what", () => {
    expect(mail([message]).subject).toBe("[critical] 🔴 erp: Upgrade ipai_ledger: failed");
    const info = { ...message, severity: "info" as const, title: "Backup proven" };
    expect(mail([info, message, info]).subject).toBe("[critical] 🔴 erp: Upgrade ipai_ledger: failed (and 2 more)");
  });

  it("is the same mail when it is sent again, and stands with the others about its run", () => {
    expect(mail([message], "r1")).toEqual(mail([message], "r1"));
    expect(mail([message], "r1")).toMatchObject({
      messageId: "<abc@example.com>",
      references: "<run-r1@example.com>",
      isUrgent: true,
    });
  });

  it("shows in its HTML what was printed, as it was printed, in the reader's colours", () => {
    const { html } = mail([{ ...message, title: '<script>alert("1")</script>' }]);
    expect(html).toContain("🔴 erp: &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
    expect(html).toContain("@all &lt;b&gt; &amp; `x`");
    expect(html).not.toContain("<script");
    expect(mail([{ ...message, lines: ["one\ntwo", "three"] }]).html).toContain("<br>one<br>two<br>three</p>");
    expect(html).toContain("color-scheme: light dark");
    expect(html.replaceAll(/border-left[^;]*;/g, "")).not.toMatch(/(?<!-)(?:color|background)\s*:/);
  });

  it("folds what comes in hundreds, in text and HTML alike", () => {
    const storm = many(300, () => ({ severity: "warning", title: "health was missed" }));
    const { subject, text, html } = mail(storm);
    expect(subject).toBe("[warning] ⚠️ erp: health was missed (and 299 more)");
    for (const body of [text, html]) {
      expect(body).toContain("300 messages at once:");
      expect(body).toContain("health was missed (300 times)");
    }
  });
});
