import { beginOf, endOf, type FreezeWindow } from "../../config/deployments.ts";
import type { ErrorRecord } from "../../errors/error.ts";
import type { Override } from "../../runbook/plan.ts";
import type { ActiveUsers } from "../../stack/odoo/active-users.ts";
import type { Judgement, Status } from "../monitoring/check.ts";
import { ticked } from "./checklist-findings.ts";
import { short } from "./code.ts";
import { ChecklistRed, NotRehearsed } from "./errors.ts";
import type { DeployFacts } from "./facts.ts";
import type { Rehearsal } from "./rehearsal.ts";

/**
 * What the runbook asks 24 hours and one hour before a deployment, ticked from evidence. Pure: what was found out becomes a list. `fail`
 * holds a deployment up, unless two people go on in spite of it.
 */

export interface Tick {
  /** Permanent: `IPAI-DEPLOY-007`. */
  readonly code: string;
  readonly title: string;
  readonly status: Status;
  /** What was found. */
  readonly text: string;
  /** What to do about it; null when all is well. */
  readonly next: string | null;
}

/** What becomes of users: nothing, they wait while services start, or they are kept out while the database changes. */
export type Way = "rolled" | "waiting" | "closed";

export type ReleaseFound =
  | { readonly facts: DeployFacts; readonly rehearsal: Rehearsal | undefined; readonly mustBeRehearsed: boolean }
  /** Why it would be refused, whatever is overridden. */
  | { readonly refusal: ErrorRecord };

/** What may be otherwise an hour later. */
export interface Moment {
  readonly way: Way;
  readonly now: Date;
  /** When the deployment begins. */
  readonly at: Date;
  readonly timezone: string;
  /** Undefined: no repository is configured. */
  readonly backup: { readonly proven: { readonly id: string; readonly takenAt: string } | undefined } | undefined;
  readonly freshSeconds: number;
  readonly disk: Judgement;
  /** Undefined: it could not be told. */
  readonly users: ActiveUsers | undefined;
  readonly usersHold: "warn" | "fail";
  readonly freeze: readonly FreezeWindow[];
}

export function judgeChecklist(release: ReleaseFound, moment: Moment): readonly Tick[] {
  const ticks = [...judgeRelease(release), ...judgeMoment(moment)];
  // That there is no room for a release is said by what refuses it, and once.
  return ticks.filter(({ code }, index) => ticks.findIndex((one) => one.code === code) === index);
}

type Said = Pick<Tick, "status" | "text" | "next">;

function tick(what: keyof typeof ticked, said: Said): Tick {
  return { ...ticked[what], ...said };
}

function ok(text: string): Said {
  return { status: "ok", text, next: null };
}

/** Of a release that is refused: what was well until then, what was not, and nothing of the rest. */
function judgeRelease(found: ReleaseFound): readonly Tick[] {
  if ("refusal" in found) return judgeRefusal(found.refusal);
  const { facts, rehearsal, mustBeRehearsed } = found;
  return [
    tick("tree", ok(`Clean at ${short(facts.from)}; ${short(facts.to)} is there.`)),
    tick("code", ok(codeRead)),
    tick("dependencies", ok(dependenciesThere)),
    tick("breaking", judgeBreaking(facts)),
    tick("access", judgeAccess(facts)),
    tick("rehearsal", judgeRehearsal(facts, rehearsal, mustBeRehearsed)),
  ];
}

const codeRead = "It can be read and judged, and has every module that is installed.";
const dependenciesThere = "The modules, Python packages and programs that it names are there.";

/** In the order in which a release is looked at. */
type Stage = "tree" | "code" | "dependencies";
const looked: readonly Stage[] = ["tree", "code", "dependencies"];
const well = { tree: "It is clean, and the commit is there.", code: codeRead, dependencies: dependenciesThere };

/** The stage that an error belongs to; undefined for one that says nothing of the release. `disk`: when all of that was well. */
export function stageOf({ code }: Pick<ErrorRecord, "code">): Stage | "disk" | undefined {
  if (code === "deploy.tree_not_clean" || /^git\./.test(code)) return "tree";
  if (code === "deploy.dependency_missing") return "dependencies";
  if (code === "upgrade.no_space") return "disk";
  const ofCode = ["code_broken", "not_judged", "modules_lost", "cannot_install"].map((one) => `deploy.${one}`);
  return [...ofCode, "upgrade.not_installable", "upgrade.series_mismatch"].includes(code) ? "code" : undefined;
}

