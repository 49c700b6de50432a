import { addDays, type Day, daysBetween } from "../../src/finance/day.ts";
import { type Filing, getFiling, listFilings } from "../../src/finance/filings.ts";
import type { Rules } from "../../src/finance/schema.ts";
import { createWorkingDays, type WorkingDays } from "../../src/finance/working-days.ts";
import {
  type Company,
  type Instant,
  later,
  type Moment,
  type Person,
  rulesAtFirst,
  type Scenario,
  type Stage,
  type Which,
} from "./finance-year.ts";

/**
 * What has to be told in a year, to whom and when, worked out from what is promised (docs/finance/odoo.md) over this program's own rule engine.
 * It shares no line with the addon, and knows nothing of Odoo but in which order what is due is run.
 */

export interface ExpectedAlert {
  readonly kind: "deadline" | "missed" | "escalation" | "report";
  readonly company: string;
  /** Of whom: a filing, a task, a month. */
  readonly about: string;
  /** Which of its alerts: the deadline with its threshold or day, the level. */
  readonly step: string;
  readonly at: Instant;
  readonly severity: "normal" | "high" | "critical";
  readonly to: readonly string[];
  readonly subject: string;
  readonly state: "sent" | "cancelled";
  readonly isToldOtherwise: boolean;
}

export interface Expected {
  readonly alerts: readonly ExpectedAlert[];
  readonly steps: readonly { company: string; task: string; level: number; at: Instant; to: readonly string[] }[];
  readonly mails: readonly { to: string; at: Instant; subjects: readonly string[] }[];
  readonly reports: readonly { company: string; period: string; at: Instant; numbers: readonly number[] }[];
  readonly asked: readonly { at: Instant; late: number }[];
  readonly filings: readonly { company: string; name: string; deadline: Day; status: string; isLate: boolean }[];
}

interface Task {
  readonly stage: Stage;
  due: Day;
  isDone: boolean;
  level: number;
  raisedAt?: Instant | undefined;
  heardUntil?: Instant | undefined;
}

interface Known {
  readonly company: Company;
  readonly name: string;
  readonly form: string;
  readonly period: string;
  dates: Filing;
  state: "open" | "filed" | "not_applicable";
  filedOn?: Instant;
  tasks: Task[];
}

type Alert = {
  -readonly [key in keyof ExpectedAlert]: ExpectedAlert[key];
} & {
  readonly subjectOf: Known | Task | undefined;
  readonly raisedAt: Instant;
  /** Whom it has reached, and whom it has not. */
  readonly got: string[];
  waiting: string[];
  isRefused?: boolean;
  failingSince?: Instant;
};

const stages = { prep: "preparation", review: "review", approval: "approval" } as const;
const titles = { prep: "Preparation", review: "Review", approval: "Approval" } as const;
const thresholds = [0, 1, 3, 5, 7];
const hoursFresh = 26;
const hearers = {
  critical: ["director", "manager", "supervisor", "staff"],
  high: ["manager", "supervisor", "director", "staff"],
  normal: ["supervisor", "manager", "staff", "director"],
} as const;
const severityOf = ["normal", "normal", "high", "critical"] as const;

export function expectYear(scenario: Scenario): Expected {
  return new Year(scenario).live();
}

