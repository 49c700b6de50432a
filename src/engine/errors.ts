import { catalogue, defineError, type ErrorDefinition, type IpaiError } from "../errors/error.ts";
import type { Probe } from "../runbook/action.ts";
import type { Json } from "../runbook/value.ts";

/** What can be wrong with a run, from the side of the person who started it. */

export const RunNotFound = defineError<{ run: string }>("run.not_found", {
  exitCode: 50,
  message: (d) => `There is no run ${d.run}.`,
  hint: () => "`ipai runs` lists the latest ones. The beginning or the end of an id is enough when it is unique.",
});

export const StackBusy = defineError<{
  stack: string;
  holder: string;
  procedure: string;
  actor: string;
  since: string;
  /** Nobody carries the holder out: its program ended before the run did. */
  isUnattended: boolean;
}>("run.stack_busy", {
  exitCode: 20,
  retryable: true,
  message: (d) =>
    `The stack ${d.stack} is held by run ${d.holder} (${d.procedure}, started by ${d.actor}) since ${d.since}${d.isUnattended === true ? "; nobody carries that run out any more" : ""}. Nothing was changed.`,
  hint: (d) =>
    d.isUnattended === true
      ? `Go on with it (\`ipai runs resume ${d.holder}\`), or take it back (\`ipai runs cancel ${d.holder}\`).`
      : `Wait for it (\`--wait\`), look at it (\`ipai runs show ${d.holder}\`), or cancel it (\`ipai runs cancel ${d.holder}\`).`,
});

export const RunBeingAdvanced = defineError<{ run: string; worker: string }>("run.being_advanced", {
  exitCode: 21,
  retryable: true,
  message: (d) => `Run ${d.run} is being carried out by ${d.worker}.`,
  hint: (d) => `Follow it with \`ipai runs show ${d.run}\`, or stop it with \`ipai runs cancel ${d.run}\`.`,
});

export const RunFenced = defineError<{ run: string }>("run.fenced", {
  exitCode: 51,
  message: (d) => `Another process took over run ${d.run}; this one stops without touching anything more.`,
  hint: (d) => `Look at it with \`ipai runs show ${d.run}\`.`,
});

export const PlanDrifted = defineError<{ run: string; approved: string; now: string; differs: string }>("run.drift", {
  exitCode: 22,
  message: (d) =>
    `The stack is not as it was when this plan was made (plan ${d.approved.slice(0, 12)}, now it would be ${d.now.slice(0, 12)}; what differs: ${d.differs}). Nothing was changed.`,
  hint: () => "Run the command again: it makes a new plan from the stack as it is now.",
});

export const VerifyFailed = defineError<{ title: string; found: string; wanted: string }>("run.verify_failed", {
  exitCode: 52,
  message: (d) => `Not as it should be: ${d.title} (wanted ${d.wanted}, found ${d.found}).`,
  hint: () => "The step's output (`ipai runs logs`) shows what it did.",
});

export const ProbeUnknown = defineError<{ title: string; reason: string }>("run.probe_unknown", {
  exitCode: 53,
  message: (d) => `Could not find out: ${d.title} (${d.reason}).`,
  hint: () => "Is the service that would answer running? When it is, `ipai runs resume` goes on.",
});

export const Interrupted = defineError<{ title: string }>("run.interrupted", {
  exitCode: 54,
  message: (d) =>
    `The program ended while this step was under way, and whether it finished cannot be told: ${d.title}.`,
  hint: () => "It is taken back, or a person is asked, rather than guessed at: look at the stack before you decide.",
});

export const HostAway = defineError<{ reason: string }>("run.host_away", {
  exitCode: 57,
  retryable: true,
  message: (d) => `The host of the stack cannot be reached: ${d.reason}`,
  hint: () =>
    "The run stays where it stopped. When the host is there again, `ipai runs resume` goes on with it; `ipai runs` names it.",
});

export const WaitTimedOut = defineError<{ title: string; seconds: number; last: string }>("run.wait_timed_out", {
  exitCode: 55,
  message: (d) => `${d.title}: not within ${d.seconds} s (last answer: ${d.last}).`,
  hint: () => "The service's own log says why it is not ready.",
});

