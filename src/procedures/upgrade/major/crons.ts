import type { Act, Sequence } from "../../../runbook/plan.ts";
import type { Stack } from "../../../stack/stack.ts";
import { type Holding, holdingSession } from "../../holding.ts";
import { change, takeBack, waitFor } from "../../steps.ts";

/**
 * Schedulers start with the services, and whoever looks at a new series may still say no: then what they sent was sent, what they fetched is
 * lost, and the old database does it again. Odoo passes over a scheduled action whose row somebody has locked (`for no key update skip locked`,
 * in 18 and 19), so a session of the run's own locks them all, and none is rewritten. What only refers to an action, as what puts one in the
 * queue does, does not wait for such a lock.
 */

/** While services are stopped: from here on they run no scheduled action. Taken back when they are stopped again. */
export function holdCrons(stack: Stack): Sequence {
  const { start, isStarted, holds } = holdingOf(stack);
  return [
    change(
      { id: "hold crons", title: "Hold scheduled actions off until users are let in", action: start },
      { done: isStarted, undo: [releaseCrons(stack, "release crons again")] },
    ),
    waitFor({ id: "crons held", title: "Wait until it has their rows", probe: holds, timeoutSeconds: 60 }),
  ];
}

/** When nobody says no any more. */
export function releaseCrons(stack: Stack, id = "release crons"): Act {
  const { release, isGone } = holdingOf(stack);
  const title = "Let scheduled actions run";
  return takeBack({ id, title, action: release }, { attempts: 5, verify: [isGone] });
}

function holdingOf(stack: Stack): Holding {
  return holdingSession(stack, {
    begin: "begin",
    statements: ["select from ir_cron for no key update"],
    says: "'crons'",
    seconds: holdSeconds,
  });
}

/** Longer than anybody is waited for. */
const holdSeconds = 6 * 3600;
