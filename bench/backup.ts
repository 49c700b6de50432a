import type { Bench } from "./bench.ts";
import { median } from "./bench.ts";

/**
 * Backups and ways back, against the commands of the runbook that this program comes from, both on the same data: a database of Odoo with
 * more than 150,000 invoices. What is compared is whole commands, as somebody would run them.
 */

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 3);

interface Pair {
  readonly ours: number;
  readonly theirs: number;
}

type Row = "first" | "daily" | "second" | "logical" | "restore" | "undo";
type Figures = Readonly<Record<Row, readonly Pair[]>> & { readonly about: string; readonly way: string };

let figures: Promise<Figures> | undefined;

/** All rows come from the same rounds, so that the database is brought up once. */
function measureAll(): Promise<Figures> {
  figures ??= import("./backup/rounds.ts").then(({ playRounds }) => playRounds(rounds));
  return figures;
}

function bench(row: Row, goal: number, unit: "s" | "MB", title: string): Bench {
  let told = "";
  return {
    name: `backup-${row}`,
    title,
    unit: "ratio",
    goal,
    isLong: true,
    measure: async () => {
      const { about, way, ...rows } = await measureAll();
      const pairs = rows[row];
      const side = (of: keyof Pair) => median(pairs.map((pair) => pair[of]).toSorted((a, b) => a - b)).toFixed(1);
      told = `${side("ours")} ${unit} to ${side("theirs")} ${unit}${row === "restore" ? `, by restoring ${way}` : ""}; ${about}`;
      return pairs.map(({ ours, theirs }) => ours / theirs);
    },
    explain: () => told,
  };
}

export const backupBenches: readonly Bench[] = [
  bench("first", 0.8, "s", "the first `ipai backup` (encrypted, manifest, checksums, filestore) to `pg_dump | gzip`"),
  bench("daily", 0.8, "s", "`ipai backup` of the next day, 0.5 % of the invoices changed, to `pg_dump | gzip`"),
  bench("second", 0.3, "MB", "kept for the next daily backup, 0.5 % of the invoices changed, to the next .sql.gz"),
  bench("logical", 0.8, "s", "from the repository into a scratch database to `gunzip | psql`"),
  bench("restore", 0.4, "s", "from the repository to a serving database to `gunzip | psql` and a restart"),
  bench("undo", 0.2, "s", "undo of a failed upgrade to `gunzip | psql` and a restart"),
];
