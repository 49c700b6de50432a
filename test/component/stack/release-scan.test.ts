import { chmod, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readOutput } from "../../../src/host/perform.ts";
import { command } from "../../../src/runbook/action.ts";
import { createGit } from "../../../src/stack/git.ts";
import { checkoutScript } from "../../../src/stack/git-checkout.ts";
import { inventoryScript, parseInventory } from "../../../src/stack/odoo/inventory.ts";
import { parseReleaseScan, type ReleaseScan, scanRelease } from "../../../src/stack/odoo/release-scan.ts";
import { commit, type Files, git, makeRepository, writeFiles } from "../../harness/git.ts";
import { perform } from "../../harness/perform.ts";
import { base } from "./release-base.ts";
import { type Case, cases } from "./release-cases.ts";

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-scan-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function scan(repository: string, from: string, to: string, addons = ["addons"]): Promise<ReleaseScan> {
  const source = createGit("local", { repository, remote: "origin", branch: "main" });
  const patterns = { image: ["Dockerfile*", "docker/**"], configuration: ["*.conf", "/compose.yaml"] };
  const result = await perform(scanRelease(source, { from, to, addons, ...patterns }));
  return parseReleaseScan(readOutput(result, { from: "stdout", as: "jsonLines" }));
}

/** A repository with a commit for each set of files, and what going from the first to the last would change. */
async function release(commits: readonly (readonly [files: Files, message?: string])[], addons?: readonly string[]) {
  count += 1;
  const repository = join(folder, `release-${count}`);
  await makeRepository(repository);
  const hashes: string[] = [];
  for (const [files, message] of commits) hashes.push(await commit(repository, files, message));
  const found = await scan(
    repository,
    hashes[0] ?? "",
    hashes.at(-1) ?? "",
    addons === undefined ? undefined : [...addons],
  );
  return { repository, found, hashes, of: (name: string) => found.addons.find((addon) => addon.name === name) };
}

const below = (top: string, files: Files): Files =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [`${top}/${path}`, text]));

describe("an edit of an addon", () => {
  /** All cases are one release: an addon for each. */
  let found: ReleaseScan;
  const nameOf = ({ title }: Case) => `case_${title.toLowerCase().replaceAll(/\W+/g, "_")}`;
  beforeAll(async () => {
    const before = Object.assign({}, ...cases.map((one) => filesOf(one, {})));
    const after = Object.assign({}, ...cases.map((one) => filesOf(one, edited(one))));
    ({ found } = await release([[before], [after]]));
  });

  function filesOf(one: Case, changed: Files): Files {
    const files = Object.entries({ ...base, ...one.before, ...changed });
    const place = (text: Files[string]) => (typeof text === "string" ? text.replaceAll("NAME", nameOf(one)) : text);
    return Object.fromEntries(files.map(([path, text]) => [`addons/${nameOf(one)}/${path}`, place(text)]));
  }

  function edited({ before, after }: Case): Files {
    const current: Files = { ...base, ...before };
    return Object.fromEntries(
      Object.entries(after).map(([path, edit]) => [
        path,
        typeof edit === "function" ? edit(String(current[path])) : edit,
      ]),
    );
  }

  it.each(cases)("of $title: $kind", (one) => {
    const addon = found.addons.find(({ name }) => name === nameOf(one));
    const told = addon?.reasons.map(({ file, kind, why }) => `${kind}: ${file.split("/").slice(2).join("/")}: ${why}`);
    expect.soft(addon?.kind, told?.join("\n")).toBe(one.kind);
    expect(told?.join("\n") ?? "").toContain(one.why ?? "");
  });

  it("that Odoo could not load is told with its line", () => {
    const broken = found.broken.map(
      ({ addon, file, line }) => `${addon} ${file.split("/").slice(2).join("/")}:${line}`,
    );
    expect(broken).toEqual([
      `case_a_manifest_that_is_computed __manifest__.py:2`,
      `case_a_syntax_error models/thing.py:${
        String(base["models/thing.py"])
          .split("\n")
          .findIndex((line) => line.includes("def act")) + 1
      }`,
    ]);
  });
});

