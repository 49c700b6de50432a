import { type CommandAction, command } from "../runbook/action.ts";
import type { Text } from "../runbook/value.ts";
import { ledgerScript, type Placing } from "./placing.ts";
import type { Runtime } from "./runtime/runtime.ts";

/** A PostgreSQL cluster as another one was made: with its encoding, locale, checksums and segments. */
export interface Shape {
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** The locale of ICU, of a server whose own templates have one. */
  readonly icu: string | null;
  readonly checksums: boolean;
  readonly segmentBytes: number;
  /** What ALTER SYSTEM had set. */
  readonly settings: Readonly<Record<string, string>>;
}

/** The words of initdb, without the folder. */
export function initialise(runtime: Runtime, superuser: string, shape: Shape): readonly string[] {
  return [
    runtime.postgres.program("initdb"),
    ...[`--username=${superuser}`, "--auth=peer", `--encoding=${shape.encoding}`],
    ...[`--lc-collate=${shape.collate}`, `--lc-ctype=${shape.ctype}`, "--no-instructions"],
    ...(shape.icu === null ? [] : ["--locale-provider=icu", `--icu-locale=${shape.icu}`]),
    ...(shape.checksums ? ["--data-checksums"] : []),
    ...(shape.segmentBytes === 16 * 1024 * 1024 ? [] : [`--wal-segsize=${shape.segmentBytes / (1024 * 1024)}`]),
  ];
}

/** What `postgresql.auto.conf` says, as PostgreSQL reads it. */
export function autoSettings({ settings }: Pick<Shape, "settings">): string {
  return Object.entries(settings)
    .toSorted(([one], [other]) => one.localeCompare(other))
    .map(([name, value]) => `${name} = '${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'\n`)
    .join("");
}

/**
 * Makes the cluster's data folder, aside and renamed. Debian keeps a server's configuration elsewhere: the files that initdb leaves for
 * it would only mislead.
 */
export function makeCluster(
  placing: Placing,
  runtime: Runtime,
  { data, superuser, shape }: { readonly data: Text; readonly superuser: string; readonly shape: Shape },
): CommandAction {
  const { host, ledger, suffix } = placing;
  const { user } = runtime.postgres;
  const words = runtime.as(user, initialise(runtime, superuser, shape) as unknown as readonly [string, ...string[]]);
  const script = `${ledgerScript}${makeScript}`;
  return command(host, ["sh", "-c", script, "make", ledger, suffix, data, user, autoSettings(shape), ...words], {
    exitCodes: { 28: "backup.disk_full" },
  });
}

const makeScript = `
take_place
trap 'end $?' EXIT
user=$1 settings=$2
shift 2
if ! is_there "$target"; then
  rm -rf --one-file-system -- "$target.partial$suffix"
  install -d -m 0700 -o "$user" -g "$(id -gn "$user")" -- "$target.partial$suffix"
  (cd / && "$@" --pgdata="$target.partial$suffix" >/dev/null)
  rm -f -- "$target.partial$suffix/postgresql.conf" "$target.partial$suffix/pg_hba.conf" "$target.partial$suffix/pg_ident.conf"
  printf '%s' "$settings" >> "$target.partial$suffix/postgresql.auto.conf"
  mv -T -- "$target.partial$suffix" "$target"
fi
`;