function judgeRefusal(refusal: ErrorRecord): readonly Tick[] {
  const stage = stageOf(refusal);
  const reached = looked.indexOf(stage as Stage);
  const refused: Said = { status: "fail", text: refusal.message, next: refusal.hint };
  const unknown: Said = { status: "unknown", text: "It was not looked at.", next: "Correct first what is red." };
  const saidAt = (index: number) => (index === reached ? refused : unknown);
  return [
    ...looked.map((one, index) => tick(one, stage === "disk" || index < reached ? ok(well[one]) : saidAt(index))),
    ...(["breaking", "access", "rehearsal"] as const).map((one) => tick(one, unknown)),
    ...(stage === "disk" ? [tick("disk", refused)] : []),
  ];
}

function judgeBreaking({ scan }: DeployFacts): Said {
  const told = [
    ...scan.breaking.map(({ commit, subject }) => `${short(commit)} ${subject}`),
    ...scan.changelog.filter(({ isBreaking }) => isBreaking).map(({ line }) => line.trim()),
  ];
  if (told.length === 0) return ok("Neither a commit nor the changelog tells of one.");
  return {
    status: "warn",
    text: `${some(told)}.`,
    next: "Tell whoever it concerns before it comes.",
  };
}

function judgeAccess({ scan }: DeployFacts): Said {
  const changed = [
    ...scan.rights.map(({ group, model }) => `${group || "everybody"} on ${model}`),
    ...scan.guards.map(({ change, model, id }) => `${model} ${id} ${change}`),
  ];
  if (changed.length === 0) return ok("The release changes no access right, record rule or group.");
  return {
    status: "warn",
    text: `Changed: ${some(changed)}.`,
    next: "The plan says who gains and loses what: was it meant?",
  };
}

/** As strict as the refusal of a deployment that has to be rehearsed and was not, and in its words. */
function judgeRehearsal(facts: DeployFacts, rehearsal: Rehearsal | undefined, mustBeRehearsed: boolean): Said {
  if (!changesDatabase(facts)) return ok("Only code changes: there is no update to rehearse.");
  if (rehearsal !== undefined) return judgeFound(rehearsal);
  const { message: text, hint: next } = NotRehearsed({ commit: short(facts.to) });
  if (mustBeRehearsed) return { status: "fail", text, next };
  return { status: "warn", text: `Nobody has rehearsed ${short(facts.to)} from ${short(facts.from)}.`, next };
}

/** The update passed; what it breaks beside that no update fails of. */
function judgeFound({ id, backup, updateSeconds, found: { warned, invalidViews, cronsLost } }: Rehearsal): Said {
  const text = `It passed on ${backup}: the update took ${Math.ceil(updateSeconds)} s, Odoo warned of ${warned.length} things.`;
  const [views, crons] = [invalidViews.length, cronsLost.length];
  if (views + crons === 0) return ok(text);
  return {
    status: "warn",
    text: `${text} ${views} views become invalid and ${crons} scheduled actions are lost.`,
    next: `\`ipai rehearsals ${id}\` names them.`,
  };
}

export function changesDatabase({ updates, installs }: Pick<DeployFacts, "updates" | "installs">): boolean {
  return updates.length + installs.length > 0;
}

/** What is asked an hour before, and once more when a deployment begins. */
export function judgeMoment(moment: Moment): readonly Tick[] {
  return [
    tick("backup", judgeBackup(moment)),
    tick("disk", judgeDisk(moment)),
    tick("users", judgeUsers(moment)),
    tick("freeze", judgeFreeze(moment)),
  ];
}

/** Code alone is taken back by other code: nothing of the database could be lost. */
function judgeBackup({ backup, freshSeconds, now, way }: Moment): Said {
  const status = way === "closed" ? "fail" : "warn";
  if (backup === undefined)
    return { status, text: "No repository of backups is configured.", next: "Set backup.repository in ipai.yaml." };
  const next = "`ipai backup`, and then `ipai backup verify`, which proves it.";
  const { proven } = backup;
  if (proven === undefined) return { status, text: "No backup that is there was ever proven to restore.", next };
  const seconds = Math.max(0, (now.getTime() - Date.parse(proven.takenAt)) / 1000);
  const text = `The last proven one, ${proven.id}, is ${hours(seconds)} old`;
  if (seconds > freshSeconds) return { status, text: `${text}, and ${hours(freshSeconds)} is what it may be.`, next };
  return ok(`${text}.`);
}

