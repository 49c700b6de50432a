import type { ComposeProject } from "../../config/schema.ts";
import type { CommandAction } from "../../runbook/action.ts";
import { composeScript, versionMin } from "./compose-program.ts";

/** What a project's file says and what is there of it, side by side. Only reads. */

/** Everything that `parseState` needs, in one command. */
export function readState(host: string, project: ComposeProject): CommandAction {
  return composeScript(host, project, stateScript, project.project, listed, container);
}

export interface ProjectState {
  /** Of Compose; asked for only when something is not as it should be. */
  readonly version: string | undefined;
  readonly services: readonly ServiceState[];
  readonly containers: readonly ContainerState[];
  /** Ids of images by the names that containers were made from; undefined when there is no image of that name any more. */
  readonly images: ReadonlyMap<string, string | undefined>;
}

export interface ServiceState {
  readonly name: string;
  /** Hashes of its definition, in the ways that Compose may have noted it. */
  readonly hashes: readonly string[];
  /** Under a profile that is active, or under none. */
  readonly isActive: boolean;
  /** The file wants no container of it: `scale: 0`. */
  readonly isIdle: boolean;
}

export interface ContainerState {
  readonly name: string;
  /** Undefined when it only says that it belongs to the project. */
  readonly service: string | undefined;
  readonly hash: string | undefined;
  /** Version of the Compose that made it. */
  readonly version: string | undefined;
  readonly imageId: string;
  readonly image: string;
}

/** Throws a TypeError for what the script does not print: words of another number, or none where there must be one. */
export function parseState(text: string): ProjectState {
  const rows = text.split("\n").flatMap((line) => (line === "" ? [] : [parseRow(line)]));
  const of = (kind: string) => rows.filter(([first]) => first === kind).map(([, ...words]) => words);
  const idle = new Set(of("idle").map(([name]) => name));
  const active = new Set(of("service").map(([name]) => name));
  const hashes = [...of("service"), ...of("other"), ...of("also")];
  const names = new Set([...of("service"), ...of("other")].map(([name = ""]) => name));
  return {
    version: of("compose")[0]?.[0],
    services: [...names].map((name) => ({
      name,
      hashes: hashes.filter(([service]) => service === name).map(([, hash = ""]) => hash),
      isActive: active.has(name),
      isIdle: idle.has(name),
    })),
    containers: of("container").map(([name = "", service, hash, version, imageId = "", image = ""]) => ({
      name: name.replace(/^\//, ""),
      service: known(service),
      hash: known(hash),
      version: known(version),
      imageId,
      image,
    })),
    images: new Map(of("image").map(([name = "", id]) => [name, known(id)])),
  };
}

/** Numbers of words, the kind of line among them. */
const lengths: Readonly<Record<string, number>> = {
  ...{ container: 7, image: 3, compose: 2, idle: 2 },
  ...{ service: 3, other: 3, also: 3 },
};

function parseRow(line: string): readonly string[] {
  const words = line.split("\t");
  if (words.length !== lengths[words[0] ?? ""] || words.includes(""))
    throw new TypeError(`"${line}" says nothing of a project`);
  return words;
}

function known(given: string | undefined): string | undefined {
  return given === "-" ? undefined : given;
}

const label = (name: string) => `com.docker.compose.${name}`;
const labelOrDash = (name: string) => `{{with index .Config.Labels "${label(name)}"}}{{.}}{{else}}-{{end}}`;

/** Containers of `docker compose run` come and go, and belong to nothing that the file says. */
const listed = `{{.ID}} {{.Label "${label("oneoff")}"}}`;

const container = [
  "container",
  "{{.Name}}",
  ...["service", "config-hash", "version"].map(labelOrDash),
  ...["{{.Image}}", "{{.Config.Image}}"],
].join('{{"\\t"}}');

/**
 * Prints lines of words between tabs. One call of Compose is enough while all is well.
 *
 * A hash that differs is not yet another definition. Compose notes the definition with its env_file read, but from 2.22.0 to 5.4.0
 * `config --hash` does not read it; what `config` prints has it, and is hashed once more. Before 2.29.3 a container that was made
 * with `--no-deps` is noted without what it depends on. Both concern version 2 alone, which takes back what it printed.
 */
const stateScript = `
ids=$(docker ps --all --filter "label=com.docker.compose.project=$1" --format "$2" |
  while read -r id oneoff; do [ "$oneoff" = True ] || echo "$id"; done)
made=
[ -z "$ids" ] || made=$(docker container inspect --format "$3" $ids)
said=$(compose config --hash '*') || { need ${versionMin}; exit 97; }
[ -n "$said" ] || need ${versionMin}

with_all_profiles() {
  profiles=$(compose config --profiles | paste -s -d , -)
  [ -z "$profiles" ] || export COMPOSE_PROFILES="$profiles"
}
hashes_as() { tr ' ' '\\t' | sed "s/^/$1\\t/"; }
services=$(cut -d ' ' -f 1 <<<"$said" | sort)
having=$(cut -f 3 <<<"$made" | sort -u)
others=
if [ -n "$(comm -13 <(echo "$services") <(echo "$having"))" ]; then
  with_all_profiles
  others=$(compose config --hash '*')
fi
missing=$(comm -23 <(echo "$services") <(echo "$having"))
unlike=$(comm -23 <(cut -f 3,4 --output-delimiter ' ' <<<"$made" | sort -u) <(printf '%s\\n' "$said" "$others" | sort))

printf '%s\\n' "$made"
[ -z "$said" ] || hashes_as service <<<"$said"
[ -z "$others" ] || hashes_as other <<<"$others"

# What \`config\` prints has the name of a service after two spaces, its keys after four, and the keys of those after six.
idle() {
  awk '/^[^ ]/ { inside = /^services:/ } !inside { next }
    /^  [^ ]/ { name = $1; gsub(/[":]/, "", name) } /^    [^ ]/ { deploy = /^    deploy:/ }
    /^    scale: 0$/ || deploy && /^      replicas: 0$/ { print "idle\\t" name }'
}
independent() { awk '/^    depends_on:/ { skip = 1; next } /^ ? ? ? ?[^ ]/ { skip = 0 } !skip'; }
hashed_again() { "\${program[@]}" "\${project[@]}" --file - config --hash '*' | hashes_as also; }
if [ -n "$missing$unlike" ]; then
  installed
  printf 'compose\\t%s\\n' "$found"
  with_all_profiles
  whole=$(compose config)
  printf '%s\\n' "$whole" | idle
  case $found in
    1.*) ;;
    *)
      printf '%s\\n' "$whole" | hashed_again
      printf '%s\\n' "$whole" | independent | hashed_again
      ;;
  esac
fi

cut -f 7 <<<"$made" | sort -u | while read -r image; do
  [ -n "$image" ] || continue
  id=$(docker image inspect --format '{{.Id}}' "$image" 2>&1) || case $id in
    *[Nn]'o such image'*) id=- ;;
    *) printf '%s\\n' "$id" >&2; exit 4 ;;
  esac
  printf 'image\\t%s\\t%s\\n' "$image" "$id"
done
`;
