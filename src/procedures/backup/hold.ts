import type { Probe } from "../../runbook/action.ts";
import type { Act, Bracket } from "../../runbook/plan.ts";
import { output } from "../../runbook/value.ts";
import type { Stack } from "../../stack/stack.ts";
import { type Holding, holdingSession, holdOf } from "../holding.ts";
import { change, read, takeBack, waitFor } from "../steps.ts";

/**
 * Odoo's file clean-up takes a SHARE lock on ir_attachment. A session that holds ROW EXCLUSIVE, as every writer does, keeps it
 * out: a clean-up that begins meanwhile gives up after the 10 s that it allows itself, and only for so long may writers of
 * attachments have to wait behind it. The same session exports the snapshot that dump and manifest see. It goes on when this
 * program dies, and ends by itself after the longest time that a backup may take.
 */
export function withFilesHeld(stack: Stack, body: Bracket["body"]): Bracket {
  const { start, isStarted, release, isGone } = holdingOf(stack);
  return {
    kind: "bracket",
    id: "files held",
    title: "Odoo's file clean-up is held off",
    open: [
      change({ id: "hold files", title: "Hold Odoo's file clean-up off", action: start }, { done: isStarted }),
      waitFor({
        id: "holding",
        title: "Wait until the holding session is there",
        probe: isStarted,
        timeoutSeconds: 30,
      }),
      waitFor({
        id: "held",
        title: "Wait until it has its lock",
        probe: holdExists(stack),
        timeoutSeconds: 300,
      }),
    ],
    body,
    close: [
      takeBack(
        { id: "release files", title: "Let Odoo's file clean-up go on", action: release },
        { attempts: 5, verify: [isGone] },
      ),
    ],
  };
}

function holdingOf(stack: Stack): Holding {
  return holdingSession(stack, {
    begin: "begin isolation level repeatable read",
    statements: ["lock table ir_attachment in row exclusive mode"],
    says: "pg_export_snapshot()",
    seconds: (stack.config.backup?.timeoutHours ?? 6) * 3600,
  });
}

/** The snapshot's name, for everything that is read as of its instant, and that instant. */
export function readInstant(stack: Stack): Act {
  const action = stack.postgres.query("postgres", instantSql, { hold: holdOf });
  return read({
    id: "instant",
    title: "Read the snapshot's name and time",
    action,
    outputs: {
      snapshot: { from: "stdout", as: "json", pick: ["snapshot"] },
      takenAt: { from: "stdout", as: "json", pick: ["takenAt"] },
      resticTime: { from: "stdout", as: "json", pick: ["resticTime"] },
    },
  });
}

export const snapshot = output("instant", "snapshot");
export const takenAt = output("instant", "takenAt");
/** The same instant as restic reads it. */
export const resticTime = output("instant", "resticTime");

/** The session takes its snapshot with its last statement but one, once it has its lock; since then it sleeps. */
const instantSql = `
select json_build_object('snapshot', split_part(application_name, ' ', 3),
    'takenAt', to_char(query_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'resticTime', to_char(query_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'))
  from pg_stat_activity where application_name like :'hold';
`;

/** With the snapshot's id in its name, the session has its lock. */
export function holdExists(stack: Stack): Probe {
  return { ...holdingOf(stack).holds, title: "the clean-up is held off" };
}
