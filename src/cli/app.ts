import { hostname, userInfo } from "node:os";
import { ipaiHome } from "../config/home.ts";
import { getStack, loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { type Control, openControl } from "../engine/control.ts";
import { ProcedureUnknown } from "../engine/errors.ts";
import type { RunEvent } from "../engine/journal.ts";
import { post } from "../engine/outbox.ts";
import { createRecords, type Records } from "../engine/records.ts";
import type { Engine } from "../engine/session.ts";
import { createPerformer, type Performer } from "../host/perform.ts";
import { findBackupFaults } from "../procedures/backup/findings.ts";
import { type HealthReport, runChecks, withFindings } from "../procedures/monitoring/check.ts";
import { healthChecks } from "../procedures/monitoring/health.ts";
import { type AnyProcedure, createFactReader, type Procedure } from "../procedures/procedure.ts";
import { createCallRegistry, procedures } from "../procedures/registry.ts";
import type { Plan } from "../runbook/plan.ts";
import { validatePlan } from "../runbook/validate.ts";
import type { Json } from "../runbook/value.ts";
import { createStack, type Stack } from "../stack/stack.ts";
import { Executors } from "./executors.ts";
import { routesOf } from "./notify.ts";

/** The program put together: configuration, control database, executors, procedures. */
export interface App extends AsyncDisposable {
  readonly config: Config;
  readonly control: Control;
  readonly records: Records;
  readonly performer: Performer;
  readonly actor: string;
  stack(name?: string): Stack;
  /** The health checks, and what the catalogue says of the backups. */
  health(stack: Stack): Promise<HealthReport>;
  plan(procedure: string, stack: string, input: Json): Promise<Plan>;
  engine(options?: { waitForLease?: boolean; onEvent?: (event: RunEvent) => void }): Engine;
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
  const url = environment["IPAI_DATABASE_URL"] ?? config.control.url?.reveal();
  const control = await openControl({ home: ipaiHome(environment), url, executor: executors.local });
  const records = createRecords(control);
  const calls = createCallRegistry(
    records,
    (name) => health(stack(name)),
    (message) => post(control.db, routesOf(config), [message], new Date()),
  );
  const performer: Performer = createPerformer({ executors: (host) => executors.of(host), calls });
  const health = async (one: Stack) =>
    withFindings(await runChecks(one, performer, healthChecks(one)), await findBackupFaults(records, one));
  const stacks = new Map<string, Stack>();
  const stack = (name?: string): Stack => {
    const found = getStack(config, name);
    const known = stacks.get(found.name) ?? createStack(found);
    stacks.set(found.name, known);
    return known;
  };
  const planFor = async (name: string, version: number | undefined, stackName: string, input: Json): Promise<Plan> => {
    const procedure = getProcedure(name, version) as unknown as Procedure<unknown, unknown>;
    const parsed = procedure.input.parse(input);
    const facts = await procedure.facts(createFactReader(stack(stackName), performer, records), parsed);
    return validatePlan(procedure.plan(stack(stackName), parsed, facts));
  };
  return {
    config,
    control,
    records,
    performer,
    actor: findActor(environment),
    stack,
    health,
    plan: (name, stackName, input) => planFor(name, undefined, stackName, input),
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

export function getProcedure(name: string, version?: number): AnyProcedure {
  const found = procedures.find(
    (procedure) => procedure.name === name && (version === undefined || procedure.version === version),
  );
  if (found === undefined) throw ProcedureUnknown({ name, version: version ?? 1 });
  return found;
}

/** The person behind a root shell, as far as the machine knows. */
function findActor(environment: NodeJS.ProcessEnv): string {
  return environment["SUDO_USER"] ?? userInfo().username;
}
