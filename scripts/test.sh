#!/usr/bin/env bash
# The tests. `npm test` runs the quick ones; `scripts/test.sh all` runs every suite, which takes a while.
# What a suite starts it ends. The last line counts: N passed, N failed, N skipped.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH=$PWD/node_modules/.bin:$PATH
results=$(mktemp -d)

# A check that is no vitest suite counts as one test.
check() {
  local name=$1
  shift
  printf '\n== %s\n' "$name"
  if "$@"; then echo '{"tests":{"passed":1}}' >"$results/$name.json"
  else echo '{"tests":{"failed":1}}' >"$results/$name.json"; fi
}

suite() {
  local name=$1 again
  shift
  printf '\n== %s (%d s so far)\n' "$name" "$SECONDS"
  if ! report "$name" "$@"; then
    clear_after "$@"
    mapfile -t again < <(has_ended "$name" || failed_files "$name")
    # What meets real servers may meet a bad moment of the machine. It is run once more (all of it, where its end was bad beside its
    # tests), and named at the end, whatever comes of it.
    if ((SECONDS < 4200)); then
      printf '\n== %s, once more what failed of it (%d s so far)\n' "$name" "$SECONDS"
      report "$name.again" "$@" "${again[@]}" || clear_after "$@"
    fi
  fi
}

# These have no practice stack, and others that do may run beside them.
clear_after() { [[ $* == *--project\ component* || $* == *--project\ crash-engine* ]] || clear_away "$home"; }

# A run that ended badly, and names no test that did or something else besides, is a failure of its own, not nothing: its report says what
# was printed of it.
report() {
  local name=$1 file=$results/$1.json
  shift
  if vitest run --reporter=default --reporter=json --outputFile.json="$file" "$@" 2>&1 | tee "$results/$name.log"; then return; fi
  if [[ -z $(failed_files "$name") ]] || grep -q 'Unhandled \(Error\|Rejection\)' "$results/$name.log"; then
    jq -e . "$file" >"$file.new" 2>/dev/null || echo '{}' >"$file.new"
    jq --arg ended "$(why_ended "$results/$name.log")" '. + {$ended}' "$file.new" >"$file"
  fi
  return 1
}

has_ended() { jq -e 'has("ended")' "$results/$1.json" >/dev/null; }

failed_files() { jq -r '.testResults[]? | select(.status == "failed") | .name' "$results/$1.json" 2>/dev/null; }

# The first error that no test caught, or else the last lines.
why_ended() {
  local plain
  plain=$(sed 's/\x1b\[[0-9;]*m//g' "$1")
  grep -m1 -A12 -E '^(Unhandled |[A-Za-z]*Error: )|Unhandled (Error|Rejection)' <<<"$plain" || tail -n 12 <<<"$plain"
}

skip() {
  printf '\n== skipped: %s\n' "$2"
  echo '{"tests":{"skipped":1}}' >"$results/$1.json"
}

# The same stack as the shipped compose project, on a Docker engine.
compose_suites() {
  local odoo=${IPAI_ODOO_HOME:-${IPAI_CACHE:-/var/cache/ipai}/odoo-19} reason
  printf '\n== a Docker engine and images (%d s so far)\n' "$SECONDS"
  if ! reason=$(test/images/engine.sh "$odoo" "$engine" 2>"$results/engine.log"); then
    tail -n 20 "$results/engine.log"
    skip compose "the practice stack on Docker Compose, because $reason"
    return
  fi
  export IPAI_TEST_RUNTIME=compose
  local name
  for name in ODOO DATABASE POSTGRES REDIS NGINX; do export "IPAI_IMAGE_$name=ipai-test/${name,,}"; done
  suite compose --project compose
  suite compose-main --project system test/system/main.test.ts
  suite compose-ssh --project system test/system/ssh.test.ts -t "is looked at|no room|vouches"
  suite compose-script --project system test/system/script.test.ts -t "a backup is made"
  suite compose-recovery --project system test/system/recovery.test.ts
  suite compose-crash --project crash test/crash/stack.test.ts -t "update:spawned|swap database:spawned|record:spawned"
}

