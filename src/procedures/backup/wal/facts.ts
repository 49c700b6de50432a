import { z } from "zod";
import { command } from "../../../runbook/action.ts";
import { absent, readText } from "../../../stack/files.ts";
import type { PgBackRest } from "../../../stack/pgbackrest.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader } from "../../procedure.ts";
import { type Running, readRunning } from "../../running.ts";
import {
  WalArchivedElsewhere,
  WalNotConfigured,
  WalNotSetUp,
  WalProgramMissing,
  WalRepositoryAway,
  WalRepositoryMissing,
  WalRepositoryUnreadable,
  WalUnsupported,
} from "./errors.ts";
import { requireTogether } from "./together.ts";

/** What the plans of the archive depend on: the server's own settings, and what the repository says of itself. */

const serverRow = z.object({
  version: z.string(),
  dataDirectory: z.string(),
  segmentBytes: z.number(),
  walLevel: z.string(),
  archiveMode: z.string(),
  archiveCommand: z.string(),
  databaseBytes: z.number(),
});
export type WalServer = z.infer<typeof serverRow>;

const serverSql = `
select json_build_object(
  'version', current_setting('server_version_num')::int / 10000 || '',
  'dataDirectory', current_setting('data_directory'),
  'segmentBytes', (select setting::bigint from pg_settings where name = 'wal_segment_size'),
  'walLevel', current_setting('wal_level'),
  'archiveMode', current_setting('archive_mode'),
  'archiveCommand', case when current_setting('archive_command') = '(disabled)' then '' else current_setting('archive_command') end,
  'databaseBytes', (select sum(pg_database_size(oid)) from pg_database));
`;

export interface SetupFacts {
  readonly server: WalServer;
  readonly running: Running;
  /** Whether anything lies in the repository's place, and whether it has an archive of this server. */
  readonly isFolderThere: boolean;
  readonly hasStanza: boolean;
  /** What the files say that will be written, undefined where there is none. */
  readonly before: { readonly configuration: string | undefined; readonly settings: string | undefined };
}

export function requirePgBackRest(stack: Stack): PgBackRest {
  if (stack.config.backup?.wal === undefined) throw WalNotConfigured({ stack: stack.name });
  if (stack.pgbackrest === undefined) throw WalUnsupported({ stack: stack.name });
  return stack.pgbackrest;
}

export async function readServer(reader: FactReader): Promise<WalServer> {
  return serverRow.parse(await reader.json(reader.stack.postgres.query("postgres", serverSql)));
}

export function isArchiving({ archiveMode, archiveCommand }: WalServer, pgbackrest: PgBackRest): boolean {
  return archiveMode !== "off" && archiveCommand === pgbackrest.archiveCommand;
}

export async function readSetupFacts(reader: FactReader): Promise<SetupFacts> {
  const { stack } = reader;
  const pgbackrest = requirePgBackRest(stack);
  await requireProgram(reader);
  const server = await readServer(reader);
  const { repository, settings: configured } = pgbackrest;
  const folders = [server.dataDirectory, pgbackrest.folder, ...(repository.isFolder ? [configured.repository] : [])];
  await requireTogether(reader, folders);
  const isOurs = server.archiveCommand.includes(pgbackrest.folder);
  if (server.archiveMode !== "off" && server.archiveCommand !== "" && !isOurs)
    throw WalArchivedElsewhere({ command: server.archiveCommand });
  const [running, folderCode, stanzaCode, configuration, settings] = await Promise.all([
    readRunning(reader),
    reader.exitCode(command(stack.tools, ["test", "-e", configured.repository], { okExitCodes: [0, 1] })),
    reader.exitCode(pgbackrest.hasStanza().action),
    readFile(reader, pgbackrest.configurationFile),
    readFile(reader, pgbackrest.serverFile),
  ]);
  const isFolderThere = folderCode === 0;
  return { server, running, isFolderThere, hasStanza: stanzaCode === 0, before: { configuration, settings } };
}

async function requireProgram({ stack, exitCode }: FactReader): Promise<void> {
  const code = await exitCode(
    command(stack.tools, ["sh", "-c", "command -v pgbackrest >/dev/null"], { okExitCodes: [0, 1, 127] }),
  );
  if (code !== 0) throw WalProgramMissing({ where: "among the tools of the stack" });
}

async function readFile(reader: FactReader, path: string): Promise<string | undefined> {
  const printed = await reader.text(readText(reader.stack.tools, path));
  return printed === absent ? undefined : printed;
}

const infoRow = z.array(
  z.object({
    status: z.object({ code: z.number(), message: z.string() }),
    repo: z.array(z.object({ status: z.object({ message: z.string() }) })).default([]),
    archive: z.array(z.object({ id: z.string(), min: z.string().nullable(), max: z.string().nullable() })).default([]),
    backup: z
      .array(
        z.object({
          label: z.string(),
          type: z.enum(["full", "diff", "incr"]),
          error: z.boolean().nullable(),
          timestamp: z.object({ start: z.number(), stop: z.number() }),
          archive: z.object({ start: z.string(), stop: z.string() }),
          info: z.object({ size: z.number(), repository: z.object({ delta: z.number() }) }),
        }),
      )
      .default([]),
  }),
);

export interface Archive {
  /** Oldest first. */
  readonly backups: readonly BaseBackup[];
  readonly newestSegment: string | undefined;
}

export interface BaseBackup {
  readonly label: string;
  readonly type: "full" | "diff" | "incr";
  /** Seconds since 1970. An instant before its end cannot be reached from it. */
  readonly startedAt: number;
  readonly stoppedAt: number;
  readonly databaseBytes: number;
  readonly storedBytes: number;
  /** The segment that it ends in. */
  readonly lastSegment: string;
}

/** `info` ends with 0 whatever it finds: 1 and 2 mean that there is no archive or no backup, everything else that it cannot be read. */
export async function readArchive(reader: FactReader): Promise<Archive> {
  const pgbackrest = requirePgBackRest(reader.stack);
  const [stanza] = infoRow.parse(await reader.json(pgbackrest.info()));
  if (stanza === undefined || stanza.status.code === 1 || stanza.status.code === 3) throw WalRepositoryMissing({});
  if (stanza.status.code !== 0 && stanza.status.code !== 2) throw unreadable(stanza.repo[0]?.status.message ?? "");
  return {
    backups: stanza.backup
      .filter(({ error }) => error !== true)
      .map(({ label, type, timestamp, info, archive }) => ({
        label,
        type,
        startedAt: timestamp.start,
        stoppedAt: timestamp.stop,
        databaseBytes: info.size,
        storedBytes: info.repository.delta,
        lastSegment: archive.stop,
      })),
    newestSegment: stanza.archive.at(-1)?.max ?? undefined,
  };
}

/** Its kind of error is all that `info` says of why. */
function unreadable(reason: string): Error {
  const isAway = /^\[(HostConnect|Protocol)Error\]|unable to (find hostname|verify certificate)/.test(reason);
  return isAway ? WalRepositoryAway({ output: `ERROR: ${reason.split("\n")[0]}` }) : WalRepositoryUnreadable({});
}

/** For whatever needs a server that archives where the configuration says. */
export async function requireArchiving(reader: FactReader): Promise<WalServer> {
  const pgbackrest = requirePgBackRest(reader.stack);
  await requireProgram(reader);
  const server = await readServer(reader);
  if (!isArchiving(server, pgbackrest)) throw WalNotSetUp({ stack: reader.stack.name });
  return server;
}
