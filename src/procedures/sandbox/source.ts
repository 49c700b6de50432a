import { command } from "../../runbook/action.ts";
import type { Act } from "../../runbook/plan.ts";
import { pathExists } from "../../stack/files.ts";
import { change } from "../steps.ts";

/** The practice modules as a git repository, with a remote beside it that releases are pushed to. */

export function remoteOf(folder: string): string {
  return `${folder}/releases.git`;
}

/** How the configuration of a practice stack names it. */
export function sourceOf(folder: string) {
  return { repository: `${folder}/addons`, addons: ["."] };
}

export function makeRepository(host: string, folder: string): Act {
  const remote = remoteOf(folder);
  return change(
    {
      id: "source",
      title: "Make a git repository of them, and a remote",
      action: command(host, ["sh", "-c", makeScript, "make", sourceOf(folder).repository, remote]),
    },
    { verify: [pathExists(host, remote, "the remote is there")] },
  );
}

/** A kill in between leaves nothing that is taken for whole. */
const makeScript = `
set -eu
cd -- "$1"
rm -rf .git "$2"
git init --quiet --initial-branch=main
git config user.name 'Practice stack'
git config user.email practice@localhost
git add --all
git commit --quiet --message='The release that is installed'
git clone --quiet --bare . "$2.partial"
git remote add origin "$2"
mv -T "$2.partial" "$2"
git fetch --quiet origin
`;
