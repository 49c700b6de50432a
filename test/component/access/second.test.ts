import { afterAll, beforeAll, expect, it } from "vitest";
import { giveGrant } from "../../../src/access/grants.ts";
import { addPerson, leavePerson } from "../../../src/access/people.ts";
import type { Role } from "../../../src/access/rights.ts";
import { requireTwo } from "../../../src/access/second.ts";
import { startControl, type TestControl } from "../../harness/control.ts";

/** Who counts where a plan needs two people whatever happens. */

let test: TestControl;
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());

const change = () => ({ actor: "root", now: new Date() });
const subject = { stack: "erp", procedure: { name: "deploy", chapter: "deployment", undoClass: "instant" } } as const;
const add = async (handle: string, role: Role, stacks: readonly string[] = []) => {
  const given = { handle, name: handle, email: `${handle}@example.com`, shellNames: [] };
  const person = await addPerson(test.control.db, given, change());
  await giveGrant(test.control, person, { role, stacks, procedures: [] }, "root", new Date());
};
const refused = (who: string) => ({ code: "access.nobody_else", message: expect.stringContaining(who) });

it("nobody, one, somebody of another stack, one who only looks and one who has left are not two", async () => {
  await expect(requireTwo(test.control, subject)).rejects.toMatchObject(refused("nobody who may on erp"));
  await add("anna", "operator");
  await add("ben", "viewer");
  await add("carla", "approver", ["shop"]);
  await add("dan", "approver");
  await leavePerson(test.control.db, "dan", change());
  await expect(requireTwo(test.control, subject)).rejects.toMatchObject(refused("only one person"));
  await add("eva", "approver", ["erp"]);
  await expect(requireTwo(test.control, subject)).resolves.toBeUndefined();
});

it("an operator is none where the plan cannot be taken back", async () => {
  const procedure = { ...subject.procedure, undoClass: "irreversible" } as const;
  await expect(requireTwo(test.control, { ...subject, procedure })).rejects.toMatchObject(refused("only one person"));
});
