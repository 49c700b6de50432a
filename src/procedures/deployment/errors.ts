import { defineError } from "../../errors/error.ts";

/** Why a deployment is refused before it starts, or taken back. */

const untouched = "Nothing was changed.";

export const NoSource = defineError<{ stack: string }>("deploy.no_source", {
  exitCode: 23,
  message: (d) =>
    `The stack ${d.stack} has no source: nobody said which git repository its code comes from. ${untouched}`,
  hint: () =>
    "Name it under source in ipai.yaml (docs/operating/deployments.md), or use `ipai upgrade` for code that is in place already.",
});

export const TreeNotClean = defineError<{ changes: string }>("deploy.tree_not_clean", {
  exitCode: 23,
  message: (d) =>
    `The work tree has changes that no commit has, and a deployment would lose or mix them: ${d.changes}. ${untouched}`,
  hint: () => "Commit them, or take them away (`git status` lists them); what is ignored by git does not count.",
});

export const NothingToDeploy = defineError<{ commit: string }>("deploy.nothing_to_do", {
  exitCode: 24,
  message: (d) => `The stack is at ${d.commit} already, with every module of it. ${untouched}`,
  hint: () => "`ipai deploy --to REF` deploys another commit.",
});

export const CodeBroken = defineError<{ faults: string }>("deploy.code_broken", {
  exitCode: 23,
  message: (d) => `The release has code that cannot be read: ${d.faults}. ${untouched}`,
  hint: () => "Correct it in a new commit. Odoo would answer every page with an error.",
});

export const NotJudged = defineError<{ doubts: string }>("deploy.not_judged", {
  exitCode: 23,
  message: (d) => `What the release changes cannot be judged: ${d.doubts}. ${untouched}`,
  hint: () =>
    "Code must lie in the repository itself, below source.addons, for a deployment to know what it does to the database.",
});

export const ModulesLost = defineError<{ modules: string }>("deploy.modules_lost", {
  exitCode: 23,
  message: (d) => `The release has no code any more for installed modules: ${d.modules}. ${untouched}`,
  hint: () => "Uninstall them in Odoo first, or keep their code until that was done.",
});

export const DependencyMissing = defineError<{ missing: string }>("deploy.dependency_missing", {
  exitCode: 23,
  message: (d) => `The release needs what is not there: ${d.missing}. ${untouched}`,
  hint: () =>
    "Modules must lie in Odoo's addons folders, Python packages and programs must be installed where Odoo runs, before the release comes.",
});

export const NotNew = defineError<{ module: string; reason: string }>("deploy.cannot_install", {
  exitCode: 23,
  message: (d) => `The module ${d.module} cannot be installed: ${d.reason}. ${untouched}`,
  hint: () => "--install names modules of the release that the database does not have yet.",
});

export const NotCodeOnly = defineError<{ reasons: string }>("deploy.not_code_only", {
  exitCode: 23,
  message: (d) => `This is no hot-fix, since the database has to change with it: ${d.reasons}. ${untouched}`,
  hint: () => "`ipai deploy` brings it, with users kept out for as long as the update takes.",
});

export const NothingToRollBack = defineError<{ stack: string }>("rollback.nothing", {
  exitCode: 24,
  message: (d) => `There is no release on ${d.stack} that could be taken back. ${untouched}`,
  hint: () => "`ipai deployments` lists what was deployed.",
});

export const ReleaseUnknown = defineError<{ release: string; known: string }>("rollback.unknown_release", {
  exitCode: 23,
  message: (d) => `${d.release} is no release that stands. ${untouched}`,
  hint: (d) => `There are: ${d.known || "none"}.`,
});

export const NoSnapshot = defineError<{ release: string }>("rollback.no_snapshot", {
  exitCode: 23,
  message: (d) => `The database of before the release ${d.release} is not kept any more. ${untouched}`,
  hint: () =>
    "`ipai backup list` has the set that was made before it: `ipai restore SET` brings database and filestore back, `ipai deploy --to COMMIT` the code.",
});