describe("whatever is edited", () => {
  const model = (fields: readonly string[], bodies: readonly string[]) =>
    `from odoo import fields, models\n\n\nclass Thing(models.Model):\n    _name = "thing"\n${fields
      .map((field, index) => `    f${index} = fields.${field}\n`)
      .join("")}${bodies.map((body, index) => `\n    def m${index}(self):\n        ${body}\n`).join("")}`;
  const files = (text: string) => ({
    "__manifest__.py": "{'name': 'Thing'}",
    "__init__.py": "from . import thing\n",
    "thing.py": text,
  });
  const field = fc.constantFrom(
    "Char()",
    "Char('Name')",
    "Text()",
    "Integer(default=1)",
    "Integer(default=lambda self: 2)",
    "Many2one('res.partner')",
    "Selection([('a', 'A')])",
    "Float(digits=(16, 2))",
    "Boolean(string='On', index=True)",
    "Char(compute='m0')",
    "Char(compute='m0', store=True)",
  );
  const body = fc.constantFrom(
    "return 1",
    "return self.search([])",
    "self.f0 = self.f1 or 'x'",
    "return [one.f0 for one in self if one]",
    "return lambda x: x + 1",
    "raise ValueError('no')",
    "return self.env['res.partner'].create({'name': 'fields'})",
    "x = {'a': 1}; return x.get('a')",
    "'''Says.'''; return 2",
  );
  const several = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 2, maxLength: 4 });
  const edits = fc.sample(fc.record({ fields: several(field), bodies: several(body), field, body, place: fc.nat(1) }), {
    seed: 7,
    numRuns: 120,
  });

  it("in the bodies of methods is code, and in a field is schema", async () => {
    const expected: Record<string, string> = {};
    const [before, after]: Record<string, string>[] = [{}, {}];
    edits.forEach(({ fields, bodies, field, body, place }, index) => {
      const otherBodies = bodies.with(place, body);
      const otherFields = fields.with(place, field);
      const put = (name: string, changed: string, kind: string) => {
        Object.assign(before ?? {}, below(`addons/${name}`, files(model(fields, bodies))));
        Object.assign(after ?? {}, below(`addons/${name}`, files(changed)));
        expected[name] = changed === model(fields, bodies) ? "none" : kind;
      };
      put(`body_${index}`, model(fields, otherBodies), "code");
      put(`field_${index}`, model(otherFields, otherBodies), otherFields.join() === fields.join() ? "code" : "schema");
    });
    const { found } = await release([[before ?? {}], [after ?? {}]]);
    expect(Object.fromEntries(found.addons.map(({ name, kind }) => [name, kind]))).toEqual(expected);
  });
});

describe("addons together", () => {
  const addon = (name: string, files: Files = {}, depends = "[]") =>
    below(`addons/${name}`, {
      "__manifest__.py": `{"name": "${name}", "version": "1.0", "depends": ${depends}}`,
      "__init__.py": "from . import models\n",
      "models.py": "from odoo import fields, models\n",
      ...files,
    });

  it("are told when they are new, gone or renamed", async () => {
    const many = Object.fromEntries(["a", "b", "c"].map((name) => [`${name}.txt`, `${name}\n`]));
    const old = addon("old", many);
    const gone = Object.fromEntries(Object.keys({ ...old, ...addon("gone") }).map((path) => [path, undefined]));
    const { of } = await release([
      [{ ...old, ...addon("gone") }],
      [{ ...gone, ...addon("fresh", many), ...addon("new", { "models.py": "X = 1\n" }) }],
    ]);
    expect(of("old")).toMatchObject({ change: "removed", renamed: "fresh", kind: "schema", hash: null });
    expect(of("fresh")).toMatchObject({ change: "new", renamed: "old", kind: "schema", hashNow: null });
    expect(of("gone")).toMatchObject({ change: "removed", renamed: null });
    expect(of("new")).toMatchObject({ change: "new", renamed: null });
  });

  it("use each other's constants, with or without saying so", async () => {
    const states = (name: string) => ({ "models.py": "STATES = []\nOTHER = 1\n", "states.py": `${name} = 1\n` });
    const user =
      "from odoo import fields, models\nfrom odoo.addons.owner.models import STATES\n\n\nclass U(models.Model):\n    _name = 'u'\n    state = fields.Selection(STATES)\n";
    const users = { ...addon("said", { "models.py": user }, '["owner"]'), ...addon("unsaid", { "models.py": user }) };
    const changed = { "addons/owner/models.py": "STATES = [1]\nOTHER = 1\n" };
    const { of } = await release([[{ ...addon("owner", states("X")), ...users }], [changed]]);
    expect(of("owner")).toMatchObject({ kind: "schema", reasons: [{ why: "the value STATES changed" }] });
    expect(of("said")).toMatchObject({ kind: "none", change: "same" });
    expect(of("unsaid")).toMatchObject({
      kind: "schema",
      reasons: [{ why: "imports owner, which changed, without depending on it" }],
    });
    const other = await release([
      [{ ...addon("owner", states("X")), ...users }],
      [{ "addons/owner/models.py": "STATES = []\nOTHER = 2\n" }],
    ]);
    expect(other.of("owner")).toMatchObject({ kind: "code" });
  });

  it("count by the first folder that has one, and are followed when they move", async () => {
    const there = (top: string, text = "X = 1\n") =>
      below(`${top}/a`, { "__manifest__.py": "{'name': 'A'}", "__init__.py": text });
    const folders = ["first", "second"];
    const moved = await release([[there("second")], [{ ...there("first"), "second/a": undefined }]], folders);
    expect(moved.of("a")).toMatchObject({ path: "first/a", pathNow: "second/a", kind: "none", change: "changed" });
    expect(moved.found.missingFolders).toEqual(["second"]);
    const hidden = await release(
      [[{ ...there("first"), ...there("second") }], [there("second", "X = f()\n")]],
      folders,
    );
    expect(hidden.of("a")).toMatchObject({ path: "first/a", change: "same" });
    const root = await release([[there(".")], [there(".", "X = f()\n")]], ["."]);
    expect(root.of("a")).toMatchObject({ path: "a", kind: "schema" });
  });

  it("may be links, and links that lead out are doubted", async () => {
    const files = below("vendor/a", {
      "__manifest__.py": "{'name': 'A'}",
      "__init__.py": "from . import m\n",
      "m.py": "X = 1\n",
    });
    const repository = join(folder, "links");
    await makeRepository(repository);
    await writeFiles(repository, {
      ...files,
      "addons/keep": "",
      ...addon("b", { "__init__.py": "from . import outside\n" }),
    });
    await symlink("../vendor/a", join(repository, "addons/a"));
    await symlink("/etc/hostname", join(repository, "addons/b/outside.py"));
    const from = await commit(repository, {});
    await rm(join(repository, "addons/b/outside.py"));
    await symlink("/etc/hosts", join(repository, "addons/b/outside.py"));
    const to = await commit(repository, { "vendor/a/m.py": "X = f()\n" });
    const found = await scan(repository, from, to);
    expect(found.addons).toMatchObject([
      { name: "a", path: "addons/a", kind: "schema", reasons: [{ file: "addons/a/m.py" }] },
      { name: "b", kind: "schema", hash: null },
    ]);
  });
});

