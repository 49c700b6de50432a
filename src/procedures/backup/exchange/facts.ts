import { z } from "zod";
import type { DumpFile } from "../../../stack/dump-file.ts";
import { parseHeader, readHead } from "../../../stack/dump-file.ts";
import type { Locale } from "../../../stack/scratch.ts";
import type { FactReader } from "../../procedure.ts";
import { countCores, jobsOf, readFolder, requireSpace } from "../facts.ts";
import { FileAbsent, FileNewerServer, FileUnknown } from "./errors.ts";

/** A file that is to be restored, as far as it can be told before it is read. */
export interface FileFacts extends Omit<DumpFile, "path"> {
  readonly file: string;
  readonly bytes: number;
  /** When it was last written, seconds of the epoch: another file under the same name is another plan. */
  readonly writtenAt: number;
  /** Undefined: no database serves now. */
  readonly present: Present | undefined;
  /** `19.0`, as the stack's Odoo says. */
  readonly series: string;
  readonly jobs: number;
}

export interface Present extends Locale {
  /** Extensions that an owner alone cannot make: whoever runs the server wanted them. */
  readonly extensions: readonly string[];
}

const serverRow = z.object({
  version: z.number(),
  server: z.string(),
  collate: z.string().nullable(),
  ctype: z.string().nullable(),
});

type Server = z.infer<typeof serverRow>;

/** Asked of the server, because the database may be what is missing. */
const serverSql = `
select json_build_object('version', current_setting('server_version_num')::int, 'server', current_setting('server_version'),
    'collate', (select datcollate from pg_database where datname = :'database'),
    'ctype', (select datctype from pg_database where datname = :'database'));
`;

const extensionsSql = `
select coalesce(json_agg(extname order by extname), '[]')
  from pg_extension e join pg_available_extension_versions v on v.name = e.extname and v.version = e.extversion
  where not v.trusted;
`;

export async function readFileFacts(reader: FactReader, file: string): Promise<FileFacts> {
  const { stack } = reader;
  const lines = (await reader.text(readHead(stack.host, file))).split("\n");
  if (lines[0] === "absent") throw FileAbsent({ file, host: stack.host });
  const [bytes = 0, writtenAt = 0] = (lines[0] ?? "").split(" ").map(Number);
  const [head, unzipped] = [Buffer.from(lines[1] ?? "", "base64"), Buffer.from(lines[2] ?? "", "base64")];
  const header = parseHeader(head, unzipped);
  if (header === undefined) throw FileUnknown({ file });
  const own = await readServer(reader);
  requireOlder(file, header.server, own);
  const { kind, isGzipped } = header;
  const work = await readFolder(reader, stack.config.workDirectory);
  requireSpace("The restore", stack.config.workDirectory, spaceOf(header, bytes), work.freeBytes);
  return {
    ...{ file, bytes, writtenAt, kind, isGzipped },
    present: await readPresent(reader, own),
    series: /(\d+\.\d+)/.exec(await reader.text(stack.odoo.version()))?.[1] ?? "unknown",
    jobs: jobsOf(stack.config, await countCores(reader)),
  };
}

export async function readServer({ stack, json }: FactReader): Promise<Server> {
  const { database } = stack.config.odoo;
  return serverRow.parse(await json(stack.postgres.query("postgres", serverSql, { database })));
}

export async function readPresent(reader: FactReader, { collate, ctype }: Server): Promise<Present | undefined> {
  if (collate === null || ctype === null) return undefined;
  const { postgres, config } = reader.stack;
  const found = await reader.json(postgres.query(config.odoo.database, extensionsSql));
  return { collate, ctype, extensions: z.array(z.string()).parse(found) };
}

function requireOlder(file: string, from: string | undefined, own: { version: number; server: string }): void {
  const major = Number.parseInt(from ?? "", 10);
  if (major > Math.floor(own.version / 10_000)) throw FileNewerServer({ file, server: from ?? "", own: own.server });
}

/** Texts are packed to about a fifth; the database is loaded and copied, with its indexes, and dumped once. */
function spaceOf({ kind, isGzipped }: Pick<FileFacts, "kind" | "isGzipped">, bytes: number): number {
  const isPacked = kind !== "sql" || isGzipped;
  return (isPacked ? 5 : 1) * 3.5 * bytes + 200_000_000;
}