class Year {
  private readonly scenario: Scenario;
  private readonly next: Record<keyof Scenario["nextCalls"], Instant>;
  private rules: Rules = rulesAtFirst;
  private now: Instant;
  private isMailUp = true;
  private readonly known: Known[] = [];
  private readonly alerts: Alert[] = [];
  private readonly steps: Expected["steps"][number][] = [];
  private readonly mails: Expected["mails"][number][] = [];
  private readonly reports: Expected["reports"][number][] = [];
  private readonly asked: Expected["asked"][number][] = [];
  /** By the rules of now. */
  private readonly calendars = new Map<string, readonly Filing[]>();
  private readonly workingDays = new Map<Company["filer"], WorkingDays>();
  private readonly absences = new Map<string, { from: Day; to: Day }>();

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.now = scenario.start;
    this.next = { ...scenario.nextCalls };
  }

  live(): Expected {
    for (const moment of this.scenario.moments) {
      this.now = moment.at;
      this.pass(moment);
    }
    const { alerts, steps, mails, reports, asked } = this;
    const filings = this.known.map((one) => ({
      company: one.company.name,
      name: one.name,
      deadline: one.dates.effective,
      status: one.state === "open" ? (this.isLate(one) ? "late" : "not_started") : one.state,
      isLate: one.state !== "not_applicable" && this.isLate(one),
    }));
    return { alerts, steps, mails, reports, asked, filings };
  }

  private get today(): Day {
    return this.now.slice(0, 10);
  }

  private pass(moment: Moment): void {
    if (moment.does === "run") this.run();
    else if (moment.does === "trigger") this.tellDay();
    else if (moment.does === "ask")
      this.asked.push({ at: this.now, late: this.open().filter((one) => this.isLate(one)).length });
    else if (moment.does === "mailDown") this.isMailUp = false;
    else if (moment.does === "mailUp") this.isMailUp = true;
    else if (moment.does === "absent") this.absences.set(moment.email, moment);
    else if (moment.does === "proclaim") this.proclaim(moment.day, moment.name);
    else if (moment.does === "extend") this.extend(moment);
    else this.work(moment);
  }

  // What people do

  private work(moment: Extract<Moment, Which>): void {
    const filing = this.known.find(
      (one) => one.company.name === moment.company && one.form === moment.form && one.period === moment.period,
    );
    if (filing === undefined) return;
    if (moment.does === "file" || moment.does === "notApplicable") {
      if (moment.does === "file") filing.filedOn = moment.filedOn ?? this.now;
      filing.state = moment.does === "file" ? "filed" : "not_applicable";
      this.drop((one) => one.subjectOf === filing);
      this.drop((one) => filing.tasks.some((task) => one.subjectOf === task));
      return;
    }
    const task = filing.tasks.find(({ stage }) => stage === moment.stage);
    if (task === undefined) return;
    if (moment.does === "acknowledge") task.heardUntil = later(this.now, 8 * 60);
    else {
      task.isDone = true;
      this.drop((one) => one.subjectOf === task);
    }
  }

  private proclaim(date: Day, name: string): void {
    const day = {
      date,
      name,
      type: "special_nonworking",
      status: "proclaimed",
      basis: "Proclamation 9999",
      confidence: "high",
    } as const;
    this.rules = { ...this.rules, holidays: { ...this.rules.holidays, days: [...this.rules.holidays.days, day] } };
    this.dateAnew();
  }

  private extend(given: Extract<Moment, { does: "extend" }>): void {
    const others = this.rules.extensions.filter(({ authority }) => authority !== given.authority);
    const extension = {
      ...given,
      id: given.authority,
      regions: [],
      issuedOn: this.today,
      source: "an example",
      confidence: "high",
    } as unknown as Rules["extensions"][number];
    this.rules = { ...this.rules, extensions: "dueFrom" in given ? [...others, extension] : others };
    this.dateAnew();
  }

  private dateAnew(): void {
    this.calendars.clear();
    this.workingDays.clear();
    for (const filing of this.open()) {
      const before = filing.dates;
      filing.dates = getFiling(this.rules, filing.company.filer, filing);
      if (filing.dates.effective !== before.effective) this.overtake((one) => one.subjectOf === filing);
      for (const task of filing.tasks) {
        const due = filing.dates[stages[task.stage]];
        if (task.isDone || task.due === due) continue;
        // Another deadline, another ladder.
        Object.assign(task, { due, level: 0, raisedAt: undefined, heardUntil: undefined });
        this.overtake((one) => one.subjectOf === task);
      }
    }
  }

  // What is scheduled

  private run(): void {
    if (this.isDue("cron_day", 24 * 60)) this.tellDay();
    if (this.isDue("cron_quarter_hour", 15)) {
      this.tellMissed();
      this.climb((level) => level === 3);
      this.takeBack();
      this.deliver();
    }
    if (this.isDue("cron_ladder", 2 * 60)) this.climb(() => true);
    if (this.isDue("cron_month", "month")) this.report();
  }

  /** An action that was missed is run once, and then at its hour again. */
  private isDue(action: keyof Scenario["nextCalls"], interval: number | "month"): boolean {
    if (this.next[action] > this.now) return false;
    while (this.next[action] <= this.now)
      this.next[action] =
        interval === "month"
          ? `${addDays(`${this.next[action].slice(0, 7)}-28`, 4).slice(0, 7)}-01 ${this.next[action].slice(11)}`
          : later(this.next[action], interval);
    return true;
  }

  private tellDay(): void {
    const years = new Set([this.today, addDays(this.today, 90)].map((day) => Number(day.slice(0, 4))));
    for (const company of this.scenario.companies)
      for (const year of years) for (const dates of this.calendarOf(company, year)) this.learn(company, dates);
    for (const filing of this.open())
      if (filing.tasks.length === 0 && filing.dates.preparation <= addDays(this.today, 14))
        filing.tasks = (["prep", "review", "approval"] as const).map((stage) => ({
          stage,
          due: filing.dates[stages[stage]],
          isDone: false,
          level: 0,
        }));
    for (const filing of this.open()) this.tellDeadline(filing);
  }

  private calendarOf({ filer }: Company, year: number): readonly Filing[] {
    const name = `${JSON.stringify(filer)} ${year}`;
    const found = this.calendars.get(name) ?? listFilings(this.rules, filer, year);
    this.calendars.set(name, found);
    return found;
  }

  private learn(company: Company, dates: Filing): void {
    const { form, period } = dates;
    const isKnown = this.known.some((one) => one.company === company && one.form === form && one.period === period);
    if (isKnown || dates.effective < this.scenario.start.slice(0, 10)) return;
    this.known.push({ company, name: `${form} ${period}`, form, period, dates, state: "open", tasks: [] });
  }

  private tellDeadline(filing: Known): void {
    const { effective } = filing.dates;
    const left = daysBetween(this.today, effective);
    if (left > 7) return;
    const step = left < 0 ? `overdue:${this.today}` : `${thresholds.find((days) => days >= left)}`;
    const done = filing.tasks.filter(({ isDone }) => isDone);
    const isApproved = done.some(({ stage }) => stage === "approval");
    const isBehind = done.length < filing.tasks.length / 2 || filing.tasks.length === 0;
    const severity =
      left <= 0 ? "critical" : left > 3 ? "normal" : isBehind || (left <= 1 && !isApproved) ? "critical" : "high";
    const when =
      left < 0
        ? `is overdue since ${effective}`
        : left === 0
          ? "is due today"
          : `is due on ${effective}, in ${left} days`;
    const told = this.queue(filing.company, {
      kind: "deadline",
      about: filing.name,
      step: `${effective}:${step}`,
      severity,
      subject: `${filing.name} ${when}`,
      subjectOf: filing,
    });
    // The newer one says it better than one that has reached nobody.
    if (told !== undefined) this.drop((one) => one !== told && one.kind === "deadline" && one.subjectOf === filing);
  }

  private tellMissed(): void {
    for (const filing of this.open()) {
      const { effective } = filing.dates;
      if (effective !== addDays(this.today, -1)) continue;
      this.queue(filing.company, {
        kind: "missed",
        about: filing.name,
        step: effective,
        severity: "critical",
        subject: `${filing.name} is overdue since ${effective}`,
        subjectOf: filing,
      });
    }
  }

  private climb(isAsked: (level: number) => boolean): void {
    const hour = Number(this.now.slice(11, 13));
    const isQuiet = hour >= 19 || hour < 7;
    for (const filing of this.open())
      for (const task of filing.tasks.filter(({ isDone }) => !isDone)) {
        const level = this.levelOf(task, filing);
        const waits = level < 3 && (isQuiet || this.isHeard(task));
        if (level > task.level && isAsked(level) && !waits) this.raise(task, filing, level);
      }
  }

  private raise(task: Task, filing: Known, level: number): void {
    Object.assign(task, { level, raisedAt: this.now, heardUntil: undefined });
    const name = `${filing.name}: ${titles[task.stage]}`;
    const alert = this.queue(filing.company, {
      kind: "escalation",
      about: name,
      step: `${task.due}:${level}`,
      severity: severityOf[level] ?? "critical",
      subject: `${name}: level ${level}`,
      subjectOf: task,
    });
    this.steps.push({ company: filing.company.name, task: name, level, at: this.now, to: alert?.to ?? [] });
  }

  /** The level on which a task belongs. One step up at a time, but for a filing that is due today or missed. */
  private levelOf(task: Task, filing: Known): number {
    const working = this.working(filing.company);
    const { effective } = filing.dates;
    if (effective <= this.today) return 3;
    const isUnheard = task.raisedAt !== undefined && !this.isHeard(task) && later(task.raisedAt, 4 * 60) <= this.now;
    if (task.level >= 2) return isUnheard && effective <= after(working, this.today, 2) ? 3 : task.level;
    const isOverdueByADay = after(working, task.due, 1) <= this.today;
    const isLateReview = task.stage !== "prep" && `${task.due} 17:00` < this.now;
    if (isOverdueByADay || isLateReview) return task.level + 1;
    if (task.level === 1 && isUnheard) return 2;
    return task.due <= after(working, this.today, 1) ? 1 : 0;
  }

  private isHeard(task: Task): boolean {
    return task.heardUntil !== undefined && task.heardUntil > this.now;
  }

  private report(): void {
    const last = addDays(`${this.today.slice(0, 7)}-01`, -1).slice(0, 7);
    for (const company of this.scenario.companies) {
      const newest = this.reports.findLast((one) => one.company === company.name)?.period;
      const periods = [last];
      const before = (period: string) => addDays(`${period}-01`, -1).slice(0, 7);
      while (newest !== undefined && before(periods[0] as string) > newest)
        periods.unshift(before(periods[0] as string));
      for (const period of periods) {
        const due = this.known.filter((one) => one.company === company && one.dates.effective.startsWith(period));
        const filed = due.filter(({ state }) => state === "filed");
        const [filedLate, open] = [
          filed.filter((one) => this.isLate(one)),
          due.filter(({ state }) => state === "open"),
        ];
        const openLate = open.filter((one) => this.isLate(one));
        const total = filed.length + open.length;
        const onTime = filed.length - filedLate.length;
        const numbers = [
          total,
          onTime,
          filedLate.length,
          openLate.length,
          open.length - openLate.length,
          due.length - total,
        ];
        this.reports.push({ company: company.name, period, at: this.now, numbers });
        const isBad = openLate.length > 0 || (total > 0 && onTime / total < 0.95);
        const given = {
          kind: "report",
          about: period,
          step: "1",
          severity: isBad ? "critical" : "normal",
          subject: `BIR compliance of ${company.name}, ${period}`,
          subjectOf: undefined,
        } as const;
        this.queue(company, given, this.readersOf(company, isBad));
      }
    }
  }

  // The outbox

  private queue(
    company: Company,
    given: Pick<Alert, "kind" | "about" | "step" | "severity" | "subject" | "subjectOf">,
    to = this.hearersOf(company, given.severity),
  ): Alert | undefined {
    const isSame = (one: Alert) =>
      one.kind === given.kind && one.company === company.name && one.about === given.about && one.step === given.step;
    const told = this.alerts.find(isSame);
    if (told !== undefined && told.state !== "cancelled") return undefined;
    const alert: Alert = {
      ...given,
      company: company.name,
      at: told?.at ?? this.now,
      to,
      state: "sent",
      isToldOtherwise: told?.isToldOtherwise ?? false,
      raisedAt: this.now,
      got: told?.got ?? [],
      waiting: to.filter((one) => told?.got.includes(one) !== true),
    };
    if (told === undefined) this.alerts.push(alert);
    else this.alerts.splice(this.alerts.indexOf(told), 1, alert);
    return alert;
  }

  private hearersOf(company: Company, severity: Alert["severity"]): readonly string[] {
    for (const role of hearers[severity]) {
      const found = company.people.filter((one) => one.role === role);
      if (found.length > 0) return [...new Set(found.map((one) => this.standInOf(company, one).email))].toSorted();
    }
    return [];
  }

  /** Managers and directors, away or not; and who hears of what is critical. */
  private readersOf(company: Company, isBad: boolean): readonly string[] {
    const readers = company.people.filter(({ role }) => role === "manager" || role === "director");
    const hearers = isBad || readers.length === 0 ? this.hearersOf(company, isBad ? "critical" : "normal") : [];
    return [...new Set([...readers.map(({ email }) => email), ...hearers])].toSorted();
  }

  private standInOf(company: Company, person: Person): Person {
    for (let one: Person | undefined = person; one !== undefined; ) {
      const { email, backup }: Person = one;
      const away = this.absences.get(email);
      if (away === undefined || this.today < away.from || this.today > away.to) return one;
      one = company.people.find((other) => other.email === backup);
    }
    return person;
  }

  /** What waits for its mail, or for the chat, which asks once a day: it is fresh for so long. */
  private overtake(isIt: (alert: Alert) => boolean): void {
    this.drop(isIt, (alert) => later(alert.raisedAt, hoursFresh * 60) > this.now);
  }

  private drop(isIt: (alert: Alert) => boolean, isFresh = (_: Alert) => false): void {
    for (const alert of this.alerts.filter(isIt))
      if (alert.waiting.length > 0 || isFresh(alert)) Object.assign(alert, { state: "cancelled", waiting: [] });
  }

  /** What the mail server did not take is known of when it is looked at again; after an hour of it, it is told in Odoo. */
  private takeBack(): void {
    for (const alert of this.alerts) {
      if (alert.isRefused !== true || alert.waiting.length === 0) continue;
      alert.failingSince ??= this.now;
      if (later(alert.failingSince, 60) <= this.now) alert.isToldOtherwise = true;
    }
  }

  private deliver(): void {
    const waiting = this.alerts.filter((one) => one.waiting.length > 0);
    if (!this.isMailUp) {
      for (const alert of waiting) alert.isRefused = true;
      return;
    }
    for (const to of new Set(waiting.flatMap((one) => one.waiting))) {
      const own = waiting.filter((one) => one.waiting.includes(to));
      // Each report is a mail of its own.
      const letters = [
        own.filter(({ kind }) => kind !== "report"),
        ...own.filter(({ kind }) => kind === "report").map((one) => [one]),
      ];
      for (const letter of letters.filter(({ length }) => length > 0))
        this.mails.push({ to, at: this.now, subjects: letter.map(({ subject }) => subject).toSorted() });
    }
    for (const alert of waiting) {
      alert.got.push(...alert.waiting);
      alert.waiting = [];
    }
  }

  // Questions

  private open(): readonly Known[] {
    return this.known.filter(({ state }) => state === "open");
  }

  private isLate({ filedOn, dates }: Known): boolean {
    return (filedOn ?? this.now).slice(0, 10) > dates.effective;
  }

  private working({ filer }: Company): WorkingDays {
    const found = this.workingDays.get(filer) ?? createWorkingDays(this.rules.holidays, filer);
    this.workingDays.set(filer, found);
    return found;
  }
}

function after(working: WorkingDays, day: Day, count: number): Day {
  let found = day;
  for (let left = count; left > 0; ) {
    found = addDays(found, 1);
    if (working.findOff(found) === undefined && working.findEstimate(found) === undefined) left -= 1;
  }
  return found;
}
