import { expect, it } from "vitest";
import { commentOf } from "./actor.ts";

const keys = [
  "# the team",
  "ssh-ed25519 AAAAanna anna@laptop",
  'from="10.0.0.0/8",no-pty ssh-ed25519 AAAAberta berta reyes@desk',
  "ssh-ed25519 AAAAbare",
].join("\n");

it("names the comment of the key that was used, also after options", () => {
  expect(commentOf("publickey ssh-ed25519 AAAAanna\n", keys)).toBe("anna@laptop");
  expect(commentOf("publickey ssh-ed25519 AAAAberta\n", keys)).toBe("berta reyes@desk");
});

it("names nobody for a key without a comment, an unknown key, a part of a key, or a password", () => {
  expect(commentOf("publickey ssh-ed25519 AAAAbare\n", keys)).toBeUndefined();
  expect(commentOf("publickey ssh-ed25519 AAAAother\n", keys)).toBeUndefined();
  expect(commentOf("publickey ssh-ed25519 AAAA\n", keys)).toBeUndefined();
  expect(commentOf("password\n", keys)).toBeUndefined();
});