function hours(seconds: number): string {
  return `${Math.round(seconds / 360) / 10} h`;
}

function judgeDisk({ disk: { status, value, threshold, hint } }: Moment): Said {
  if (status !== "ok") return { status, text: hint ?? "A disk is too full.", next: "Make room before the deployment." };
  return ok(`The fullest disk has ${value} % in use (limit ${threshold}).`);
}

function judgeUsers({ users, way, usersHold }: Moment): Said {
  if (users === undefined)
    return {
      status: "unknown",
      text: "Odoo's database does not tell who is at work.",
      next: "Ask them, or look into nginx's log.",
    };
  const { count, logins } = users;
  if (count === 0) return ok("Nobody was there in the last hour.");
  const more = count > logins.length ? ` and ${count - logins.length} more` : "";
  const text = `${count} in the last hour: ${logins.join(", ")}${more}.`;
  if (way === "rolled") return ok(`${text} They will notice nothing.`);
  if (way === "waiting")
    return { status: "warn", text, next: "They wait, or see an error, while services start: tell them." };
  return {
    status: usersHold,
    text,
    next: "They are kept out while the database changes: tell them, or choose another time.",
  };
}

function judgeFreeze({ freeze, at, timezone }: Moment): Said {
  const now = clockOf(at, timezone);
  const within = freeze.find(({ from, until }) => beginOf(from) <= now && now < endOf(until));
  if (within !== undefined)
    return {
      status: "fail",
      text: `${within.why}: no release from ${within.from} until ${within.until} (${timezone}).`,
      next: "Deploy afterwards. What corrects code alone comes meanwhile with `ipai hotfix`.",
    };
  const [coming] = freeze
    .filter(({ from }) => beginOf(from) > now)
    .toSorted((a, b) => beginOf(a.from).localeCompare(beginOf(b.from)));
  return ok(coming === undefined ? "None is declared." : `The next one begins ${coming.from}: ${coming.why}.`);
}

/** Minutes of a zone as a text that can be compared. Sweden writes dates as ISO does. */
function clockOf(at: Date, timeZone: string): string {
  return new Intl.DateTimeFormat("sv-SE", {
    ...{ timeZone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit" },
    ...{ hour: "2-digit", minute: "2-digit" },
  }).format(at);
}

function some(all: readonly string[]): string {
  return all.length > 3 ? `${all.slice(0, 3).join("; ")} and ${all.length - 3} more` : all.join("; ");
}

/** A correction is not held up: what would hold up a release is told. */
export function withoutHold(ticks: readonly Tick[]): readonly Tick[] {
  return ticks.map((one) => (one.status === "fail" ? { ...one, status: "warn" } : one));
}

/** What is planned for later is told how backup, disks and users are now; they hold it up when it begins. A freeze is known before. */
export function withoutHoldUntilLater(ticks: readonly Tick[]): readonly Tick[] {
  const codes = [ticked.backup, ticked.disk, ticked.users].map(({ code }) => code);
  return ticks.flatMap((one) => (codes.includes(one.code) ? withoutHold([one]) : [one]));
}

/** As plans and errors tell it, a line each. */
export function sayTick({ code, title, status, text, next }: Tick): string {
  return `${status}: ${title} (${code}). ${text}${next === null ? "" : ` ${next}`}`;
}

/** What a person says to go on in spite of. `findings`: the codes that it was said of; null as long as there is no plan. */
export interface Wish {
  readonly reason: string;
  readonly findings: readonly string[] | null;
}

/**
 * Throws `deploy.checklist_red` for what is red and was not overridden. A plan names what it overrides: of what turns red later nobody has
 * said that it may. Undefined: there is nothing to override.
 */
export function heed(ticks: readonly Tick[], wish: Wish | null): Override | undefined {
  const red = ticks.filter(({ status }) => status === "fail");
  const findings = wish === null ? [] : (wish.findings ?? red.map(({ code }) => code));
  const held = red.filter(({ code }) => !findings.includes(code));
  if (held.length > 0)
    throw ChecklistRed({ red: held.map((one) => `${one.title} (${one.code}): ${one.text} ${one.next}`).join(" ") });
  return wish === null || findings.length === 0 ? undefined : { reason: wish.reason, findings };
}
