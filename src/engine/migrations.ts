import type { Migration } from "kysely/migration";
import * as runs from "./migrations/0001_runs.ts";
import * as innerRuns from "./migrations/0002_inner_runs.ts";
import * as runsOfAStack from "./migrations/0003_runs_of_a_stack.ts";
import * as schedules from "./migrations/0004_schedules.ts";
import * as quietRuns from "./migrations/0005_quiet_runs.ts";
import * as outbox from "./migrations/0006_outbox.ts";
import * as audit from "./migrations/0007_audit.ts";
import * as consent from "./migrations/0008_consent.ts";
import * as people from "./migrations/0009_people.ts";
import * as rights from "./migrations/0010_rights.ts";
import * as outboxPaced from "./migrations/0011_outbox_paced.ts";
import * as requests from "./migrations/0012_requests.ts";
import * as oneOffs from "./migrations/0013_one_offs.ts";

/**
 * The control database's schema, in numbered steps that are never edited once released. Kysely's migrator runs them under a lock
 * and refuses a database that knows steps which this version does not.
 */
export const migrations: Readonly<Record<string, Migration>> = {
  "0001_runs": runs,
  "0002_inner_runs": innerRuns,
  "0003_runs_of_a_stack": runsOfAStack,
  "0004_schedules": schedules,
  "0005_quiet_runs": quietRuns,
  "0006_outbox": outbox,
  "0007_audit": audit,
  "0008_consent": consent,
  "0009_people": people,
  "0010_rights": rights,
  "0011_outbox_paced": outboxPaced,
  "0012_requests": requests,
  "0013_one_offs": oneOffs,
};
