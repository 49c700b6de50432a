import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Secret } from "../../../src/config/secret.ts";
import type { Batch } from "../../../src/engine/batch.ts";
import { listDeliveries, post } from "../../../src/engine/outbox.ts";
import { createChannel } from "../../../src/notify/channels.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { batchOf, carry, messageOf, routeTo } from "../../harness/messages.ts";
import { type Certificate, makeCertificate, readMail, startSmtp, trust } from "../../harness/smtp.ts";

interface Address {
  readonly scheme?: "smtp" | "smtps";
  readonly login?: string;
  readonly tls?: boolean;
  readonly to?: readonly string[];
}

function mailTo(port: number, { scheme = "smtp", login, tls = false, to = ["ops@example.com"] }: Address = {}) {
  const url = new Secret(`${scheme}://${login === undefined ? "" : `${login}@`}127.0.0.1:${port}`);
  return createChannel({ kind: "email", url, from: "IPAI <ipai@example.com>", to, tls, limit: undefined });
}

const send = (port: number, batch: Batch, address: Address = {}) => mailTo(port, address).send(batch, () => new Date());

let test: TestControl;
let ours: Certificate;
let foreign: Certificate;
beforeAll(async () => {
  test = await startControl();
  ours = makeCertificate();
  foreign = makeCertificate();
  trust(ours);
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  ours[Symbol.dispose]();
  foreign[Symbol.dispose]();
});

describe("a mail", () => {
  it("arrives as it was meant: subject in UTF-8, text and HTML, and lines that no wire would take", async () => {
    await using server = await startSmtp();
    const long = `${"Überlänge ".repeat(500)}Ende`;
    const lines = [long, ".", "<b>not bold</b>"];
    const batch = batchOf([messageOf("Sicherung für „März“ geprüft ✓", { severity: "critical", lines })]);
    expect(await send(server.port, batch)).toEqual({ kind: "delivered" });
    const [{ mail = "", to } = {}] = await server.stop();
    expect(to).toEqual(["ops@example.com"]);
    expect(Math.max(...mail.split("\r\n").map((line) => Buffer.byteLength(line)))).toBeLessThanOrEqual(998);
    const { headers, text, html } = readMail(mail);
    expect(headers).toMatchObject({
      subject: "[critical] 🔴 erp: Sicherung für „März“ geprüft ✓",
      from: "IPAI <ipai@example.com>",
      "message-id": `<${batch.key}@example.com>`,
      "auto-submitted": "auto-generated",
      importance: "High",
    });
    expect(text.trimEnd().split("\r\n")).toEqual(["🔴 erp: Sicherung für „März“ geprüft ✓", ...lines]);
    expect(html).toContain(long);
    expect(html).toContain("&lt;b&gt;not bold&lt;/b&gt;");
  });

  it("gets no other header or recipient by what a title has in it", async () => {
    await using server = await startSmtp();
    const title = "a\r\nBcc: eve@example.com\r\n\r\nX: y\u2028Cc: eve@example.com";
    await send(server.port, batchOf([messageOf(title, { stack: "erp\nBcc: eve@example.com" })]));
    const [{ mail = "", to } = {}] = await server.stop();
    expect(to).toEqual(["ops@example.com"]);
    const { headers } = readMail(mail);
    expect(Object.keys(headers)).not.toContain("bcc");
    expect(Object.keys(headers)).not.toContain("cc");
    expect(Object.keys(headers)).not.toContain("x");
    expect(headers["subject"]).toBe(
      "[warning] ⚠️ erp Bcc: eve@example.com: a Bcc: eve@example.com X: y Cc: eve@example.com",
    );
  });

  it("goes to everybody at once", async () => {
    await using server = await startSmtp();
    await send(server.port, batchOf([messageOf("a")]), { to: ["a@example.com", "B <b@example.com>"] });
    expect((await server.stop()).map(({ to }) => to)).toEqual([["a@example.com", "b@example.com"]]);
  });
});

