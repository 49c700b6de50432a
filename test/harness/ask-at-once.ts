import { expect } from "vitest";
import { fingerprint, makeKey, serve, typeIntoShell } from "./addon.ts";
import { sql } from "./sandbox.ts";

/** The addon's door by HTTP: who is let in, what is refused and how, that a test writes nothing, and that several at once are handed nothing twice. */
export async function askAtOnce(database: string): Promise<void> {
  const [key, stranger] = [await makeKey(database, "group_deliverer"), await makeKey(database, "group_user")];
  await typeIntoShell(
    database,
    `day = env['ipai.finance.calendar']._today()
env['ipai.finance.bir_schedule'].search([], limit=1).write({'override_deadline': day, 'override_reason': 'a "test" 🎉'})
env.cr.commit()
`,
  );
  const { url, stop } = await serve(database);
  const ask = async (body: string, token: string, type = "application/json") => {
    const answer = await fetch(`${url}/ipai/finance/ppm/api/deadlines`, {
      method: "POST",
      headers: { "Content-Type": type, ...(token === "" ? {} : { Authorization: `Bearer ${token}` }) },
      body,
    });
    const text = await answer.text();
    return { status: answer.status, said: text.startsWith("{") ? JSON.parse(text) : undefined };
  };
  try {
    expect([(await ask("{}", "")).status, (await ask("{}", "no-such-key")).status]).toEqual([401, 401]);
    expect(await ask("{}", stranger)).toMatchObject({ status: 403, said: { error: { code: "forbidden" } } });
    for (const body of ["{", "[]", "\u0000"])
      expect(await ask(body, key)).toMatchObject({ status: 400, said: { error: { code: "not_json" } } });
    expect((await ask("test=true", key, "application/x-www-form-urlencoded")).status).toBe(400);
    const before = await fingerprint(database);
    const test = '{"test": true, "form": "1601-C", "days_until_deadline": 7}';
    expect(await ask(test, key)).toMatchObject({ status: 200, said: { form: "1601-C", days_until_deadline: 7 } });
    expect(await fingerprint(database)).toBe(before);
    const day = typeIntoShell(database, "env['ipai.finance.bir_schedule']._tell_deadlines()\nenv.cr.commit()\n");
    const answers = await Promise.all(Array.from({ length: 4 }, () => ask("{}", key)));
    await day;
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const told = await sql(
      `select count(*) > 0, count(*) = count(distinct ipai_finance_alert_id) from ipai_finance_alert_ipai_finance_digest_rel`,
      database,
    );
    expect([told, answers.map(({ said }) => said.digests.length).toSorted()[2]]).toEqual(["t|t", 0]);
  } finally {
    await stop();
  }
}
