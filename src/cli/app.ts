import { hostname } from "node:os";
import { principalOfShell } from "../access/identify.ts";
import type { Principal } from "../access/principal.ts";
import { peopleFor, type Subject } from "../access/rights.ts";
import { requireTwo } from "../access/second.ts";
import type { RunKind } from "../api/ports.ts";
import { getStack, loadConfig } from "../config/load.ts";
import type { Config, StackConfig } from "../config/schema.ts";
import { type Control, openControl } from "../engine/control.ts";
import { ProcedureUnknown } from "../engine/errors.ts";
import type { RunEvent } from "../engine/events.ts";
import { type ConsentRule, createRun, type Run, type Tables } from "../engine/journal.ts";
import { listLeases } from "../engine/lease.ts";
import { addPlanned } from "../engine/one-offs.ts";
import { post } from "../engine/outbox.ts";
import { createRecords, type Records } from "../engine/records.ts";
import type { Engine } from "../engine/session.ts";
import { readTimes } from "../engine/times.ts";
import { createPerformer, type Performer } from "../host/perform.ts";
import type { Exposure } from "../procedures/backup/exposure/exposure.ts";
import { readExposure } from "../procedures/backup/exposure/facts.ts";
import { findBackupFaults } from "../procedures/backup/findings.ts";
import { findIntegrityFaults } from "../procedures/maintenance/integrity.ts";
import { findMaintenanceFaults } from "../procedures/maintenance/watchdog.ts";
import { checkTimeoutMs, type HealthReport, runChecks, withFindings } from "../procedures/monitoring/check.ts";
import { healthChecks } from "../procedures/monitoring/health.ts";
import { createFactReader, type Procedure } from "../procedures/procedure.ts";
import { findDrillFaults } from "../procedures/recovery/findings.ts";
import { createCallRegistry, type Procedures } from "../procedures/registry.ts";
import { findResourceFaults } from "../procedures/resources.ts";
import { type Plan, undoClassOf } from "../runbook/plan.ts";
import { validatePlan } from "../runbook/validate.ts";
import type { Json } from "../runbook/value.ts";
import { createStack, type Stack } from "../stack/stack.ts";
import { findActor } from "./actor.ts";
import { controlOptions } from "./control.ts";
import { Executors } from "./executors.ts";
import { createNotary } from "./notary.ts";
import { routesOf } from "./notify.ts";
import { oneOffGraceSeconds, ProcedureLoader } from "./procedures.ts";

/** The program put together: configuration, control database, executors, procedures. */
interface Recording {
  readonly at?: Date | undefined;
  readonly as?: { readonly tables: Tables; readonly actor: string };
}

export interface App extends AsyncDisposable {
  readonly config: Config;
  readonly control: Control;
  readonly records: Records;
  readonly performer: Performer;
  /** Whoever typed the command. */
  readonly principal: Principal;
  readonly actor: string;
  stack(name?: string): Stack;
  /** The health checks, what the catalogue says of the backups, and what a dead server would take with it. */
  inspect(stack: Stack): Promise<Inspection>;
  /** Read anew each time: a file of the user's may have been changed while this program runs. */
  procedures(): Promise<Procedures>;
  /** `at`: when it is to begin, if not now. */
  plan(procedure: string, stack: string, input: Json, at?: Date): Promise<Plan>;
  /** Whose consent a plan needs. */
  consentFor(plan: Plan): ConsentRule;
  /** What a right to a run, or to a plan, is a right to. */
  subjectOf(run: RunKind): Subject;
  /**
   * Records a plan, as whoever typed the command or as another. It waits for consent then, and after that for its time, if it has one.
   * Throws `access.nobody_else`.
   */
  record(plan: Plan, given?: Recording): Promise<Run>;
  engine(options?: { waitForLease?: boolean; onEvent?: (event: RunEvent) => void }): Engine;
}

export interface Inspection {
  readonly health: HealthReport;
  /** Undefined: the configuration names no repository. */
  readonly exposure: Exposure | undefined;
}

export interface AppOptions {
  readonly config?: string | undefined;
  readonly environment: NodeJS.ProcessEnv;
  readonly directory: string;
}

export async function openApp(options: AppOptions): Promise<App> {
  return createApp(
    await loadConfig({
      environment: options.environment,
      directory: options.directory,
      ...(options.config === undefined ? {} : { path: options.config }),
    }),
    options.environment,
  );
}

