import { ask, doing, find, make, say } from "./common.js";

/** What waits, how stacks are, and what was run. A run's page, and much more, is the command line's. */

const states = { succeeded: "good", failed: "bad", "failed-and-undone": "bad", unknown: "bad" };

async function show() {
  const [stacks, runs] = await Promise.all([ask("/api/stacks"), ask("/api/runs?limit=20")]);
  const waiting = await Promise.all(runs.filter(({ waitingFor }) => waitingFor !== null).map(showWaiting));
  find("waiting").replaceChildren(...(waiting.length === 0 ? [make("p", {}, "Nothing waits.")] : waiting));
  find("stacks").replaceChildren(...(await Promise.all(stacks.map(showStack))));
  find("runs").replaceChildren(...runs.map(showRun));
}

async function showStack({ name }) {
  const health = await ask(`/api/stacks/${name}/health`).catch(() => undefined);
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

async function showWaiting({ run, stack, title, actor, waitingFor, error, consentsNeeded }) {
  const [plan, { approvals }] = await Promise.all([ask(`/api/runs/${run}/plan`), ask(`/api/runs/${run}`)]);
  const given = approvals
    .map((one) => one.actor + (one.onBehalfOf === null ? "" : ` for ${one.onBehalfOf}`))
    .join(", ");
  const about = `${run} on ${stack}, started by ${actor}. ${approvals.length} of ${consentsNeeded} consented${given === "" ? "" : `: ${given}`}.`;
  const act = (words, path, body, isQuiet = false) =>
    make("button", {
      type: "button",
      className: isQuiet ? "quiet" : "",
      textContent: words,
      onclick: (event) => void doing(event.currentTarget, () => ask(`/api/runs/${run}/${path}`, body).then(show)),
    });
  // Exactly the plan that is shown: its hash goes with the consent.
  const buttons =
    waitingFor === "approval"
      ? [act("Consent to this plan", "approvals", { planHash: plan.plan.hash }), act("Cancel", "cancel", {}, true)]
      : ["again", "done", "undo", "abandon"].map((decision) =>
          act(decision, "decision", { decision }, decision !== "again"),
        );
  const why = error === undefined ? [] : [make("p", { className: "bad" }, `${error.message} ${error.hint}`)];
  const text = make(
    "details",
    { open: waitingFor === "approval" },
    make("summary", {}, "The plan, with what will run"),
    make("pre", {}, plan.text),
  );
  return make(
    "article",
    {},
    make("h3", {}, title),
    make("p", { className: "quiet-text" }, about),
    ...why,
    text,
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
  const me = await ask("/api/me");
  find("who").textContent = me.handle;
  await show();
  const events = new EventSource("/api/events");
  for (const kind of ["run.running", "run.waiting", "run.undoing", "run.ended"])
    events.addEventListener(kind, () => void show().catch(() => undefined));
} catch (error) {
  if (error.status === 401) location.assign("/sign-in");
  else say(error.message, true);
}