describe("beside the addons", () => {
  it("files of the image and of services, changelogs and what breaks are told", async () => {
    const { found } = await release([
      [
        {
          Dockerfile: "FROM a\n",
          "etc/odoo.conf": "a\n",
          "compose.yaml": "a\n",
          "CHANGELOG.md": "# Changes\n",
          "notes.txt": "a\n",
        },
      ],
      [{ Dockerfile: "FROM b\n", "docker/entry/run.sh": "x\n", "etc/odoo.conf": "b\n" }, "feat!: Drop the old way"],
      [
        { "deep/compose.yaml": "b\n", "compose.yaml": undefined, "notes.txt": "b\n" },
        "Tidy up\n\nBREAKING CHANGE: the API is another",
      ],
      [{ "CHANGELOG.md": "# Changes\n\n- **Breaking**: no more X\n- A non-breaking change\n" }, "Say so"],
    ]);
    expect(found).toMatchObject({
      image: [
        { file: "Dockerfile", why: "changed" },
        { file: "docker/entry/run.sh", why: "is there from now on" },
      ],
      configuration: [
        { file: "compose.yaml", why: "is gone" },
        { file: "etc/odoo.conf", why: "changed" },
      ],
      changelog: [
        { file: "CHANGELOG.md", line: "- **Breaking**: no more X", isBreaking: true },
        { file: "CHANGELOG.md", line: "- A non-breaking change", isBreaking: false },
      ],
      breaking: [{ subject: "Tidy up" }, { subject: "feat!: Drop the old way" }],
      others: ["deep/compose.yaml", "notes.txt"],
      missingFolders: ["addons"],
    });
  });

  it("a repository in the repository is not looked into", async () => {
    const repository = join(folder, "outer");
    await makeRepository(join(folder, "inner"));
    const inner = await commit(join(folder, "inner"), { "a/__manifest__.py": "{}" });
    await makeRepository(repository);
    const from = await commit(repository, { "addons/keep": "" });
    await git(repository, "update-index", "--add", "--cacheinfo", `160000,${inner},addons/inner`);
    await git(repository, "commit", "--quiet", "--message", "inner");
    const found = await scan(repository, from, await git(repository, "rev-parse", "HEAD"));
    expect(found.submodules).toEqual([{ path: "addons/inner", from: null, to: inner }]);
  });
});

