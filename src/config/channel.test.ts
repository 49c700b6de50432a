import { describe, expect, it } from "vitest";
import { IpaiError } from "../errors/error.ts";
import { example } from "./fixtures/example.ts";
import { parseConfig } from "./load.ts";

const environment = {
  HOOK: "https://chat.example.com/hooks/x",
  SMTP: "smtps://anna:hunter2@mail.example.com",
  OPEN: "smtp://anna:hunter2@mail.example.com",
  HERE: "smtp://anna:hunter2@127.0.0.1:25",
  NONSENSE: "hunter2",
};
const parse = (channel: string) =>
  parseConfig(`${example}\nnotify:\n  team: ${channel}\n`, "ipai.yaml", environment).notify["team"];
const problemOf = (channel: string) => {
  try {
    parse(channel);
    return undefined;
  } catch (error) {
    if (error instanceof IpaiError) return error.message;
    throw error;
  }
};
const mail = 'kind: email, url: "${SMTP}", from: IPAI <ops@example.com>, to: [anna@example.com]';
const hook = 'kind: mattermost, url: "${HOOK}"';

describe("a channel", () => {
  it("has secrets where its kind has some, and shows none", () => {
    const bot = parse(`{ kind: mattermost-bot, url: "\${HOOK}", token: "\${NONSENSE}", channel: ${"c".repeat(26)} }`);
    expect(bot).toMatchObject({ kind: "mattermost-bot" });
    expect(bot?.kind === "mattermost-bot" && bot.token.reveal()).toBe("hunter2");
    expect(JSON.stringify([bot, parse(`{ ${mail} }`)])).not.toMatch(/hunter2|hooks/);
  });

  it("is never quiet and has no digest and no limit, unless it says so", () => {
    expect(parse(`{ ${hook} }`)).toMatchObject({ severity: "warning", timezone: "Asia/Manila", quiet: [] });
    expect(parse(`{ ${hook} }`)).not.toHaveProperty("digest");
    const night = { from: "22:00", until: "07:00", days: [] };
    expect(parse(`{ ${hook}, quiet: { from: "22:00", until: "07:00" }, digest: 15m }`)).toMatchObject({
      quiet: [night],
      digest: 900,
    });
    const more = 'quiet: [{ from: "22:00", until: "07:00" }, { from: "00:00", until: "00:00", days: [sat, sun] }]';
    expect(parse(`{ ${hook}, ${more}, digest: "08:00", limit: { posts: 3, per: 1m } }`)).toMatchObject({
      quiet: [night, { from: "00:00", until: "00:00", days: ["sat", "sun"] }],
      digest: "08:00",
      limit: { posts: 3, per: 60 },
    });
  });

  it.each([
    [`{ kind: matermost, url: "\${HOOK}" }`, "must be mattermost, slack, mattermost-bot, webhook or email"],
    [`{ ${hook}, secret: "\${HOOK}" }`, "unknown key secret"],
    [`{ ${mail}, too: x }`, "unknown key too. Did you mean to?"],
    [`{ kind: email, url: "\${SMTP}", from: ops@example.com }`, "to: is missing"],
    [
      `{ kind: email, url: "\${SMTP}", from: "a@b\\r\\nBcc: e@example.com", to: [a@example.com] }`,
      "must be an address",
    ],
    [
      `{ kind: email, url: "\${SMTP}", from: a@example.com, to: ["a@example.com, b@example.com"] }`,
      "must be an address",
    ],
    [`{ kind: mattermost-bot, url: "\${HOOK}", token: "\${HOOK}", channel: town-square }`, "26 letters and digits"],
    [`{ kind: mattermost-bot, url: "\${HOOK}", token: secret, channel: ${"c".repeat(26)} }`, "must be ${NAME}"],
    [`{ ${hook}, quiet: { from: "22", until: "07:00" } }`, 'must be a time of day such as "08:00"'],
    [`{ ${hook}, quiet: { from: "22:00" } }`, "until: is missing"],
    [`{ ${hook}, digest: soon }`, "must be a duration"],
    [`{ ${hook}, limit: { posts: 0, per: 1m } }`, "must be at least 1"],
    [`{ kind: mattermost, url: "\${NONSENSE}" }`, "NONSENSE must hold an address that begins with http:// or https://"],
    [`{ kind: email, url: "\${HOOK}", from: a@example.com, to: [a@example.com] }`, "begins with smtp:// or smtps://"],
    [`{ kind: email, url: "\${OPEN}", from: a@example.com, to: [a@example.com], tls: false }`, "holds a password"],
  ])("%s is refused, and no secret is shown", (channel, wanted) => {
    expect(problemOf(channel)).toContain(wanted);
    expect(problemOf(channel)).not.toContain("hunter2");
  });

  it("may send a password without TLS to this machine, since nobody else hears it", () => {
    expect(
      problemOf('{ kind: email, url: "${HERE}", from: a@b.example, to: [a@b.example], tls: false }'),
    ).toBeUndefined();
  });
});
