import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";

/**
 * The name of whoever types, as far as the machine knows: the comment of the key with which she came (where sshd says which one it
 * was: `ExposeAuthInfo yes`), the user who became root by sudo, or the user itself.
 */
export async function findActor(environment: NodeJS.ProcessEnv): Promise<string> {
  return (await findKeyComment(environment)) ?? environment["SUDO_USER"] ?? userInfo().username;
}

async function findKeyComment({ SSH_USER_AUTH: told }: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (told === undefined) return undefined;
  const used = await readFile(told, "utf8").catch(() => "");
  const keys = await readFile(join(userInfo().homedir, ".ssh", "authorized_keys"), "utf8").catch(() => "");
  return commentOf(used, keys);
}

/** `used`: lines such as `publickey ssh-ed25519 AAAA…`. `keys`: an authorized_keys, where options may stand before a key. Pure. */
export function commentOf(used: string, keys: string): string | undefined {
  const [, key] = /^publickey (\S+ \S+)$/m.exec(used) ?? [];
  const line = key === undefined ? undefined : keys.split("\n").find((one) => ` ${one.trim()} `.includes(` ${key} `));
  const comment = line === undefined || key === undefined ? "" : line.slice(line.indexOf(key) + key.length).trim();
  return comment === "" ? undefined : comment;
}
