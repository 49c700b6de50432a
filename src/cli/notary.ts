import { join } from "node:path";
import { ipaiHome } from "../config/home.ts";
import type { Control } from "../engine/control.ts";
import { getRun, listSteps, type Run, type StepRow } from "../engine/journal.ts";
import { addOnceFor } from "../engine/once.ts";
import { findOwnFile, loadOwnFile } from "../engine/own-file.ts";
import type { Notary, RunAccount } from "../procedures/backup/certificate/calls.ts";
import { BadSigningKey } from "../procedures/backup/certificate/errors.ts";
import { newSigningKey, type Signer, signerOf } from "../procedures/backup/certificate/sign.ts";
import { version } from "./version.ts";

/** Signs certificates with this machine's own key, which is made when it is first needed, and tells of runs out of the journal. */

export function createNotary(control: Control, environment: NodeJS.ProcessEnv): Notary {
  return {
    signer: () => loadSigner(environment),
    account: (run) => accountOf(control, run),
    ask: (wanted) => addOnceFor(control, wanted, new Date()),
    now: () => new Date(),
    program: `ipai ${version}`,
  };
}

export async function loadSigner(environment: NodeJS.ProcessEnv): Promise<Signer> {
  const file = keyFile(environment);
  const pem = await loadOwnFile(file, newSigningKey).catch((error: unknown) => {
    throw BadSigningKey({ where: file }, { cause: error });
  });
  return signerOf(pem, file);
}

/** Undefined as long as nothing was signed on this machine: to check something, no key is made. */
export async function findOwnKey(environment: NodeJS.ProcessEnv): Promise<{ pem: string; where: string } | undefined> {
  const where = keyFile(environment);
  const pem = await findOwnFile(where);
  return pem === undefined ? undefined : { pem, where };
}

/** Beside the control database, not in it. */
function keyFile(environment: NodeJS.ProcessEnv): string {
  return join(ipaiHome(environment), "certificate.key");
}

async function accountOf(control: Control, id: string): Promise<RunAccount> {
  const run = await getRun(control, id);
  const steps = (await listSteps(control, run.id)).filter(({ phase }) => phase === "do");
  return {
    actor: run.actor,
    planHash: run.plan_hash,
    startedAt: (run.started_at ?? run.created_at).toISOString(),
    steps: steps.flatMap(({ step, started_at: from, finished_at: to }) =>
      to === null ? [] : [{ id: step, seconds: (to.getTime() - from.getTime()) / 1000 }],
    ),
    failure: failureOf(run, steps),
  };
}

function failureOf({ error }: Run, steps: readonly StepRow[]): RunAccount["failure"] {
  if (error === null) return null;
  const failed = steps.findLast((row) => row.outcome === "failed" && row.error?.code === error.code);
  return { step: failed?.title ?? null, code: error.code, message: error.message };
}
