import { command } from "../../../runbook/action.ts";
import type { FactReader } from "../../procedure.ts";
import { WalProgramMissing, WalServerApart } from "./errors.ts";

/**
 * The server archives where it runs, everything else of the archive is done among the tools: in a compose project those are two
 * containers. What would only be noticed by the first segment that does not arrive is asked before anything is changed.
 */
export async function requireTogether({ stack, text }: FactReader, folders: readonly string[]): Promise<void> {
  const argv = ["sh", "-c", lookScript, "look", ...folders] as const;
  const [tools, server] = await Promise.all([
    text(command(stack.tools, argv)),
    text(stack.runtime.beside(stack.config.services.database.name, argv)),
  ]);
  const there = server.split("\n");
  if (there.includes(`${program}: none`)) throw WalProgramMissing({ where: "where the database server runs" });
  const differing = tools.split("\n").filter((line) => !there.includes(line));
  if (differing.length > 0)
    throw WalServerApart({ what: differing.map((line) => line.slice(0, line.lastIndexOf(": "))).join(", ") });
}

const program = "pgBackRest";

/**
 * A volume has the same device and number wherever it is mounted. Of a folder that is not made yet, the one that it will be made in
 * decides. The system, because another C library sorts texts in another order, and every index on them would be wrong in a copy.
 */
const lookScript = `
set -eu
version=$(pgbackrest version 2>/dev/null) || version=none
echo "${program}: $version"
echo "the system: $(sed -n 's/^PRETTY_NAME=//p' /etc/os-release)"
for path; do
  at=$path
  while [ ! -e "$at" ]; do at=$(dirname "$at"); done
  echo "$path: $(stat -c %d,%i "$at")"
done
`;
