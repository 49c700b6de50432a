import { ask, doing, find, make, say } from "./common.js";

/** What waits, how stacks are, and what was run. A run's page, and much more, is the command line's. */

const states = { succeeded: "good", failed: "bad", "failed-and-undone": "bad", unknown: "bad" };

async function show() {
  const [stacks, runs, open] = await Promise.all([
    ask("/api/stacks"),
    ask("/api/runs?limit=20"),
    ask("/api/runs?waiting=true&limit=100"),
  ]);
  const waiting = await Promise.all(open.map(findWaiting));
  fill("waiting", waiting, showWaiting, () => make("p", {}, "Nothing waits."));
  fill("stacks", await Promise.all(stacks.map(findHealth)), showStack);
  fill("runs", runs, showRun);
}

const shown = new Map();

/** What is as it was is left alone: whoever reads it, or has his hand on a button, is not disturbed. */
function fill(id, items, render, renderNone = () => "") {
  const text = JSON.stringify(items);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  find(id).replaceChildren(...(items.length === 0 ? [renderNone()] : items.map(render)));
}

/** One after the other; what happens meanwhile is looked at once more. */
let showing = Promise.resolve();
function showAgain() {
  showing = showing.then(show).catch(tell);
}

function tell(error) {
  if (error.code === "api.second_factor_due") location.assign("/second-factor");
  else if (error.status === 401) location.assign("/sign-in");
  else say(error.message, true);
}

async function findHealth({ name }) {
  return { name, health: await ask(`/api/stacks/${name}/health`).catch(() => undefined) };
}

async function findWaiting(run) {
  const [{ plan, text }, { approvals }] = await Promise.all([
    ask(`/api/runs/${run.run}/plan`),
    ask(`/api/runs/${run.run}`),
  ]);
  return { ...run, approvals, hash: plan.hash, text };
}

function showStack({ name, health }) {
  const words = health === undefined ? "not asked yet" : `${health.status}, ${new Date(health.at).toLocaleString()}`;
  const wrong = (health?.findings ?? []).map(({ title, hint }) => make("li", {}, `${title}${hint ? `. ${hint}` : ""}`));
  const look = health === undefined ? "quiet-text" : health.status === "ok" ? "good" : "bad";
  return make(
    "li",
    {},
    make("strong", {}, name),
    " ",
    make("span", { className: look }, words),
    make("ul", {}, ...wrong),
  );
}

function showRun({ run, stack, title, actor, outcome, waitingFor }) {
  const state = make(
    "td",
    { className: states[outcome] ?? "" },
    waitingFor === null ? outcome : `waits for ${waitingFor}`,
  );
  return make(
    "tr",
    {},
    make("td", {}, run),
    make("td", {}, stack),
    make("td", {}, title),
    make("td", {}, actor),
    state,
  );
}

const decisions = [
  ["again", "Do the step again", ""],
  ["done", "It is done, go on", ""],
  ["undo", "Take everything back", "Take back everything that this run did?"],
  [
    "abandon",
    "Give up",
    "Give up? What the run left is put right by nobody but you, and its stack is free for others.",
  ],
];

function showWaiting({ run, stack, title, actor, waitingFor, error, consentsNeeded, approvals, hash, text }) {
  const given = approvals
    .map((one) => one.actor + (one.onBehalfOf === null ? "" : ` for ${one.onBehalfOf}`))
    .join(", ");
  const about = `${run} on ${stack}, started by ${actor}. ${approvals.length} of ${consentsNeeded} consented${given === "" ? "" : `: ${given}`}.`;
  const act = (words, question, path, body) =>
    make("button", {
      type: "button",
      className: path === "approvals" || body.decision === "again" ? "" : "quiet",
      textContent: words,
      onclick: ({ currentTarget }) => {
        if (question === "" || confirm(question))
          void doing(currentTarget, () => ask(`/api/runs/${run}/${path}`, body).then(showAgain));
      },
    });
  const isDecision = waitingFor === "decision" || waitingFor === "undo";
  // Exactly the plan that is shown: its hash goes with the consent.
  const buttons = isDecision
    ? decisions.map(([decision, words, question]) => act(words, question, "decision", { decision }))
    : [
        act("Consent to this plan", "", "approvals", { planHash: hash }),
        act("Cancel", `Cancel ${run}? Its plan is made anew when it is wanted again.`, "cancel", {}),
      ];
  const why = error === undefined ? [] : [make("p", { className: "bad" }, `${error.message} ${error.hint}`)];
  return make(
    "article",
    {},
    make("h3", {}, title),
    make("p", { className: "quiet-text" }, about),
    ...why,
    make(
      "details",
      { open: !isDecision },
      make("summary", {}, `The plan ${hash.slice(0, 12)}, with what will run`),
      make("pre", {}, text),
    ),
    make("div", { className: "row" }, ...buttons),
  );
}

find("sign-out").addEventListener("click", (event) => {
  void doing(event.currentTarget, async () => {
    await ask("/api/auth/sign-out", {});
    location.assign("/sign-in");
  });
});

try {
  find("who").textContent = (await ask("/api/me")).handle;
  await show();
  const events = new EventSource("/api/events");
  for (const kind of ["run.running", "run.waiting", "run.undoing", "run.ended"])
    events.addEventListener(kind, showAgain);
} catch (error) {
  tell(error);
}
