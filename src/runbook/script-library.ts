import { type ContainerLine, quote } from "./shell.ts";

/**
 * The part of an exported script that is the same for every plan: how a step is asked, performed, verified and taken back. It
 * mirrors what the engine (act, wait, undo) and the host (reading and comparing answers) do; `script.test.ts` holds them together.
 * Names have an underscore, so that no function hides a program that a plan calls.
 */

/** A clean environment, as the tool gives to every program; secrets and the run's own values are kept out of it. */
export const preamble = `set -euo pipefail

for name in $(compgen -e); do
  case $name in
    HOME | TERM) ;;
    run_id | run_started_at | IPAI_SECRET_*) export -n "\${name?}" ;;
    *) unset -v "$name" || true ;;
  esac
done
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 LC_ALL=C.UTF-8 TZ=UTC
cd /

run_id=\${run_id:-$(date -u +%Y%m%dt%H%M%Sz)_hand}
run_started_at=\${run_started_at:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}
`;

export const library = `began=()      # for every step that began, in order: what takes it back
changed=no    # whether the stack was changed
beyond=''     # why what was done cannot be taken back without asking
forever=no    # whether something was done that cannot be taken back at all
ending=''     # succeeded, left or undo; anything else is a failure
cancelled=no
mark='→'
work=$(mktemp -d)

# When nobody reads any more, the way back goes on in silence.
tell_person() { printf '%s\\n' "$*" >&2 || exec >/dev/null 2>&1; }

# QUESTION: what a person at the terminal answers is in $answer; fails when nobody is there.
ask_person() {
  tell_person "$1"
  { read -r answer </dev/tty; } 2>/dev/null
}

# EFFECT ACT [UNDO…]: one step. It counts from the moment at which it begins: half of a step is taken back too.
# What was found done before this script did anything is left as it was found.
take_step() {
  local effect=$1 act=$2 changed_before=$changed beyond_before=$beyond forever_before=$forever
  began+=("\${*:3}")
  [[ $effect == read ]] || changed=yes
  [[ $effect != irreversible ]] || forever=yes beyond="\${beyond:-What was done cannot be taken back.}"
  until try_act "$act"; do
    [[ $on_fail != continue ]] || return 0
    [[ $on_fail != undo || -n $beyond ]] || exit 3
    ! let_person_decide || return 0
  done
  [[ $skipped == yes || ($is_done == yes && $acted == no) ]] || return 0
  tell_person '  nothing to do'
  changed=$changed_before beyond=$beyond_before forever=$forever_before
  [[ \${is_edge-no} == yes ]] || unset 'began[-1]'
}

# A step at the edge of a bracket: going back over it closes or opens the bracket, even if there was nothing to do here.
take_edge() {
  local is_edge=yes
  take_step "$@"
}

pass_pivot() {
  tell_person "── $1"
  beyond=$1
}

# 0: the step is done, go on. 1: once more.
let_person_decide() {
  local answer
  [[ -z $beyond ]] || tell_person "This is not taken back by itself. $beyond"
  while ask_person 'Decide: again, done (go on), undo (take everything back) or stop (leave all as it is)?'; do
    case $answer in
      again) return 1 ;;
      'done') return 0 ;;
      undo) ending=undo; exit 3 ;;
      stop) break ;;
    esac
  done
  ending=left
  exit 4
}

# ACT: one act with its attempts. Fails after having said why.
try_act() {
  local count pause
  acted=no
  for ((count = 1; ; count++)); do
    failure='' skipped=no is_done=no noted=()
    "$1"
    [[ -n $failure ]] || return 0
    ((\${#noted[@]} == 0)) || unset -v "\${noted[@]}"
    ((count < attempts)) || break
    pause=$((count < 5 ? count : 5))
    tell_person "  $failure. Once more in $pause s."
    sleep "$pause"
  done
  tell_person "✗ $title: $failure"
  return 1
}

# The words of an act, in their order. Each does nothing when one before it failed or found nothing to do.

# TITLE [ATTEMPTS [ON_FAIL]]: on_fail is undo, continue or ask.
this_is() {
  title=$1 attempts=\${2-1} on_fail=\${3-undo}
  ((count > 1)) || tell_person "$mark $title"
}

# VARIABLE
only_if() { [[ \${!1-} == true ]] || skipped=yes; }

# QUESTION TITLE
unless_done() {
  [[ -z $failure && $skipped == no ]] || return 0
  local found status=0
  found=$("$1" 2>&1) || status=$?
  case $status in
    0) is_done=yes ;;
    1) ;;
    *) failure="could not find out: $2 ($found)" ;;
  esac
}

# OK_CODES COMMAND
perform_it() {
  [[ -z $failure && $skipped == no && $is_done == no ]] || return 0
  local code=0
  acted=yes
  ("$2") || code=$?
  [[ " $1 " == *" $code "* ]] || failure="it ended with exit code $code"
}

# OK_CODES COMMAND: its answer is kept to be noted.
perform_and_keep() {
  [[ -z $failure && $skipped == no && $is_done == no ]] || return 0
  acted=yes
  keep_answer "$@" || failure="it ended with exit code $code"
  printf '%s' "$stderr" >&2
}

# NAME
leave_to_ipai() {
  [[ -z $failure && $skipped == no && $is_done == no ]] || return 0
  tell_person "  ipai enters this in its catalogue ($1); nothing is done here."
}

# TEXT
do_by_hand() {
  [[ -z $failure && $skipped == no && $is_done == no ]] || return 0
  local answer
  ask_person "  $1 Answer \\"done\\" when it has succeeded." && [[ $answer == 'done' ]] || failure='nobody says that it was done'
}

# QUESTION TITLE
must_be() {
  [[ -z $failure && $skipped == no ]] || return 0
  local found status=0
  found=$("$1" 2>&1) || status=$?
  case $status in
    0) ;;
    1) failure="not as it should be: $2 (found: \${found:0:300})" ;;
    *) failure="could not find out: $2 ($found)" ;;
  esac
}

# SECONDS QUESTION
wait_until() {
  local found deadline=$((SECONDS + $1))
  until found=$("$2" 2>&1); do
    ((SECONDS <= deadline)) || { failure="not within $1 s (last answer: \${found:0:200})" && return 0; }
    sleep 0.25
  done
}

# SECONDS EPOCH
wait_for_instant() {
  local deadline=$((SECONDS + $1))
  until ((EPOCHSECONDS >= $2)); do
    ((SECONDS <= deadline)) || { failure="not within $1 s" && return 0; }
    sleep 1
  done
}

# SECONDS SIGNAL
wait_for_person() {
  tell_person "  Press Enter to give the signal: $2"
  { read -r -t "$1" </dev/tty; } 2>/dev/null || failure="no signal $2 within $1 s"
}

# Questions run in a subshell. They answer 0 (yes), 1 (no) or anything else (it cannot be known), and say what they found.

# OK_CODES COMMAND: its answer is in $stdout, $stderr and $code.
keep_answer() {
  code=0
  stdout=$("$2" 2>"$work/stderr") || code=$?
  IFS= read -r -d '' stderr <"$work/stderr" || true
  [[ " $1 " == *" $code "* ]]
}

# OK_CODES COMMAND
ask_for() {
  keep_answer "$@" || { printf 'exit code %s: %s' "$code" "$stderr" && exit 2; }
}

# NAME…: recorded values that a command uses
needs_values() {
  local name
  for name; do
    [[ -v $name ]] || { printf '%s was not noted by an earlier step\\n' "$name" >&2 && return 1; }
  done
}

# FROM: one part of the answer is in $value. HTTP prints the body and then, on a line of its own, the status.
take_part() {
  case $1 in
    stdout) value=$stdout ;;
    stderr) value=$stderr ;;
    exitCode) value=$code ;;
    status) value=\${stdout##*$'\\n'} ;;
    body) value=\${stdout%$'\\n'*} ;;
  esac
}

# AS FROM: the same as a text, trimmed at its end, or as a plain number.
take_value() {
  take_part "$2"
  value=\${value%"\${value##*[![:space:]]}"}
  [[ $1 == number ]] || return 0
  plain_number "$value" || { printf 'not a number: %s' "$value" && return 2; }
  value=$number
}

# TEXT: $number is the shortest form of a number that can be held exactly.
plain_number() {
  number=$1
  ! is_integer "$1" || return 0
  [[ $1 =~ ^[[:space:]]*[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?[[:space:]]*$ ]] || return 1
  number=$(awk -v text="$1" 'BEGIN {
    number = text + 0
    if (number == 0) number = 0
    if (number == int(number)) {
      printf "%.0f", number
      exit (number > 9007199254740991 || number < -9007199254740991)
    }
    for (digits = 1; digits < 18; digits++) {
      form = sprintf("%." digits "g", number)
      if (form + 0 == number) break
    }
    printf "%s", form
  }')
}

is_integer() { [[ $1 =~ ^(0|-?[1-9][0-9]{0,14})$ ]]; }

# VARIABLE AS FROM
note_value() {
  [[ -z $failure && $skipped == no && $is_done == no ]] || return 0
  local value number reason=$work/reason
  take_value "$2" "$3" >"$reason" || { failure="its answer cannot be read: $(<"$reason")" && return 0; }
  printf -v "$1" %s "$value"
  noted+=("$1")
}

# COMPARE EXPECTED AS FROM
answer_is() {
  local value number left
  take_value "$3" "$4" || return 2
  printf %s "$value"
  case $1 in
    eq) [[ $value == "$2" ]] ;;
    eqNumber)
      if plain_number "$value" && left=$number && plain_number "$2"; then [[ $left == "$number" ]]; else [[ $value == "$2" ]]; fi
      ;;
    le | ge)
      plain_number "$value" && left=$number && plain_number "$2" || return 2
      if [[ $1 == le ]]; then is_at_most "$left" "$number"; else is_at_most "$number" "$left"; fi
      ;;
    has) has_text "$value" "$2" ;;
    absent) ! has_text "$value" "$2" ;;
  esac
}

is_at_most() {
  if is_integer "$1" && is_integer "$2"; then (($1 <= $2)); else awk -v left="$1" -v right="$2" 'BEGIN { exit !(left + 0 <= right + 0) }'; fi
}

# TEXT PART: an empty part asks whether there is any text at all.
has_text() { if [[ -z $2 ]]; then [[ -n $1 ]]; else [[ $1 == *"$2"* ]]; fi; }
`;

