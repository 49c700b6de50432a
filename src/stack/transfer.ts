import type { StackConfig } from "../config/schema.ts";
import { type Command, type CommandAction, command } from "../runbook/action.ts";
import type { Text } from "../runbook/value.ts";
import { containerOf } from "./runtime/compose.ts";

/** Files between the stack's machine, where a person puts and finds them, and the place of the tools, which may be a container. */

/** Brings a file of the machine to the tools. Undefined: it is there already. */
export function bringIn({ host, runtime }: StackConfig, path: string, into: Text): CommandAction | undefined {
  if (!("compose" in runtime)) return undefined;
  const tools = containerOf(runtime.compose, runtime.compose.tools);
  const script = 'umask 077 && cat > "$1.partial" && mv -f -- "$1.partial" "$1"';
  return {
    kind: "command",
    host,
    pipeline: [
      { argv: ["cat", "--", path] },
      { argv: ["docker", "exec", "--interactive", tools, "sh", "-c", script, "into", into] },
    ],
  };
}

/** Unpacks among the tools what a program of the machine prints as a tar archive. */
export function unpackIn({ host, runtime }: StackConfig, producer: CommandAction, into: Text): CommandAction {
  const unpack = ["sh", "-c", 'mkdir -p -- "$1" && tar -x -C "$1" --no-same-owner', "unpack", into] as const;
  const tools = "compose" in runtime ? containerOf(runtime.compose, runtime.compose.tools) : undefined;
  const argv: Command["argv"] = tools === undefined ? unpack : ["docker", "exec", "--interactive", tools, ...unpack];
  return { ...producer, host, pipeline: [...producer.pipeline, { argv }] };
}

/**
 * Puts a file of the tools onto the machine, whole or not at all, for this user alone. One that is there already is never replaced: ends
 * with 9.
 */
export function takeOut({ host, runtime }: StackConfig, path: Text, onto: string): CommandAction {
  const exitCodes = { 9: "backup.file_exists" };
  const onMachine = ["sh", "-c", ontoScript, "onto", onto] as const;
  if (!("compose" in runtime))
    return { kind: "command", host, exitCodes, pipeline: [{ argv: ["cat", "--", path] }, { argv: onMachine }] };
  const tools = containerOf(runtime.compose, runtime.compose.tools);
  return {
    kind: "command",
    host,
    exitCodes,
    pipeline: [{ argv: ["docker", "exec", tools, "cat", "--", path] }, { argv: onMachine }],
  };
}

const ontoScript = `
set -eu
umask 077
[ ! -e "$1" ] || { echo "$1" >&2; exit 9; }
trap 'rm -f -- "$1.partial"' EXIT
dd of="$1.partial" bs=1M iflag=fullblock conv=fsync status=none
mv -nT -- "$1.partial" "$1"
[ ! -e "$1.partial" ] || { echo "$1" >&2; exit 9; }
`;

/** Removes a file of the machine if it has this checksum, and leaves any other alone. */
export function removeOwn(host: string, path: string, sha256: Text): CommandAction {
  const script = 'if [ -e "$1" ] && [ "$(sha256sum < "$1" | cut -c 1-64)" = "$2" ]; then rm -f -- "$1"; fi';
  return command(host, ["sh", "-c", script, "remove", path, sha256]);
}