/** The program on a configuration that is already there: the practice stack makes its own. */
export async function createApp(config: Config, environment: NodeJS.ProcessEnv): Promise<App> {
  const executors = new Executors(environment);
  const control = await openControl(controlOptions(config, environment, executors.local));
  const records = createRecords(control);
  const calls = createCallRegistry(records, {
    checkHealth: async (name) => (await inspect(stack(name))).health,
    readerOf: (name) => createFactReader(stack(name), performer, records),
    tell: (message) => post(control.db, routesOf(config), [message], new Date()),
    timesOf: (run) => readTimes(control, run),
    notary: createNotary(control, environment),
  });
  const performer: Performer = createPerformer({ executors: (host) => executors.of(host), calls });
  const inspect = (one: Stack) => inspectStack(one, performer, records, control);
  const stacks = new Map<string, Stack>();
  const stack = (name?: string): Stack => {
    const found = getStack(config, name);
    const known = stacks.get(found.name) ?? createStack(found, Object.values(config.stacks));
    stacks.set(found.name, known);
    return known;
  };
  const loader = new ProcedureLoader(config);
  const planFor: PlanFor = async (name, version, stackName, input, at) => {
    const found = (await loader.load()).find(name, version);
    if (found === undefined) throw ProcedureUnknown({ name, version: version ?? 1 });
    const procedure = found as unknown as Procedure<unknown, unknown>;
    const parsed = procedure.input.parse(input);
    const reader = createFactReader(stack(stackName), performer, records);
    const facts = await procedure.facts(at === undefined ? reader : { ...reader, at }, parsed);
    return validatePlan(procedure.plan(stack(stackName), parsed, facts));
  };
  const consentFor = (plan: Plan) => consentRule(stack(plan.stack).config.consent, plan);
  const subjectOf = (run: RunKind) => loader.subjectOf(run);
  await loader.load();
  const principal = await principalOfShell(control, await findActor(environment), new Date());
  const actor = principal.handle;
  return {
    config,
    control,
    records,
    performer,
    principal,
    actor,
    stack,
    inspect,
    consentFor,
    subjectOf,
    record: async (plan, { at, as = { tables: control, actor } } = {}) => {
      const subject = subjectOf({ stack: plan.stack, procedure: plan.procedure, undo_class: undoClassOf(plan) });
      if (plan.override !== undefined) await requireTwo(as.tables, subject);
      return recordPlan(plan, consentFor(plan), { at, as });
    },
    procedures: () => loader.load(),
    plan: (name, stackName, input, at) => planFor(name, undefined, stackName, input, at),
    engine: (engineOptions = {}) => ({
      control,
      performer,
      worker: `ipai (process ${process.pid} on ${hostname()})`,
      plan: planFor,
      secret: (stackName, name) => stack(stackName).secret(name),
      ...engineOptions,
    }),
    [Symbol.asyncDispose]: async () => {
      await executors[Symbol.asyncDispose]();
      await control.close();
    },
  };
}

type PlanFor = (name: string, version: number | undefined, stack: string, input: Json, at?: Date) => Promise<Plan>;

async function recordPlan(plan: Plan, consent: ConsentRule, { at, as }: Required<Recording>): Promise<Run> {
  const now = new Date();
  if (at === undefined) return createRun(as.tables, plan, as.actor, now, { consent });
  const planned = { at, actor: as.actor, people: consent.people, graceSeconds: oneOffGraceSeconds };
  return addPlanned(as.tables, plan, planned, now);
}

/** What is at risk is measured by what the checks say of archive and files, so they are asked first. */
async function inspectStack(
  stack: Stack,
  performer: Performer,
  records: Records,
  control: Control,
): Promise<Inspection> {
  const now = new Date();
  const asked = await runChecks(stack, performer, healthChecks(stack));
  const reader = createFactReader(stack, performer, records, checkTimeoutMs);
  const holders = (await listLeases(control.db, stack.name)).map(({ run }) => run);
  const [faults, kept, damage, drills, closed, exposed] = await Promise.all([
    findBackupFaults(records, stack, now),
    findResourceFaults(records, stack, now),
    findIntegrityFaults(records, stack.name, now),
    findDrillFaults(records, stack, now),
    findMaintenanceFaults(reader, holders),
    readExposure(reader, asked, now),
  ]);
  return {
    health: withFindings(asked, [...faults, ...kept, ...damage, ...drills, ...closed, ...(exposed?.findings ?? [])]),
    exposure: exposed?.exposure,
  };
}

/** Whose consent a plan needs. */
function consentRule({ second, valid }: StackConfig["consent"], plan: Plan): ConsentRule {
  return { people: peopleFor(second, plan, undoClassOf(plan)), validSeconds: valid };
}