/**
 * Docker's client does not end what it has started when it is ended itself. So each command in a container notes its group of processes
 * there, and what is still running of them is ended before anything is taken back.
 */
export const noteGroup: readonly ContainerLine[] = [
  { line: "note=/tmp/ipai-$run_id.$$; trap 'rm -f -- \"$note\"' EXIT", refs: [{ ref: "run", field: "id" }] },
  { line: 'echo "$$ $(cut -d " " -f 22 "/proc/$$/stat")" >"$note"', refs: [] },
];

export function endInContainers(names: ReadonlySet<string>): string {
  const lines = [...names].sort().map((name) => `  end_in_container ${quote(name)}`);
  return `end_in_container() {
  docker exec -i --user 0:0 -e run_id="$run_id" "$1" bash >/dev/null 2>&1 <<'END'
for note in /tmp/ipai-$run_id.*; do
  read -r group began <"$note" || continue
  if [[ $(cut -d ' ' -f 22 "/proc/$group/stat") == "$began" ]]; then kill -KILL -- "-$group"; fi
  for ((tries = 0; tries < 50; tries++)); do kill -0 -- "-$group" || break; sleep 0.1; done
  rm -f -- "$note"
done
END
}
end_what_runs() {
${[...lines, "  :"].join("\n")}
}
`;
}