export const UndoFailed = defineError<{ step: string; reason: string }>("run.undo_failed", {
  exitCode: 56,
  message: (d) =>
    `Taking back stopped at "${d.step}": ${d.reason} The stack is between two states and stays reserved for this run.`,
  hint: () =>
    "Remove the cause and `ipai runs resume` it; or put the stack right by hand and `ipai runs resume --decide abandon`.",
});

export const Cancelled = defineError<{ by: string }>("run.cancelled", {
  exitCode: 57,
  message: (d) => `Cancelled by ${d.by}.`,
  hint: () => "What the run had done was taken back; `ipai runs show` lists each step.",
});

export const MandateExceeded = defineError<{ name: string }>("run.mandate_exceeded", {
  exitCode: 58,
  message: (d) => `The procedure ${d.name} would do more than was approved for it. It was not started.`,
  hint: () => "Run it on its own, so that its plan can be read and approved.",
});

export const InnerProcedureFailed = defineError<{ run: string; title: string; reason: string }>(
  "run.inner_procedure_failed",
  {
    exitCode: 65,
    message: (d) => `${d.title} did not succeed: ${d.reason}`,
    hint: (d) => `\`ipai runs show ${d.run}\` tells its story.`,
  },
);

export const InnerProcedureWaits = defineError<{ run: string; title: string; reason: string }>(
  "run.inner_procedure_waits",
  {
    exitCode: 67,
    message: (d) => `${d.title} waits for a person's decision: ${d.reason}`,
    hint: (d) =>
      `\`ipai runs show ${d.run}\` tells where it stands; what you decide about this run is done at that step.`,
  },
);

export const ScheduleUnderWay = defineError<{ schedule: string; run: string }>("schedule.under_way", {
  exitCode: 59,
  retryable: true,
  message: (d) => `What ${d.schedule} began last has not ended: run ${d.run}. Nothing was begun.`,
  hint: (d) => `\`ipai runs show ${d.run}\` says what it waits for.`,
});

export const NotConsentedInTime = defineError<{ run: string; at: string }>("schedule.not_consented", {
  exitCode: 22,
  message: (d) => `Run ${d.run} was to begin ${d.at}, and did not have its consent by then. Nothing was changed.`,
  hint: () => "Plan it again for another time; who has to consent is told when it is planned.",
});

export const TimePassed = defineError<{ run: string; at: string }>("schedule.passed", {
  exitCode: 22,
  message: (d) => `Run ${d.run} was to begin ${d.at}, and nothing could begin it then. Nothing was changed.`,
  hint: () => "Does a worker run (`ipai status`)? Plan it again for another time.",
});

export const StackBusyTooLong = defineError<{ at: string; reason: string }>("schedule.stack_busy", {
  exitCode: 22,
  message: (d) => `It was to begin ${d.at}, and the stack was not free in time. ${d.reason}`,
  hint: () => "Plan it again for another time.",
});

export const NothingToDecide = defineError<{ run: string; status: string }>("run.nothing_to_decide", {
  exitCode: 59,
  message: (d) => `Run ${d.run} does not wait for a decision (it is ${d.status}).`,
  hint: (d) => `\`ipai runs show ${d.run}\` says where it stands.`,
});

export const ProcedureUnknown = defineError<{ name: string; version: number }>("run.procedure_unknown", {
  exitCode: 64,
  message: (d) => `This version of ipai does not know the procedure ${d.name} in version ${d.version}.`,
  hint: () =>
    "If it is one of your own, put its file back (`ipai procedures` lists what there is); if the run was started by another version, resume it with that one; or `ipai runs cancel` it.",
});

/** The error that a verification's "no" means: the one its probe names, or the general one. */
export function toVerifyError(probe: Probe, found: Json): IpaiError {
  const wanted = `${probe.compare} ${typeof probe.with === "object" ? "the recorded value" : JSON.stringify(probe.with)}`;
  const text = typeof found === "string" ? found : JSON.stringify(found);
  const details = { title: probe.title, found: capped(text), wanted, output: text };
  const definition = probe.code === undefined ? undefined : catalogue.get(probe.code);
  return definition === undefined ? VerifyFailed(details) : (definition as ErrorDefinition<object>)(details);
}

/** A log excerpt in a one-line message: the beginning says enough, the whole is in the step's output. */
function capped(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
