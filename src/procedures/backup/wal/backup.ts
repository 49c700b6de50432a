import { z } from "zod";
import type { Plan } from "../../../runbook/plan.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { Procedure } from "../../procedure.ts";
import { read } from "../../steps.ts";
import { requireArchiving, requirePgBackRest, type WalServer } from "./facts.ts";
import { baseBackup, segmentArrives } from "./steps.ts";

const input = z.object({
  type: z
    .enum(["full", "diff", "incr"])
    .default("incr")
    .describe("full: everything; diff: what changed since the last full one; incr: since the last of any kind"),
});
type Input = z.infer<typeof input>;

export const walBackup: Procedure<Input, WalServer> = {
  name: "wal backup",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Base backup",
  summary:
    "Makes a base backup for the archive: the nearer one lies before an instant, the sooner that instant is restored. What is older " +
    "than the full backups to be kept is removed by pgBackRest.",
  input,
  facts: requireArchiving,
  plan: planBackup,
};

function planBackup(stack: Stack, { type }: Input, server: WalServer): Plan {
  const pgbackrest = requirePgBackRest(stack);
  return {
    procedure: walBackup.name,
    version: walBackup.version,
    stack: stack.name,
    title: `Back up the database server into ${pgbackrest.settings.repository}`,
    input: { type },
    facts: {},
    lease: "shared",
    notes: ["Odoo keeps running. Without a full backup before it, any backup becomes a full one."],
    steps: [
      read(
        { id: "check", title: "pgBackRest's own check", action: pgbackrest.check(server.dataDirectory), outputs: {} },
        { timeoutSeconds: 3 * pgbackrest.settings.patience },
      ),
      ...segmentArrives(stack, pgbackrest),
      { ...baseBackup(pgbackrest, type, server), onFail: "undo" },
    ],
  };
}
