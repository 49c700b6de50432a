/** Only in scripts that read JSON: the same as above on structured answers, with jq. */
export const jsonLibrary = `# No "?": in jq 1.6 it also swallows errors of what comes after it.
json_words='
  def as_text: if type == "string" then . elif . == null then "" else tojson end;
  def as_number:
    if type == "number" then .
    elif type == "string" and test("^\\\\s*[-+]?([0-9]+\\\\.?[0-9]*|\\\\.[0-9]+)([eE][-+]?[0-9]+)?\\\\s*$") then
      gsub("\\\\s|\\\\+"; "") | tonumber
      | if . == floor and (. > 9007199254740991 or . < -9007199254740991) then null else . end
    else null end;
  def parsed:
    if $form == "json" then (if test("\\\\S") then fromjson else error("it is empty") end)
    else split("\\n") | map(select(test("\\\\S")) | fromjson) end;
  def picked: reduce ($path | fromjson)[] as $key (parsed;
    if type == "array" and ($key | type) == "number" and $key < length and $key >= -length then .[$key]
    elif type == "object" and has($key | tostring) then .[$key | tostring]
    else error("it has no element \\($key)") end);
  def equals:
    if (type == "number" or $numeric == "yes") and as_number != null and ($expected | as_number) != null
    then as_number == ($expected | as_number) else as_text == $expected end;
  def holds:
    if type == "array" then (if $expected == "" then length > 0 else any(.[]; equals) end)
    elif type == "object" then error("it is neither a text nor a list")
    else as_text | if $expected == "" then . != "" else contains($expected) end end;
  def needed: as_number // error("it is not a number");
  def compared:
    if $compare == "eq" then equals
    elif $compare == "le" then needed <= ($expected | needed)
    elif $compare == "ge" then needed >= ($expected | needed)
    elif $compare == "has" then holds
    else holds | not end;'

# VARIABLE AS FROM PATH: a recorded null is nothing that could be used.
note_json() {
  [[ -z $failure && $skipped == no && $is_done == no ]] || return 0
  local value found
  take_part "$3"
  found=$(use_json "$value" "$2" "$4" '' '' '' 'picked | if . == null then "null" else "=" + as_text + "." end' 2>&1) ||
    { failure="its answer cannot be read: $found" && return 0; }
  noted+=("$1")
  if [[ $found == null ]]; then unset -v "$1"; else found=\${found#=} && printf -v "$1" %s "\${found%.}"; fi
}

# COMPARE EXPECTED NUMERIC AS FROM PATH
json_is() {
  local value found status=0
  take_part "$5"
  found=$(use_json "$value" "$4" "$6" "$1" "$2" "$3" 'picked | as_text, compared' -e) || status=$?
  printf %s "\${found%$'\\n'*}"
  ((status < 2)) || status=2
  return "$status"
}

# TEXT AS PATH COMPARE EXPECTED NUMERIC PROGRAM [OPTION]
use_json() {
  printf %s "$1" | jq -Rsr "\${@:8}" --arg form "$2" --arg path "$3" --arg compare "$4" --arg expected "$5" --arg numeric "$6" "$json_words $7"
}
`;
