import { defineFinding } from "../../errors/finding.ts";

/** What is ticked before a deployment, in the order in which it is told. */
export const ticked = {
  tree: defineFinding("IPAI-DEPLOY-001", {
    title: "Work tree and commit",
    asks: "whether the work tree is as its commit says, and the wanted commit is there",
    fails: "something was changed by hand, or there is no such commit: refused",
    first: "`git status` in the work tree, as its owner: keep what is needed, then put it back.",
  }),
  code: defineFinding("IPAI-DEPLOY-002", {
    title: "Code of the release",
    asks: "whether the release can be read and judged, and has every module that is installed",
    fails: "it cannot, or lacks one: refused",
    first: "Correct the release; the finding names file or module.",
  }),
  dependencies: defineFinding("IPAI-DEPLOY-003", {
    title: "Dependencies",
    asks: "whether the modules, Python packages and programs that it names are there",
    fails: "one is missing: refused",
    first: "Install it where Odoo runs, or build it into the image.",
  }),
  breaking: defineFinding("IPAI-DEPLOY-004", {
    title: "Breaking changes",
    asks: "what commits and changelog call breaking",
    warns: "there is such a change",
    first: "Tell whoever it concerns before it comes.",
  }),
  access: defineFinding("IPAI-DEPLOY-005", {
    title: "Access rights and rules",
    asks: "which access rights, record rules and groups the release changes",
    warns: "it changes one",
    first: "Read in the plan who gains and loses what: was it meant?",
  }),
  rehearsal: defineFinding("IPAI-DEPLOY-006", {
    title: "Rehearsal",
    asks: "whether this commit was rehearsed from the one that lies there, and what that found",
    warns: "it was not; or views become invalid, or scheduled actions are lost",
    fails: "it was not, and `source.rehearse` is `always`: refused",
    first: "`ipai rehearse`.",
  }),
  backup: defineFinding("IPAI-DEPLOY-007", {
    title: "Proven backup",
    asks: "how old the newest proven backup is",
    warns: "it is too old, or there is none, and only code changes",
    fails: "it is older than `objectives.rpo`, or a day where that is less, or there is none",
    first: "`ipai backup`, and then `ipai backup verify`.",
  }),
  disk: defineFinding("IPAI-DEPLOY-008", {
    title: "Disk space",
    asks: "what IPAI-DISK-001 asks, and whether the copy of before has room",
    warns: "as IPAI-DISK-001",
    fails: "as IPAI-DISK-001; or there is no room for the copy: refused",
    first: "Make room before the deployment.",
  }),
  users: defineFinding("IPAI-DEPLOY-009", {
    title: "Users at work",
    asks: "who was there in the last hour, where they would notice",
    warns: "somebody was",
    fails: "somebody was, the database changes, and `deployments.users` is `fail`",
    first: "Tell them, or choose another time (`--at`).",
  }),
  freeze: defineFinding("IPAI-DEPLOY-010", {
    title: "Freeze",
    asks: "whether `deployments.freeze` declares a window at the time of the deployment",
    fails: "one is declared for that time",
    first: "Deploy afterwards; `ipai hotfix` brings what corrects code alone.",
  }),
} as const;
