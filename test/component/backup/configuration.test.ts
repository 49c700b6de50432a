import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StackConfig } from "../../../src/config/schema.ts";
import { takeConfiguration } from "../../../src/stack/configuration.ts";
import { perform, practiceStack } from "../../harness/perform.ts";

/** What a bare machine needs besides the data, taken from folders and git repositories of this machine. */
let folder: string;
const git = (path: string, ...args: readonly string[]) =>
  execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-C", path, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-configuration-"));
  await writeFile(join(folder, "odoo.conf"), "db_password = secret\n", { mode: 0o640 });
  await writeFile(join(folder, "nginx.conf"), "events {}\n");
  await writeFile(join(folder, "upstreams.conf"), "upstream odoo {}\n");
  await writeFile(join(folder, "redis.conf"), `dir ${folder}/redis\n`);
  await mkdir(join(folder, "redis"), { mode: 0o750 });
  const cluster = join(folder, "postgresql/15/sandbox");
  await mkdir(join(cluster, "ipai-wal/secret"), { recursive: true });
  await writeFile(join(cluster, "postgresql.conf"), `data_directory = '${folder}/data'\n`);
  await writeFile(join(cluster, "ipai-wal/secret/password.conf"), "another secret\n");
  await mkdir(join(folder, "data"), { mode: 0o700 });
  await writeFile(join(folder, "data/PG_VERSION"), "15\n");
});
afterAll(() => rm(folder, { recursive: true }));

/** A clone of a repository with one module, whose commit the remote has. */
async function clone(name: string): Promise<string> {
  const [origin, path] = [join(folder, `${name}-origin`), join(folder, name)];
  execFileSync("git", ["init", "--quiet", "--bare", origin]);
  execFileSync("git", ["clone", "--quiet", origin, path], { stdio: "ignore" });
  await mkdir(join(path, "addons/one"), { recursive: true });
  await writeFile(join(path, "addons/one/__manifest__.py"), "{}\n");
  git(path, "add", ".");
  git(path, "commit", "--quiet", "-m", "one");
  git(path, "push", "--quiet", "origin", "HEAD");
  return path;
}

async function take(change: (stack: StackConfig) => StackConfig) {
  const set = join(folder, "set");
  await rm(set, { recursive: true, force: true });
  await perform(takeConfiguration(change(practiceStack(folder)), set));
  const lines = (await readFile(join(set, "parts"), "utf8")).trim().split("\n");
  return { set, parts: lines.map((line) => JSON.parse(line) as Record<string, string>) };
}
const withAddons =
  (...addons: readonly string[]) =>
  (stack: StackConfig): StackConfig => ({ ...stack, odoo: { ...stack.odoo, addons: [...addons] } });

