import { command, type Probe, type SqlAction } from "../../runbook/action.ts";
import type { Act } from "../../runbook/plan.ts";
import { suffixed, type Text } from "../../runbook/value.ts";
import type { Stack } from "../../stack/stack.ts";
import { change } from "../steps.ts";
import { kept } from "./backup.ts";
import { attachmentsSql, manifestSql, sequencesSql } from "./manifest.ts";

/** A database that was made of a set is asked what the set says, and both answers are compared. Where it is, is all the same. */

export interface Restored {
  ask(sql: string): SqlAction;
  /** The folder of the set. */
  readonly set: Text;
  /** The folder for its own answers. */
  readonly answers: Text;
}

export function compareManifest(stack: Stack, restored: Restored, code = "backup.manifest_mismatch"): Act {
  const [was, came] = filesOf(restored, "manifest");
  const equal: Probe = {
    ...filesAreEqual(stack, was, came),
    title: "every table has the rows and checksums of the backup's manifest",
    code,
  };
  return change(
    { id: "manifest", title: "Compare every table with the manifest", action: kept(restored.ask(manifestSql), came) },
    { verify: [equal], timeoutSeconds: 6 * 3600 },
  );
}

/** Answers with the lines in which they differ: `-` as it was, `+` as it came back. */
function filesAreEqual(stack: Stack, was: Text, came: Text): Omit<Probe, "title"> {
  const lines = ["--unchanged-line-format=", "--old-line-format=- %L", "--new-line-format=+ %L"];
  return {
    action: command(stack.tools, ["diff", ...lines, "--", was, came], { okExitCodes: [0, 1] }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
  };
}

/** The files were checked against the list in the set; this is what the restored database itself asks for. */
export function compareAttachments(stack: Stack, restored: Restored): Act {
  const [was, came] = filesOf(restored, "attachments");
  const equal: Probe = {
    ...filesAreEqual(stack, was, came),
    title: "the database asks for the attachments that were checked",
    code: "backup.attachments_damaged",
  };
  return change(
    {
      id: "attachment list",
      title: "Compare the list of attachments",
      action: kept(restored.ask(attachmentsSql), came),
    },
    { verify: [equal], timeoutSeconds: 3600 },
  );
}

/** Rows alone do not make a database that can be worked with: a sequence that fell back gives numbers out again. */
export function compareSequences(stack: Stack, restored: Restored): Act {
  const [was, came] = filesOf(restored, "sequences");
  const notBehind: Probe = {
    title: "no sequence gives numbers out again",
    action: command(stack.tools, ["awk", "-F", "\t", behindScript, came, was]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "backup.sequences_behind",
  };
  return change(
    { id: "sequences", title: "Compare where the sequences stand", action: kept(restored.ask(sequencesSql), came) },
    { verify: [notBehind] },
  );
}

/** The copy's sequences are read first, the backup's then compared with them. A copy without sequences has an empty file. */
export const behindScript =
  'FILENAME == ARGV[1] { now[$1] = $2; next } !($1 in now) { print $1 " is missing" } ' +
  '($1 in now) && now[$1] + 0 < $2 + 0 { print $1 " is at " now[$1] ", was at " $2 }';

function filesOf({ set, answers }: Restored, name: string): readonly [was: Text, came: Text] {
  return [suffixed(set, `/${name}`), suffixed(answers, `/${name}`)];
}
