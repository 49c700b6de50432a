import type { Act } from "../../../runbook/plan.ts";
import {
  canRecordMigrations,
  isMigrated,
  type MigrationFile,
  type MigrationGround,
  type MigrationScript,
  prepareMigrations,
  type RecordedMigration,
  runMigration,
  toScript,
} from "../../../stack/odoo/migrations.ts";
import type { Odoo } from "../../../stack/odoo/odoo.ts";
import { change } from "../../steps.ts";
import { MigrationChanged, ScriptsUnreadable } from "./errors.ts";

/** The user's own scripts: which there are, which a database still has to have, and the steps that run them. Pure. */

/** Of the source repository: `migrations/18_to_19`. */
export function folderOf(from: string, to: string): string {
  const short = (series: string) => series.replace(/\.0$/, "");
  return `migrations/${short(from)}_to_${short(to)}`;
}

/** In the order of their numbers. What is neither SQL nor Python may lie beside them; what is and cannot be taken is refused, not left out. */
export function orderScripts(folder: string, files: readonly MigrationFile[]): readonly MigrationScript[] {
  const meant = files.filter(({ name }) => /\.(sql|py)$/.test(name));
  const numberOf = (name: string) => Number(/^(\d+)_\w[\w.-]*\.(?:sql|py)$/.exec(name)?.[1] ?? Number.NaN);
  const faults = meant.flatMap(({ name, text }, index) => {
    const number = numberOf(name);
    if (Number.isNaN(number)) return [`${name} has no number`];
    const twin = meant.slice(0, index).find((other) => numberOf(other.name) === number);
    if (twin !== undefined) return [`${twin.name} and ${name} have one number`];
    if (text === null) return [`${name} is no text`];
    return text.length > sizeMax ? [`${name} is larger than ${sizeMax} characters`] : [];
  });
  if (faults.length > 0) throw ScriptsUnreadable({ faults: faults.join("; ") });
  return meant
    .toSorted((one, other) => numberOf(one.name) - numberOf(other.name))
    .map(({ name, text }) => toScript(`${folder.split("/").at(-1)}/${name}`, text ?? ""));
}

/** A plan holds what will run: larger things are data, which a script can load from a file. */
const sizeMax = 1_000_000;

/** Those that the database has not had. One that it had with another text is refused. */
export function stillToRun(
  scripts: readonly MigrationScript[],
  recorded: readonly RecordedMigration[],
): readonly MigrationScript[] {
  const had = new Map(recorded.map(({ name, checksum }) => [name, checksum]));
  const changed = scripts.filter(({ name, checksum }) => had.has(name) && had.get(name) !== checksum);
  if (changed.length > 0) throw MigrationChanged({ scripts: changed.map(({ name }) => name).join(", ") });
  return scripts.filter(({ name }) => !had.has(name));
}

/** A step for each, so that one that was killed goes on with the next. Taken back with the copy that they are run in. */
export function runScripts(
  odoo: Odoo,
  config: string,
  ground: MigrationGround,
  scripts: readonly MigrationScript[],
): readonly Act[] {
  if (scripts.length === 0) return [];
  return [
    change(
      {
        id: "migrations",
        title: "Make a place in the database for records of migrations",
        action: prepareMigrations(ground),
      },
      { verify: [canRecordMigrations(ground)] },
    ),
    ...scripts.map((script) => {
      const isDone = isMigrated(ground, script);
      return change(
        {
          id: `migrate ${script.name.split("/").at(-1)}`,
          title: `Run ${script.name}`,
          action: runMigration(odoo, config, ground, script),
        },
        { done: isDone, verify: [isDone], timeoutSeconds: 12 * 3600, forecastSeconds: 2 },
      );
    }),
  ];
}