/** The walk backwards, and what the script says at its end. */
export const traps = `take_back() {
  local index act
  local -a left=()
  for ((index = \${#began[@]} - 1; index >= 0; index--)); do
    for act in \${began[index]}; do left+=("$act"); done
  done
  ((\${#left[@]} == 0)) || tell_person 'Taking back what was done:'
  mark='↶'
  for index in "\${!left[@]}"; do
    (try_act "\${left[index]}" || [[ $on_fail == continue ]]) && continue
    tell_person "Taking back stopped there: the stack is between two states. Remove the cause, then do what remains by hand, in this order:"
    for act in "\${left[@]:index}"; do tell_person "  $act"; done
    return 1
  done
}

# 0 succeeded, 3 failed and taken back, 4 failed and nothing was changed, or a person must go on, 5 cancelled and taken back.
at_end() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP PIPE
  [[ $ending == succeeded ]] || end_what_runs || true
  if [[ $ending == succeeded ]]; then
    tell_person '✓ succeeded'
    status=0
  elif [[ $ending == left || (-n $beyond && $ending != undo) ]]; then
    tell_person "✗ Stopped; nothing was taken back. A person must decide how it goes on. $beyond"
    status=4
  elif ! take_back; then
    status=4
  elif [[ $forever == yes ]]; then
    tell_person '? What can be taken back was taken back; the rest must be put right by hand.'
    status=4
  elif [[ $cancelled == yes ]]; then
    tell_person '↶ cancelled, and everything was taken back'
    status=5
  elif [[ $changed == yes ]]; then
    tell_person '↶ failed, and everything was taken back'
    status=3
  else
    tell_person '✗ failed; nothing had been changed'
    status=4
  fi
  rm -rf -- "$work"
  exit "$status"
}
trap at_end EXIT
trap 'cancelled=yes; exit 130' INT TERM HUP PIPE
`;