describe("a mail server", () => {
  it("that puts somebody off gets the mail later, and once", async () => {
    await using server = await startSmtp({ rcpt: ["450 4.7.1 Greylisted, come again", null] });
    await post(test.control.db, [routeTo("greylisted")], [messageOf("a")], new Date(0));
    const clock = { now: 0 };
    const ports = { control: test.control, channels: { greylisted: mailTo(server.port) } };
    await carry(ports, clock, []);
    expect((await listDeliveries(test.control, 1))[0]).toMatchObject({
      state: "due",
      error: "450 4.7.1 Greylisted, come again",
    });
    await carry(ports, clock, [4, 1]);
    expect(await server.stop()).toHaveLength(1);
    expect((await listDeliveries(test.control, 1))[0]).toMatchObject({ state: "delivered", attempts: 2 });
  });

  it("that drops the connection after it has taken the mail gets the same one again", async () => {
    await using server = await startSmtp({ data: ["drop", null] });
    await post(test.control.db, [routeTo("dropped")], [messageOf("a")], new Date(0));
    const clock = { now: 0 };
    await carry({ control: test.control, channels: { dropped: mailTo(server.port) } }, clock, [5]);
    const ids = (await server.stop()).map(({ mail }) => readMail(mail).headers["message-id"]);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
    expect((await listDeliveries(test.control, 1))[0]).toMatchObject({ state: "delivered", attempts: 2 });
  });

  it.each([
    ["550 5.7.1 Not from you", { data: ["550 5.7.1 Not from you"] }, { kind: "refused" }],
    ["552 5.3.4 Too big", { data: ["552 5.3.4 Too big"] }, { kind: "refused" }],
    ["451 4.3.0 Full", { data: ["451 4.3.0 Full"] }, { kind: "again" }],
    ["550 5.1.1 No such user", { refused: ["ops@example.com"] }, { kind: "refused" }],
  ])("that says %s is taken at its word", async (reason, options, wanted) => {
    await using server = await startSmtp(options);
    expect(await send(server.port, batchOf([messageOf("a")]))).toEqual({ ...wanted, reason });
    expect(await server.stop()).toEqual([]);
  });

  it("that does not know one of several has delivered to the others, and says to whom it has not", async () => {
    await using server = await startSmtp({ refused: ["gone@example.com"] });
    const to = ["gone@example.com", "ops@example.com"];
    expect(await send(server.port, batchOf([messageOf("a")]), { to })).toEqual({
      kind: "delivered",
      reason: "not to gone@example.com: 550 5.1.1 No such user",
    });
    expect((await server.stop()).map((mail) => mail.to)).toEqual([["ops@example.com"]]);
  });

  it("that puts one of several off is asked again for all of them", async () => {
    await using server = await startSmtp({ rcpt: [null, "450 4.2.0 Busy", null] });
    const to = ["a@example.com", "b@example.com"];
    const batch = batchOf([messageOf("a")]);
    expect(await send(server.port, batch, { to })).toEqual({ kind: "again", reason: "b@example.com: 450 4.2.0 Busy" });
    expect(await send(server.port, batch, { to })).toEqual({ kind: "delivered" });
    expect((await server.stop()).map((mail) => mail.to)).toEqual([["a@example.com"], to]);
  });

  it("that is not there is asked again, and its address is not shown", async () => {
    const server = await startSmtp();
    await server[Symbol.asyncDispose]();
    const answer = await send(server.port, batchOf([messageOf("a")]), { login: "anna:hunter22" });
    expect(answer.kind).toBe("again");
    expect(JSON.stringify(answer)).toContain("ECONNREFUSED");
    expect(JSON.stringify(answer)).not.toMatch(/hunter22|anna|127\.0\.0\.1/);
  });
});

describe("a log-in", () => {
  const login = { user: "anna", password: "p@ss w0rd/22" };
  const asWritten = `anna:${encodeURIComponent(login.password)}`;

  it("that is right is taken, over STARTTLS and over TLS from the beginning", async () => {
    for (const [tls, scheme] of [
      ["starttls", "smtp"],
      ["implicit", "smtps"],
    ] as const) {
      await using server = await startSmtp({ tls, login }, ours);
      const address = { scheme, login: asWritten, tls: true };
      expect(await send(server.port, batchOf([messageOf("a")]), address)).toEqual({ kind: "delivered" });
      expect((await server.stop()).map(({ isTls }) => isTls)).toEqual([true]);
    }
  });

  it("that is wrong is tried again in a quarter of an hour: somebody will mend it, and the mail is good", async () => {
    await using server = await startSmtp({ tls: "starttls", login }, ours);
    const address = { login: "anna:s0methingelse", tls: true };
    const answer = await send(server.port, batchOf([messageOf("a")]), address);
    expect(answer).toMatchObject({ kind: "again", afterSeconds: 900, reason: expect.stringMatching(/^535 /) });
    expect(JSON.stringify(answer)).not.toMatch(/s0methingelse/);
    expect(await server.stop()).toEqual([]);
  });

  it("that is missing is told as such", async () => {
    await using server = await startSmtp({ tls: "starttls", login }, ours);
    const answer = await send(server.port, batchOf([messageOf("a")]), { tls: true });
    expect(answer).toMatchObject({ kind: "again", afterSeconds: 900, reason: expect.stringMatching(/^530 /) });
  });
});

describe("TLS", () => {
  it("that is wanted and not offered: nothing is sent, and it is tried again", async () => {
    await using server = await startSmtp();
    const answer = await send(server.port, batchOf([messageOf("a")]), { login: "anna:hunter22", tls: true });
    expect(answer.kind).toBe("again");
    expect(JSON.stringify(answer)).toMatch(/TLS not available/);
    expect(await server.stop()).toEqual([]);
  });

  it.each([
    ["starttls", "smtp"],
    ["implicit", "smtps"],
  ] as const)("with a certificate that nobody signed is not spoken, by %s", async (tls, scheme) => {
    await using server = await startSmtp({ tls }, foreign);
    const answer = await send(server.port, batchOf([messageOf("a")]), { scheme, tls: true });
    expect(answer.kind).toBe("again");
    expect(JSON.stringify(answer)).toMatch(/certificate/);
    expect(await server.stop()).toEqual([]);
  });
});
