import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exampleConfig } from "../../../scripts/docs/configuration.ts";
import { addPerson, changePerson, findByActor, invitePerson, leavePerson } from "../../../src/access/people.ts";
import { findFault, inTransaction, listLinks } from "../../../src/engine/audit.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { actionsOf } from "../../harness/person.ts";

let test: TestControl;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());

const change = () => ({ actor: "root", now: new Date() });
const add = (handle: string, shellNames: string[] = [], email = `${handle}@example.com`) =>
  addPerson(test.control.db, { handle, name: handle, email, shellNames }, change());

describe("a name", () => {
  it("is one person's only, whatever it is to her", async () => {
    await add("anna", ["areyes", "anna@laptop"]);
    const taken = [
      ["areyes"],
      ["anna"],
      ["ben", ["anna"]],
      ["ben", ["areyes"]],
      ["ben", [], "Anna@example.com"],
    ] as const;
    for (const [handle, shellNames = [], email] of taken)
      await expect(add(handle, [...shellNames], email)).rejects.toMatchObject({ code: "people.name_taken" });
    await add("ben", ["ben"]);
    await expect(changePerson(test.control.db, "ben", { shellNames: ["areyes"] }, change())).rejects.toMatchObject({
      code: "people.name_taken",
    });
    expect(await findByActor(test.control.db, "anna@laptop")).toMatchObject({ handle: "anna" });
    expect(await findByActor(test.control.db, "ben")).toMatchObject({ handle: "ben" });
    expect(await findByActor(test.control.db, "nobody")).toBeUndefined();
  });

  it("is one person's only when many ask for it at the same moment", async () => {
    const others = await test.open();
    const tries = Array.from({ length: 12 }, (_, index) =>
      addPerson(
        (index % 2 === 0 ? test.control : others).db,
        {
          handle: index < 6 ? "carla" : `carla${index}`,
          name: "C",
          email: `c${index}@example.com`,
          shellNames: index < 6 ? [] : ["carla"],
        },
        change(),
      ),
    );
    const settled = await Promise.allSettled(tries);
    expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const one of settled)
      if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "people.name_taken" });
  });

  it("that she had stays hers, also when she has left", async () => {
    await add("dora");
    await changePerson(test.control.db, "dora", { handle: "dora.cruz" }, change());
    await expect(add("dora")).rejects.toMatchObject({ code: "people.name_taken" });
    expect(await findByActor(test.control.db, "dora")).toMatchObject({ handle: "dora.cruz", formerHandles: ["dora"] });
    await changePerson(test.control.db, "dora.cruz", { handle: "dora" }, change());
    expect(await findByActor(test.control.db, "dora.cruz")).toMatchObject({
      handle: "dora",
      formerHandles: ["dora.cruz"],
    });
    await leavePerson(test.control.db, "dora", change());
    for (const name of ["dora", "dora.cruz"])
      await expect(add(name)).rejects.toMatchObject({ code: "people.name_taken" });
    await expect(invitePerson(test.control.db, "dora", { ...change(), afresh: false })).rejects.toMatchObject({
      code: "people.left",
    });
  });

  it.each(["Anna", "root", "1st", "a b", "", "x".repeat(64), "a'; drop table people; --"])(
    "cannot be %j",
    async (handle) => {
      await expect(add(handle, [], "z@example.com")).rejects.toMatchObject({ code: "people.bad_name" });
    },
  );
});

describe("a change", () => {
  it("is in the chain, and neither without the other", async () => {
    await add("emma");
    const before = (await listLinks(test.control)).length;
    await expect(
      inTransaction(test.control.db, async (tx) => {
        await changePerson(tx, "emma", { name: "Emma Cruz", email: "cruz@example.com" }, change());
        throw new Error("something after it failed");
      }),
    ).rejects.toThrow("something after it failed");
    expect((await listLinks(test.control)).length).toBe(before);
    expect(await findByActor(test.control.db, "emma")).toMatchObject({ name: "emma" });
    await changePerson(test.control.db, "emma", { email: "cruz@example.com" }, change());
    await changePerson(test.control.db, "emma", {}, change());
    expect(await actionsOf(test.control, "emma")).toEqual(["added", "changed"]);
    expect(findFault(await listLinks(test.control))).toBeUndefined();
  });

  it("never deletes a person: the database refuses it once she has had a session or a password", async () => {
    await add("freya");
    await invitePerson(test.control.db, "freya", { ...change(), afresh: false });
    await expect(test.control.db.deleteFrom("people").where("handle", "=", "freya").execute()).rejects.toThrow(
      /violates foreign key/,
    );
  });
});

describe("ipai people", () => {
  const ipai = async (...argv: string[]) => {
    const config = join(test.home, "ipai.yaml");
    await writeFile(config, `${exampleConfig}\nserve: { url: "https://ops.example.com" }\n`);
    const env = { ...process.env, IPAI_HOME: test.home, NO_COLOR: "1", SUDO_USER: "maria" };
    const command = join(import.meta.dirname, "..", "..", "..", "bin", "ipai");
    return await promisify(execFile)(command, ["--config", config, "people", ...argv], { env }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  };

  it("adds, invites, changes and lets go, in the name of whoever types", async () => {
    const added = await ipai("add", "gina", "--name", "Gina Cruz", "--email", "gina@example.com", "--shell", "gcruz");
    expect(added).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^https:\/\/ops\.example\.com\/set-up#[\w-]{43}\n$/),
    });
    expect(added.stderr).toContain("With this link gina sets a password, once, until ");
    const again = await ipai("invite", "gina", "--json");
    expect(JSON.parse(again.stdout).link).toMatch(/#[\w-]{43}$/);
    expect(JSON.parse(again.stdout).link).not.toBe(added.stdout.trim());
    expect((await ipai()).stdout).toMatch(/gina +Gina Cruz +gina@example\.com +gcruz +nothing yet +invited until /);
    expect((await ipai("change", "gina", "--name", "Gina R", "--shell", "")).stdout).toBe(
      "gina: Gina R, gina@example.com\n",
    );
    expect((await ipai("sessions", "gina")).stdout).toBe("gina is signed in nowhere.\n");
    expect((await ipai("leave", "gina")).stdout).toBe("gina can sign in no more.\n");
    expect(await ipai("leave", "gina")).toMatchObject({ code: 25, stderr: expect.stringContaining("people.left") });
    expect(await ipai("invite", "zed", "--json")).toMatchObject({
      code: 14,
      stdout: expect.stringContaining("people.not_found"),
    });
    const links = (await listLinks(test.control)).filter(({ subject }) => subject === "gina");
    expect(new Set(links.map(({ actor }) => actor))).toEqual(new Set(["maria"]));
    expect(await actionsOf(test.control, "gina")).toEqual(["added", "invited", "invited", "changed", "left"]);
  });
});
