import { z } from "zod";
import type { StackConfig } from "../../../config/schema.ts";
import { command } from "../../../runbook/action.ts";
import { isFolder } from "../../../stack/restic.ts";
import { primary } from "../../../stack/sources.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader } from "../../procedure.ts";

/** Where repositories are: what of them would be left without this machine, or without its disk. */

const place = z.object({ path: z.string(), device: z.string(), kind: z.string() });
const places = z.array(place);

export interface Places {
  /** Repositories that would be left without the machine, by name. */
  readonly away: readonly string[];
  readonly isArchiveAway: boolean;
  /** The first repository, or the archive, is on the file system of what it keeps; null when that could not be found out. */
  readonly isOnSameDisk: boolean | null;
  /** The folder of the first repository has one in it. A repository that is no folder is taken to be there: it is asked by whoever reads it. */
  readonly isRepositoryThere: boolean;
  readonly hasBase: boolean;
}

/** A folder on another machine, as the kernel names file systems that are reached by a network. */
const networks = /^(nfs|cifs|smb|fuse|ceph|gfs|gpfs|lustre|afs|9p|v9fs)/;

/** Undefined: the host could not be asked. */
export async function readPlaces(reader: FactReader): Promise<Places | undefined> {
  const { stack, json, maybe } = reader;
  const { config, tools } = stack;
  const { backup } = config;
  if (backup === undefined) return undefined;
  const folders = [
    config.odoo.dataDirectory,
    backup.repository,
    ...(backup.wal === undefined ? [] : [backup.wal.repository]),
    ...stack.copies.map(({ repository }) => repository),
  ].filter(isFolder);
  const script = ["sh", "-c", placesScript, "places", backup.repository, ...folders] as const;
  const [answer, base] = await Promise.all([maybe(json(command(tools, script))), hasBase(reader)]);
  if (answer === undefined) return undefined;
  return judgePlaces(stack, { base, ...z.object({ repository: z.boolean(), places }).parse(answer) });
}

/** A full base backup; what cannot be asked has none that could be relied on. */
async function hasBase({ stack: { pgbackrest }, text, maybe }: FactReader): Promise<boolean> {
  const names = pgbackrest === undefined ? "" : await maybe(text(pgbackrest.repository.listBackups()));
  return /^\d{8}-\d{6}F$/m.test(names ?? "");
}

/** A folder that is not there yet lies where it would be made. */
const placesScript = `
repository=$1
shift
there=true
case $repository in /*) [ -e "$repository/config" ] || there=false ;; esac
for path; do
  at=$path
  while [ ! -e "$at" ]; do at=$(dirname -- "$at"); done
  jq -cn --arg path "$path" --arg device "$(stat --format=%d -- "$at")" --arg kind "$(stat --file-system --format=%T -- "$at")" '$ARGS.named'
done | jq -cs --argjson repository "$there" '{repository: $repository, places: .}'
`;

interface Found {
  readonly repository: boolean;
  readonly base: boolean;
  readonly places: readonly z.infer<typeof place>[];
}

export function judgePlaces(stack: Pick<Stack, "config">, found: Found): Places {
  const { backup, odoo } = stack.config;
  const at = (path: string | undefined) => found.places.find((one) => one.path === path);
  const data = at(odoo.dataDirectory);
  const isAway = (repository: string, offsite: boolean | undefined) =>
    offsite ?? (isFolder(repository) ? networks.test(at(repository)?.kind ?? "") : isOtherMachine(repository));
  const shares = (path: string | undefined) => {
    if (path === undefined || !isFolder(path)) return false;
    const one = at(path);
    return one === undefined || data === undefined ? null : one.device === data.device;
  };
  const isPrimaryAway = backup !== undefined && isAway(backup.repository, backup.offsite);
  const shared = [shares(backup?.repository), shares(backup?.wal?.repository)];
  return {
    away: [
      ...(isPrimaryAway ? [primary] : []),
      ...Object.entries(backup?.copies ?? {}).flatMap(([name, copy]) =>
        isAway(copy.repository, copy.offsite) ? [name] : [],
      ),
    ],
    isArchiveAway: isPrimaryAway && backup.wal !== undefined && isAway(backup.wal.repository, backup.offsite),
    isOnSameDisk: shared.includes(true) ? true : shared.includes(null) ? null : false,
    isRepositoryThere: found.repository,
    hasBase: found.base,
  };
}

/** An address of restic's names another machine, unless it names this one. */
export function isOtherMachine(repository: string): boolean {
  const [, kind = "", rest = ""] = /^(\w+):(.*)$/.exec(repository) ?? [];
  const [host = ""] = rest
    .replace(/^https?:/, "")
    .replace(/^\/\//, "")
    .replace(/^[^@/]*@/, "")
    .split(/[/:](?![^[]*\])/);
  return kind !== "local" && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);
}

/** What was promised, as the configuration says it. */
export function promisesOf({ objectives, health }: StackConfig) {
  return { objectives, proof: health.proof, drill: health.drill };
}
