import { z } from "zod";
import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import { idOf, tagOf, type UsedImage } from "./images.ts";

/** The images of a project that have the name of a commit, of all the releases that there ever were. */

export interface CommitImage {
  /** `company/odoo:ipai-0123456789ab` */
  readonly tag: string;
  /** Containers that are made of it, running or not, of whatever project. */
  readonly containers: readonly string[];
}

/** Prints lines for `parseCommitImages`. */
export function listCommitImages(host: string, images: readonly Pick<UsedImage, "name">[]): CommandAction {
  const patterns = [...new Set(images.map((image) => tagOf(image, "*")))];
  return command(host, ["sh", "-c", listScript, "list", ...patterns]);
}

const line = z.tuple([z.string(), z.string()]);

export function parseCommitImages(text: string): readonly CommitImage[] {
  const lines = text.split("\n").filter((one) => one !== "");
  const all = lines.map((one) => {
    const [tag, containers] = line.parse(one.split("\t"));
    return { tag, containers: containers === "-" ? [] : containers.split(" ") };
  });
  return all.filter(({ tag }) => /:ipai-[0-9a-f]{12}$/.test(tag)).toSorted((a, b) => (a.tag < b.tag ? -1 : 1));
}

/** The first so many digits of its commit. */
export function commitOf({ tag }: CommitImage): string {
  return tag.slice(-12);
}

/** Of one that a container is made of by now only says so. */
export function removeCommitImage(host: string, tag: string): CommandAction {
  return command(host, ["sh", "-c", removeScript, "remove", tag], { exitCodes: { 9: "image.in_use" } });
}

export function isRemoved(host: string, tag: string): Probe {
  return {
    title: `there is no ${tag}`,
    action: command(host, ["sh", "-c", absentScript, "ask", tag], { okExitCodes: [0, 1] }),
    output: { from: "exitCode", as: "number" },
    compare: "eq",
    with: 0,
    code: "image.not_in_place",
  };
}

/** Of those whose image is built upon another only the upper one counts, so an engine's own filter by ancestor would be too much. */
const madeOf = `${idOf}
made() { # lines of an image's id and a container's name
  all=$(docker ps --all --quiet --no-trunc) || return
  [ -z "$all" ] || docker container inspect --format '{{.Image}} {{.Name}}' $all
}
of() { printf '%s\\n' "$1" | awk -v id="$2" '$1 == id { printf "%s%s", sep, substr($2, 2); sep = " " }'; }
`;
const listScript = `${madeOf}
made=$(made) || exit 4
for pattern; do
  tags=$(docker image ls --filter "reference=$pattern" --format '{{.Repository}}:{{.Tag}}') || exit 4
  for tag in $tags; do
    id=$(id_of image '{{.Id}}' "$tag") || exit
    containers=$(of "$made" "$id")
    printf '%s\\t%s\\n' "$tag" "\${containers:--}"
  done
done
`;
const removeScript = `${madeOf}
made=$(made) && id=$(id_of image '{{.Id}}' "$1") || exit 4
containers=$(of "$made" "$id")
if [ -n "$containers" ]; then echo "$containers: made of $1" >&2; exit 9; fi
docker image rm "$1"
`;
const absentScript = `${idOf}
id=$(id_of image '{{.Id}}' "$1") || exit
[ -z "$id" ]
`;