# What a killed run of the tests left behind, or a suite that failed, would hold the stack that the next one takes: its programs, the tool
# itself (which names its folder in its environment only), its folder, and its containers.
clear_away() {
  local folder=$1 process signal
  [[ ! -e $folder ]] || printf '\n== removing what a run of the tests left in %s\n' "$folder"
  for signal in TERM KILL; do
    for process in /proc/[0-9]*; do
      if [[ $(readlink "$process/cwd") == "$folder"/* || $(readlink "$process/fd/2") == "$folder"/* ]] || tr '\0' ' ' <"$process/cmdline" | grep -qF "$folder/" ||
        { grep -qzF src/cli/main.ts "$process/cmdline" && grep -qzxF "IPAI_HOME=$folder" "$process/environ"; }; then
        # Its children too: a worker of nginx names no folder, and would keep the port. One whose parent is gone is known by its log.
        kill -s "$signal" $(pgrep -P "${process#/proc/}") "${process#/proc/}" && sleep 0.1
      fi
    done 2>/dev/null
  done
  rm -rf "$folder"
  if [[ -e $engine && $folder == *-compose ]]; then docker ps -aq | xargs -r docker rm -f -v >/dev/null; fi
}

# What follows in this shell has a practice stack of its own, beside the one of the others.
own_stack() {
  export IPAI_TEST_PORT=$((port + $2)) IPAI_TEST_HOME=$home-$1
  home=$IPAI_TEST_HOME
  clear_away "$home"
}

stop_engine() {
  [[ ! -e $engine ]] || { kill "$(<"$engine")" && tail --pid="$(<"$engine")" -f /dev/null; }
}
engine=$results/docker.pid
trap 'stop_engine; rm -rf "$results"' EXIT

home=${IPAI_TEST_HOME:-/var/lib/ipai-test} port=${IPAI_TEST_PORT:-28080}
clear_away "$home"

# The first practice stack of a machine takes a minute to install. The small tests, which mostly wait, leave time for that; the suite
# that needs the stack brings it up itself if this did not.
IPAI_HOME=$home IPAI_SANDBOX_PORT=$port bin/ipai demo up >/dev/null 2>&1 &
stack=$!

check lint biome check .
check types tsc
suite unit-and-component --project unit --project component
wait "$stack"
if [[ ${1:-quick} == all ]]; then
  # Beside the system suites: what waits most of the time, and what has a practice stack of its own.
  (
    suite component-long --project component-long
    suite crash-engine --project crash-engine
    (own_stack compose 400 && compose_suites)
    # Each point on its own was shown once; what CI shows again is bounded.
    own_stack crash 500
    for name in stack past deploy; do suite "crash-$name" --project crash "test/crash/$name.test.ts"; done
    suite crash-faults --project crash test/crash/deploy-faults.test.ts -t "nobody judged|nothing that they write"
    suite crash-restore --project crash test/crash/restore.test.ts -t "side/load:spawned|side/closed/stopped/swap:perf|meets somebody"
    suite crash-restore-set --project crash test/crash/restore-set.test.ts -t "load:spawned|while it is taken back"
    echo '{}' >"$results/beside.json"
  ) >"$results/beside.log" 2>&1 &
  beside=$!
  # A stack of its own for each file: what one leaves of its damage is nobody else's.
  for file in test/system/*.test.ts; do suite "$(basename "$file" .test.ts)" --project system "$file"; done
  wait "$beside"
  cat "$results/beside.log"
  # One that ended before its last suite is a failure, not nothing.
  [[ -e $results/beside.json ]] || echo '{"tests":{"failed":1}}' >"$results/beside.json"
  if [[ -z ${IPAI_ODOO_HOME:-} ]]; then
    skip odoo-18 'the practice stack on Odoo 18, because IPAI_ODOO_HOME names no Odoo (Debian has no package of 18)'
  fi
else
  suite system test/system/main.test.ts
fi

node scripts/count.ts "$results"
