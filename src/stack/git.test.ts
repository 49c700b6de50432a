import { describe, expect, it } from "vitest";
import type { CommandAction } from "../runbook/action.ts";
import { createGit, parseCommits } from "./git.ts";

const git = createGit("local", { repository: "/opt/code", remote: "upstream", branch: "stable" });
/** The words after those that lead to the owner and into the repository. */
const words = ({ pipeline }: CommandAction) => pipeline[0].argv.slice(4);

describe("git", () => {
  it.each<[string, CommandAction, readonly unknown[]]>([
    ["its commit", git.head(), ["rev-parse", "--verify", "HEAD^{commit}"]],
    ["a name", git.resolve("-x"), ["rev-parse", "--verify", "--quiet", "--end-of-options", "-x^{commit}"]],
    [
      "a name that is only known later",
      git.resolve({ ref: "output", step: "s", name: "n" }),
      [
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        { join: [{ ref: "output", step: "s", name: "n" }, "^{commit}"] },
      ],
    ],
    [
      "the remote's branch",
      git.resolveBranch(),
      ["rev-parse", "--verify", "--quiet", "--end-of-options", "refs/remotes/upstream/stable^{commit}"],
    ],
  ])("is asked %s", (_, action, expected) => {
    expect(words(action)).toEqual(["/opt/code", "git", ...expected]);
  });

  it("is brought to a commit by a script that can go on", () => {
    expect(words(git.checkout("a"))).toEqual(["/opt/code", "/usr/bin/python3", "-", "a"]);
    expect(words(git.checkout("a", "b"))).toEqual(["/opt/code", "/usr/bin/python3", "-", "a", "b"]);
  });

  it("fetches a branch to where the remote's branches are", () => {
    expect(words(git.fetch()).slice(-2)).toEqual(["upstream", "+refs/heads/stable:refs/remotes/upstream/stable"]);
    expect(words(git.fetch("next")).at(-1)).toBe("+refs/heads/next:refs/remotes/upstream/next");
  });

  it("answers in lines that are checked", () => {
    expect(parseCommits([{ commit: "a", at: "2026-01-01T00:00:00Z", author: "Ada", subject: "" }])).toHaveLength(1);
    expect(() => parseCommits([{ commit: "a" }])).toThrow();
  });
});
