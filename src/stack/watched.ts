import type { Text } from "../runbook/value.ts";

/**
 * Words before a command that tell every ten seconds how much lies in a folder, as restic tells what it has done: for programs that say
 * nothing of it. The command's exit code is the answer.
 */
export function watching(folder: Text): readonly [Text, ...Text[]] {
  return ["sh", "-c", watchScript, "watch", folder];
}

/** What sleeps holds no end of the pipe. */
const watchScript = `
folder=$1
shift
watch() {
  nap=
  trap '[ -z "$nap" ] || kill "$nap"; exit' TERM
  while :; do
    sleep 10 >/dev/null 2>&1 &
    nap=$!
    wait "$nap"
    bytes=$(du -sb -- "$folder" 2>/dev/null | cut -f 1)
    [ -z "$bytes" ] || printf '{"message_type":"status","bytes_done":%s}\\n' "$bytes"
  done
}
watch &
watcher=$!
"$@" && code=0 || code=$?
kill "$watcher"
wait "$watcher"
exit "$code"
`;