describe("the configuration of a machine", () => {
  it("is odoo.conf, the proxy's, and what else is named, for root alone", async () => {
    const odd = join(folder, 'with "quotes" and \\');
    await writeFile(odd, "x");
    const { set, parts } = await take((stack) => ({
      ...withAddons()(stack),
      controlBackups: join(folder, "control-backups"),
      backup: stack.backup && { ...stack.backup, files: [odd, join(folder, "gone")] },
    }));
    expect(parts).toEqual([
      { part: "odoo.conf", path: join(folder, "odoo.conf"), state: "taken" },
      { part: "proxy", path: join(folder, "nginx.conf"), state: "taken" },
      { part: "proxy-2", path: join(folder, "upstreams.conf"), state: "taken" },
      { part: "cache", path: join(folder, "redis.conf"), state: "taken" },
      { part: "postgresql", path: join(folder, "postgresql/15/sandbox"), state: "taken" },
      { part: "control", path: join(folder, "control-backups"), state: "absent" },
      { part: "files", path: odd, state: "taken" },
      { part: "files-2", path: join(folder, "gone"), state: "missing" },
    ]);
    expect((await stat(set)).mode & 0o777).toBe(0o700);
    expect((await stat(join(set, "odoo.conf/odoo.conf"))).mode & 0o777).toBe(0o640);
    expect(await readFile(join(set, "odoo.conf/odoo.conf"), "utf8")).toContain("secret");
  });

  it("is told with the folders that services need, and without what opens the archive", async () => {
    execFileSync("chown", ["nobody", join(folder, "redis"), join(folder, "nginx.conf")]);
    const { set } = await take(withAddons());
    expect(existsSync(join(set, "postgresql/sandbox/postgresql.conf"))).toBe(true);
    expect(existsSync(join(set, "postgresql/sandbox/ipai-wal"))).toBe(false);
    const folders = (await readFile(join(set, "folders"), "utf8")).trim().split("\n");
    expect(folders).toContain(`nobody root 750 ${join(folder, "redis")}`);
    expect(folders.some((line) => line.endsWith(` ${folder}`))).toBe(true);
    // The folder of a database is made by whoever makes the database.
    expect(folders.some((line) => line.endsWith(`${folder}/data`))).toBe(false);
    expect(await readFile(join(set, "owners"), "utf8")).toBe("nobody root proxy/nginx.conf\n");
  });

  it("tells what could not be read, with the reason, and takes the rest", async () => {
    // Reading a process's memory at its beginning is an input/output error, whoever reads.
    const { parts } = await take((stack) => ({
      ...withAddons()(stack),
      backup: stack.backup && { ...stack.backup, files: ["/proc/1/mem", join(folder, "nginx.conf")] },
    }));
    expect(parts.find(({ part }) => part === "files")).toMatchObject({
      state: "unreadable",
      reason: expect.stringMatching(/error|denied/i),
    });
    expect(parts.find(({ part }) => part === "files-2")).toMatchObject({ state: "taken" });
  });
});

describe("code", () => {
  it("that a remote has is told by its commit, without the password of its address", async () => {
    const path = await clone("clean");
    const commit = git(path, "rev-parse", "HEAD");
    git(path, "remote", "set-url", "origin", "https://anna:secret@git.example.invalid/code.git");
    const { set, parts } = await take(withAddons(join(path, "addons")));
    expect(parts[1]).toEqual({
      ...{ part: "addons", path: join(path, "addons"), state: "commit", commit },
      ...{
        remote: "https://git.example.invalid/code.git",
        top: path,
        branch: git(path, "symbolic-ref", "--short", "HEAD"),
      },
    });
    expect(existsSync(join(set, "addons"))).toBe(false);
  });

  it("that was changed, or that no remote has, is taken with its commit; without a repository it is taken as it is", async () => {
    const [changed, ahead] = [await clone("changed"), await clone("ahead")];
    await writeFile(join(changed, "addons/one/new.py"), "pass\n");
    git(ahead, "commit", "--quiet", "--allow-empty", "-m", "two");
    const plain = join(folder, "plain");
    await mkdir(join(plain, "__pycache__"), { recursive: true });
    await writeFile(join(plain, "here.py"), "pass\n");
    const { set, parts } = await take(withAddons(join(changed, "addons"), ahead, plain));
    expect(parts.slice(1, 4)).toMatchObject([
      { part: "addons", state: "taken", dirty: "true", commit: git(changed, "rev-parse", "HEAD") },
      { part: "addons-2", state: "taken", dirty: "false", commit: git(ahead, "rev-parse", "HEAD") },
      { part: "addons-3", state: "taken" },
    ]);
    expect(parts[3]).not.toHaveProperty("commit");
    expect(existsSync(join(set, "addons/addons/one/new.py"))).toBe(true);
    expect(existsSync(join(set, "addons-2/ahead/addons/one/__manifest__.py"))).toBe(true);
    expect(existsSync(join(set, "addons-2/ahead/.git"))).toBe(false);
    expect(existsSync(join(set, "addons-3/plain/here.py"))).toBe(true);
    expect(existsSync(join(set, "addons-3/plain/__pycache__"))).toBe(false);
  });

  it("runs none of the programs that its repository's configuration names", async () => {
    const path = await clone("trap");
    const trace = join(folder, "sprung");
    git(path, "config", "core.fsmonitor", `touch ${trace}; false`);
    await take(withAddons(path));
    expect(existsSync(trace)).toBe(false);
    // The trap does spring.
    git(path, "status");
    expect(existsSync(trace)).toBe(true);
  });
});