describe("access", () => {
  const header = "id,name,model_id:id,group_id:id,perm_read,perm_write,perm_create,perm_unlink\n";
  const files = (rows: string, xml: string, data = '["ir.model.access.csv", "rules.xml"]') =>
    below("addons/a", {
      "__manifest__.py": `{"name": "A", "data": ${data}}`,
      "ir.model.access.csv": header + rows,
      "rules.xml": xml,
    });
  const rule = (id: string, domain: string) =>
    `<record id="${id}" model="ir.rule"><field name="domain_force">${domain}</field></record>`;

  it("is told by who gains and who loses what", async () => {
    const { found } = await release([
      [
        files(
          "one,x,model_x,base.group_user,1,0,0,0\ntwo,x,model_y,base.group_system,1,1,1,1\nsame,x,model_z,,1,0,0,0\n",
          `<odoo>${rule("r", "a")}${rule("s", "b")}</odoo>`,
        ),
      ],
      [
        files(
          "one,x,model_x,base.group_user,1,1,1,0\ntwo,x,model_y,,1,0,0,0\nsame,y,model_z,,1,0,0,0\n",
          `<odoo>\n${rule("r", "c")}<record id="g" model="res.groups"/></odoo>`,
        ),
      ],
    ]);
    expect(
      found.rights.map(({ id, model, group, gains, loses }) => [id, model, group, gains.join(), loses.join()]),
    ).toEqual([
      ["one", "model_x", "base.group_user", "write,create", ""],
      ["two", "model_y", "base.group_system", "", "read,write,create,unlink"],
      ["two", "model_y", "", "read", ""],
    ]);
    expect(found.guards.map(({ model, id, change }) => [model, id, change])).toEqual([
      ["ir.rule", "r", "changed"],
      ["ir.rule", "s", "removed"],
      ["res.groups", "g", "added"],
    ]);
  });

  it("is gone with the file that the manifest does not name any more", async () => {
    const rows = "one,x,model_x,base.group_user,1,0,0,0\n";
    const { found } = await release([[files(rows, "<odoo/>")], [files(rows, "<odoo/>", '["rules.xml"]')]]);
    expect(found.rights).toMatchObject([{ id: "one", gains: [], loses: ["read"] }]);
  });

  it("in XML that cannot be parsed is told as broken", async () => {
    const { found } = await release([[files("", "<odoo/>")], [files("", "<odoo>\n<record></odoo>")]]);
    expect(found.broken).toMatchObject([{ addon: "a", file: "addons/a/rules.xml", line: 2 }]);
  });
});

it("answers the hash that the inventory of the checked out files has, whatever their names and content", async () => {
  const odd = Object.fromEntries([
    ["i18n/de.po", "a\r\nb\r\n"],
    ["static/é ü\n.txt", "x"],
    ["static/large.bin", Buffer.alloc(3 << 20, 7)],
    ["tests/left_out.py", "x"],
    ["static/tests/left_out.js", "x"],
    ["Z/b.py", "x"],
    ["a/b.py", "x"],
    ["a.b/c.py", "x"],
    ["left_out.pyc", "x"],
  ]);
  const repository = join(folder, "hashes");
  await makeRepository(repository);
  await writeFiles(repository, below("addons/a", { ...odd, "__manifest__.py": "{'name': 'A'}" }));
  // A name that is not UTF-8 can only be made by a shell.
  await perform(
    command("local", [
      "sh",
      "-c",
      `cd "$1" && printf x > "$(printf 'static/caf\\351.txt')"`,
      "sh",
      `${repository}/addons/a`,
    ]),
  );
  await symlink("static/large.bin", join(repository, "addons/a/link.bin"));
  await symlink("static", join(repository, "addons/a/linked"));
  await chmod(join(repository, "addons/a/Z/b.py"), 0o755);
  const from = await commit(repository, {});
  const to = await commit(repository, { "addons/a/a/b.py": "y\n" });
  const found = await scan(repository, from, to);
  const inventory = async () => {
    const asked = command("local", ["/usr/bin/python3", "-", `${repository}/addons`], { stdin: inventoryScript });
    return parseInventory(readOutput(await perform(asked), { from: "stdout", as: "jsonLines" })).addons[0]?.hash;
  };
  expect(found.addons[0]?.hash).toBe(await inventory());
  await git(repository, "checkout", "--quiet", from);
  expect(found.addons[0]?.hashNow).toBe(await inventory());
  expect(found.addons[0]?.hash).not.toBe(found.addons[0]?.hashNow);
  const { addons } = await scan(repository, to, from);
  expect(addons[0]?.reasons).toMatchObject([{ file: "addons/a/a/b.py" }]);
});

it("says that hashes are not known where git writes other content than it keeps", async () => {
  const { found } = await release([[{ a: "" }], [{ ".gitattributes": "*.csv text eol=crlf\n" }]]);
  expect(found.converted).toBe(".gitattributes");
});

it("is asked in Python that a host of some years ago has too", async () => {
  const [asked] = scanRelease(createGit("local", { repository: "/", remote: "origin", branch: "main" }), {
    ...{ from: "a", to: "b", addons: [], image: [], configuration: [] },
  }).pipeline;
  const reading = "import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 9))";
  const read = (stdin: string) => perform(command("local", ["/usr/bin/python3", "-c", reading], { stdin }));
  await expect(read("match 1:\n  case 1: pass\n")).rejects.toThrow();
  await read(String(asked.stdin));
  await read(checkoutScript);
});
