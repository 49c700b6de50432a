import { Secret } from "../../config/secret.ts";
import type { CommandAction } from "../../runbook/action.ts";
import { quote, renderPipeline } from "../../runbook/shell.ts";
import type { Pipeline } from "../executor.ts";

/** What runs on the other side: texts for its bash. Nothing has to be installed there. */

/** How long the remote side waits for a sign of life before it ends everything that was started for this connection. */
export const guardSeconds = 30;
/** How often one is sent. */
export const aliveSeconds = 5;

/**
 * Stays for as long as the connection: the folder that it makes names the process group of every command that runs. When its
 * standard input ends (this program is gone) or stays silent (the cable is cut), it kills them all: a command never outlives the
 * program that watches it, even if the server still believes in the connection.
 *
 * Its arguments are folders of earlier connections that were lost: what still runs for them is ended before it says `ready`, so
 * that whoever then looks at the host sees the end of the story. Numbers of processes are given out again, so each is kept with the
 * time at which it began: while any process of a group is left, its number cannot be another's. A folder whose guard gave no sign
 * for a while belongs to a program that may be gone: it is waited for until the guard has given it up.
 */
export const guardScript = `
seconds=$1
shift
umask 077
send() {
  read -r group start 2>/dev/null < "$2" || return 1
  if [ -r "/proc/$group/stat" ]; then
    [ "$(cut -d ' ' -f 22 "/proc/$group/stat" 2>/dev/null)" = "$start" ] || return 1
  fi
  kill "-$1" -- "-$group" 2>/dev/null
}
end_all() {
  for file in "$1"/*.group; do
    send KILL "$file"
    for _ in 1 2 3 4 5 6 7 8 9 10; do send 0 "$file" || break; sleep 0.1; done
  done
  rm -rf -- "$1"
}
for base in /run /dev/shm /tmp; do
  folder=$(mktemp -d "$base/ipai-$(id -u).XXXXXXXX" 2>/dev/null) && break
done
[ -d "$folder" ] || { echo 'no folder can be made in /run, /dev/shm or /tmp' >&2; exit 73; }
trap '' HUP PIPE TERM INT
trap 'end_all "$folder"' EXIT
for lost; do end_all "$lost"; done
for other in "$base/ipai-$(id -u)".*; do
  while [ -d "$other" ] && [ "$other" != "$folder" ] && [ $(($(date +%s) - $(stat -c %Y "$other/alive" 2>/dev/null || date +%s))) -gt 10 ]; do
    [ $(($(date +%s) - $(stat -c %Y "$other/alive"))) -le $((seconds + 10)) ] || end_all "$other"
    sleep 0.5
  done
done
touch "$folder/alive"
echo "ready $folder"
while read -r -t "$seconds" word id; do
  case $word in
    alive) touch "$folder/alive" ;;
    TERM|KILL) send "$word" "$folder/$id.group" ;;
    over) (sleep 0.25; send KILL "$folder/$id.group"; rm -f "$folder/$id.group") & ;;
  esac
done
`;

/** Where its lines say how far a command has come. No program prints them: the command's own number is in them. */
export function markOf(id: string): string {
  return `\u001e${id} `;
}

/**
 * A pipeline for bash. It goes over standard input, where secrets may travel, and is read to its end before it begins. It notes
 * its process group first; if its connection's folder is gone, it is too late to begin. A request to stop is for its programs: bash
 * stays until they have ended, and so does the session, which ends when nobody holds its outputs: no program gets the one that bash keeps
 * for its own marks, or a server that one of them starts would hold the session. What bash itself would say of a program that was killed names its arguments:
 * nobody hears it.
 */
export function commandScript(
  pipeline: Pipeline,
  environment: Readonly<Record<string, string>>,
  id: string,
  folder: string,
): string {
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}=${quote(value)}`);
  const looks = pipeline.map(({ argv }) => `look ${quote(argv[0])}`);
  const say = (words: string) => `printf '\\036${id} ${words}\\n'`;
  return `{
stat=($(</proc/$$/stat))
echo "$$ \${stat[21]}" > ${folder}/${id}.group || exit ${tooLate}
trap : TERM
cd /
${exports.join("\n")}
exec 9>&2 2>/dev/null
${say("begun")} >&9
${renderPipeline(reveal(pipeline), { stderr: "2>&9", closed: "9>&-" })}
codes="\${PIPESTATUS[*]}" known=
look() { type -P -- "$1" >/dev/null && known="$known yes" || known="$known no"; }
${looks.join("\n")}
${say("ended %s;%s")} "$codes" "$known" >&9
exit 0
}
`;
}

/** Exit code of a command whose connection was given up before it could begin. */
export const tooLate = 199;

function reveal(pipeline: Pipeline): CommandAction["pipeline"] {
  const clear = (value: string | Secret) => (value instanceof Secret ? value.reveal() : value);
  const [first, ...others] = pipeline.map(({ argv, env, stdin, mergeStderr }) => ({
    argv,
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, clear(value)])),
    ...(stdin === undefined ? {} : { stdin: clear(stdin) }),
    mergeStderr,
  }));
  if (first === undefined) throw new TypeError("a pipeline has a program");
  return [first, ...others];
}