export const NothingToRehearse = defineError<{ commit: string }>("rehearse.nothing", {
  exitCode: 24,
  message: (d) => `The release ${d.commit} changes no database: there is no update to rehearse. ${untouched}`,
  hint: () => "`ipai deploy` rolls it, one service after the other.",
});

export const RehearsalWithoutBackup = defineError<{ stack: string }>("rehearse.no_repository", {
  exitCode: 23,
  message: (d) =>
    `The stack ${d.stack} has no repository of backups, and a rehearsal is done on a backup. ${untouched}`,
  hint: () => "Set backup.repository in ipai.yaml.",
});

export const NotRehearsed = defineError<{ commit: string }>("deploy.not_rehearsed", {
  exitCode: 23,
  message: (d) => `The release ${d.commit} was not rehearsed, and source.rehearse asks for it. ${untouched}`,
  hint: (d) => `\`ipai rehearse --to ${d.commit}\` does, beside the serving stack.`,
});

export const ChecklistRed = defineError<{ red: string }>("deploy.checklist_red", {
  exitCode: 23,
  message: (d) => `The checklist is red. ${d.red} ${untouched}`,
  hint: () =>
    "Do what it says (`ipai deploy --checklist` shows all of it), or say why it has to be now: `ipai deploy --override REASON`, to which a second person has to consent.",
});

export const NoImages = defineError<{ stack: string }>("deploy.no_images", {
  exitCode: 23,
  message: (d) => `${d.stack} builds no images: it is no project of Docker Compose, or has no source. ${untouched}`,
  hint: () => "What is built of releases is said in docs/operating/deployments.md, under Images.",
});

interface Found {
  readonly found: string;
}

export const NotAtCommit = defineError<Found>("deploy.tree_moved", {
  exitCode: 25,
  message: (d) => `The work tree is not at the commit that the plan was made for (it is at ${d.found}).`,
  hint: () => "Did somebody pull or check out meanwhile? Run the command again.",
});

export const CodeDiffers = defineError<Found>("deploy.code_differs", {
  exitCode: 48,
  message: () => "After the checkout Odoo does not see the code of the release.",
  hint: () => "Is source.repository the tree that Odoo's addons folders are of?",
});

export const ImageLacks = defineError<Found>("deploy.image_lacks", {
  exitCode: 48,
  message: (d) => `The image of the release lacks what its modules need: ${d.found}. ${untouched}`,
  hint: () => "Python packages and programs that a module's manifest names must be installed by the Dockerfile.",
});

export const SmokeFailed = defineError<Found>("deploy.smoke_failed", {
  exitCode: 48,
  message: (d) => `The new release does not answer as it should (found: ${d.found}).`,
  hint: () => "The step names the question that was asked; Odoo's log says why it answered so.",
});

export const FixNotSeen = defineError<Found>("deploy.fix_not_seen", {
  exitCode: 48,
  message: (d) => `The hot-fix runs, but the check of the bug does not see it (found: ${d.found}).`,
  hint: () => "Is the check right, and the fix complete?",
});

interface Printed {
  readonly output: string;
}

export const LoginRefused = defineError<Printed>("deploy.login_refused", {
  exitCode: 48,
  message: (d) => `The user of the smoke test cannot log in to the new release: ${d.output}.`,
  hint: () =>
    "Is the password under urls.login the user's own, and can he log in with it by hand? The release itself may be good: mend the user, then deploy it again.",
});

export const LoginFailed = defineError<Printed>("deploy.login_failed", {
  exitCode: 48,
  message: (d) => `Nobody can log in to the new release: ${d.output}.`,
  hint: () => "Odoo's log says why it answered so.",
});

export const WebhookFailed = defineError<Printed>("deploy.webhook_failed", {
  exitCode: 48,
  message: (d) => `n8n does not answer the test of its webhook as it should: ${d.output}.`,
  hint: () =>
    "Is its workflow active, and does it take POST at the path under services.automation.smoke? A 403 means that the credential Finance PPM: webhooks of n8n has another secret than services.automation.webhookSecret. `ipai n8n failures` says what became of the call.",
});
