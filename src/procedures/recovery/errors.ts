import { defineError } from "../../errors/error.ts";

interface Told {
  readonly output?: string;
  readonly found?: string;
}

export const RecoveryUnsupported = defineError<{ stack: string }>("recovery.unsupported", {
  exitCode: 13,
  message: (d) =>
    `The database server of ${d.stack} is neither a cluster of Debian's nor a service of a compose project. Nothing was changed.`,
  hint: () => "docs/operating/disaster-recovery.md says how it comes back by hand, from the same sets.",
});

export const RecoveryProjectRemains = defineError<{ stack: string; found: string }>("recovery.project_remains", {
  exitCode: 27,
  message: (d) => `Something is left of the project of ${d.stack}: ${d.found}. Nothing was changed.`,
  hint: () =>
    "A server is recovered where nothing of it is left: its volumes would be taken for the new ones. First make sure that neither repository nor archive lies in a volume of the project (`docker volume ls`; in the shipped one they are `backups` and `archive`), or copy them away: `docker compose down --volumes` deletes volumes for good, and is what comes next. When only the database is damaged: `ipai recover database`.",
});

export const RecoveryStillServes = defineError<{ stack: string; what: string }>("recovery.still_serves", {
  exitCode: 27,
  message: (d) => `${d.stack} is not gone: ${d.what}. Nothing was changed.`,
  hint: () =>
    "A server is recovered on a machine where nothing of the stack works. Is the right host in ipai.yaml? For an older state of a stack that serves: `ipai restore`.",
});

export const RecoveryProgramsMissing = defineError<{ host: string; programs: string }>("recovery.programs_missing", {
  exitCode: 15,
  message: (d) => `The machine (${d.host}) lacks programs that the stack needs: ${d.programs}. Nothing was changed.`,
  hint: () =>
    "Install them (Debian: postgresql-VERSION, restic, nginx, redis-server, python3, and Odoo with what it needs), then run the command again. recovery.provision can do it.",
});

export const RecoveryKeyMissing = defineError<{ path: string; repository: string }>("recovery.key_missing", {
  exitCode: 34,
  message: (d) => `The password of ${d.repository} is not there: ${d.path} cannot be read. Nothing was changed.`,
  hint: () =>
    "Put it there, from what `ipai backup key export` once wrote and you keep elsewhere: the line RESTIC_PASSWORD, for root alone (mode 0600).",
});

export const RecoverySetIncomplete = defineError<{ set: string; missing: string }>("recovery.set_incomplete", {
  exitCode: 33,
  message: (d) => `The set ${d.set} does not have all that a bare machine needs: ${d.missing}. Nothing was changed.`,
  hint: () =>
    "Take a newer one with --set (`restic snapshots` names them by run=…). Its data can be restored by hand: docs/operating/disaster-recovery.md.",
});

export const RecoveryClusterDiffers = defineError<{ set: string; configured: string; found: string }>(
  "recovery.cluster_differs",
  {
    exitCode: 13,
    message: (d) =>
      `ipai.yaml names the cluster ${d.configured}; the set ${d.set} was made of ${d.found}. Nothing was changed.`,
    hint: () => "Recover with the cluster that the set was made of, and move to another one afterwards.",
  },
);

export const RecoveryNotInPlace = defineError<Told>("recovery.not_in_place", {
  exitCode: 33,
  message: (d) => `What was put in place is not what the set has: ${(d.found ?? "").trim().split("\n")[0]}`,
  hint: () =>
    "Does something else on the machine write there, such as a configuration tool? Stop it, then decide: again.",
});

export const RecoveryCodeUnreachable = defineError<Told>("recovery.code_unreachable", {
  exitCode: 36,
  message: (d) =>
    `The code of the addons could not be fetched from its remote: ${(d.output ?? "").trim().split("\n").at(-1)}`,
  hint: () =>
    "Of code that a remote has a set only keeps the commit. Does the new machine have the network, and the key or password for that remote? Then decide: again.",
});

export const RecoveryProvisionFailed = defineError<Told>("recovery.provision_failed", {
  exitCode: 36,
  message: () => "The program that makes the new machine (recovery.provision) failed.",
  hint: () => "Its last lines say why. With a machine made by hand: the same command with --no-provision.",
});

export const RecoveryDnsFailed = defineError<Told>("recovery.dns_failed", {
  exitCode: 36,
  message: () => "The stack serves on the new machine, but the program that gives it its name (recovery.dns) failed.",
  hint: () => "Its last lines say why. Give it the name by hand, then decide: done.",
});

export const RecoveryUnreachable = defineError<Told>("recovery.unreachable", {
  exitCode: 30,
  message: () => "The new machine was made, but it cannot be reached.",
  hint: () => "Does the stack's host in ipai.yaml (an alias of your ssh configuration, best) lead to it?",
});

export const RecoveryNotPublic = defineError<Told>("recovery.not_public", {
  exitCode: 40,
  message: () => "The stack serves on its machine, but not at its public address.",
  hint: () => "Does its name lead to the new machine yet? Once it does, decide: again. To leave that for later: done.",
});

export const RecoveryDatabaseServes = defineError<{ stack: string; database: string }>("recovery.database_serves", {
  exitCode: 27,
  message: (d) => `The database server of ${d.stack} answers, and ${d.database} is in it. Nothing was changed.`,
  hint: () =>
    "For an older state: `ipai restore`. When pages of it are damaged although it answers: the same command with --although-it-answers.",
});

export const RecoveryNoCluster = defineError<{ cluster: string }>("recovery.no_cluster", {
  exitCode: 41,
  message: (d) => `The configuration of the cluster ${d.cluster} is gone too. Nothing was changed.`,
  hint: () => "Then it is not the database alone: `ipai recover server` brings configuration and all.",
});

export const RecoveryDataNotShared = defineError<Told>("recovery.data_not_shared", {
  exitCode: 13,
  message: (d) =>
    `The tools cannot exchange the data folder of the database's container (${(d.output ?? "").trim()}). Nothing was changed.`,
  hint: () =>
    "It has to lie below its volume (PGDATA=/var/lib/postgresql/data/cluster), and the tools need that volume too, to write to (`database:/var/lib/postgresql/data` under their volumes, then `docker compose up -d`). Or take the way by hand: docs/operating/disaster-recovery.md.",
});

export const RecoveryTablespaces = defineError<{ path: string }>("recovery.tablespaces", {
  exitCode: 13,
  message: (d) =>
    `The server has tablespaces below ${d.path}, which cannot be exchanged with the rest. Nothing was changed.`,
  hint: () => "Recover by hand: docs/operating/disaster-recovery.md.",
});

export const RecoveryDatabaseAbsent = defineError<Told>("recovery.database_absent", {
  exitCode: 33,
  message: () =>
    "In what the archive leads to, the database is not there: it was dropped, and that was archived as well. The stack is as it was.",
  hint: () => "Name an instant before that: --at. Or take the newest backup: --set latest.",
});

export const RecoveryFilesLost = defineError<Told>("recovery.files_lost", {
  exitCode: 33,
  message: (d) => `Attachments that the recovered database names have no file: ${(d.found ?? "").trim()}`,
  hint: () => "Everything else is back. `ipai restore latest --only files` looks for them in every backup.",
});
