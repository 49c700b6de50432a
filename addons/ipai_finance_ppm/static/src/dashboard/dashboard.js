/**
 * The dashboard: asks for what the user may see, and shows it. It holds no words of its own: they are in the page and in the answer, in
 * the user's language. What comes from the answer is set as text, never as markup.
 */

// The version in this file's address is the others', too: Odoo lets browsers keep files for a week.
const { search: version } = new URL(import.meta.url);
const charts = await import(`./charts.js${version}`);
const { drawPlan } = await import(`./plan.js${version}`);

const STALE_MS = 5 * 60_000;
const ROWS_DRAWN = 40;
const find = (id) => document.getElementById(id);
const day = charts.dayFormat({ weekday: "short", day: "numeric", month: "short", year: "numeric" });
const asked = new URLSearchParams(location.search);
let answer;
let answeredAt = 0;

function make(name, { kind, text, ...properties } = {}, ...inside) {
  const made = Object.assign(document.createElement(name), properties);
  if (kind) made.className = kind;
  made.append(...(text === undefined ? [] : [text]), ...inside);
  return made;
}

const recordUrl = (model, id) => `/odoo/${encodeURIComponent(model)}/${encodeURIComponent(id)}`;
const filingUrl = ({ id }) => recordUrl("ipai.finance.bir_schedule", id);

/** Shows one of the states, or none; what was seen before stays where it may. */
function state(name, words) {
  for (const one of document.querySelectorAll("[data-state]")) one.hidden = one.dataset.state !== name;
  if (words) find("refusal").textContent = words;
  if (name === "session" || name === "refused") find("main").hidden = true;
  if (name) find("said").textContent = "";
}

// Tables

const cells = {
  text: (value) => [String(value)],
  company: (value) => [value],
  number: (value) => [String(value)],
  percent: (value) => [`${value} %`],
  day: (value) => (value ? [make("time", { dateTime: value, text: day(value) })] : []),
  left: (value, { left }) => [make("span", { kind: left < 0 ? "late" : "", text: value })],
  status: (value, { status }) => [make("span", { kind: `pill ${status}`, text: value })],
  verdict: (value, { verdict }) => (verdict ? [make("span", { kind: `pill ${verdict}`, text: value })] : []),
  filing: (value, row) => [
    make("a", { href: filingUrl(row), text: value, title: row.title }),
    ...(row.isDoubtful ? [" ", make("span", { kind: "doubtful", text: "?" })] : []),
  ],
  task: (value, { id, wbs }) => [make("a", { href: recordUrl("project.task", id), text: `${wbs} ${value}`.trim() })],
  close: (value, { id }) => [make("a", { href: recordUrl("ipai.finance.close", id), text: value })],
  objective: (value, { code, depth, id }) => [
    make("a", {
      kind: `depth depth-${Math.min(depth, 5)}`,
      href: recordUrl("ipai.finance.logframe", id),
      text: `${code} ${value}`,
    }),
  ],
};

/** Fills a table by what the heads of its columns say. A narrow window shows rows as cards, so cells carry the heads' words. */
function fill(table, rows) {
  const heads = [...table.tHead.rows[0].cells];
  table.tBodies[0].replaceChildren(
    ...rows.map((row) =>
      make(
        "tr",
        { role: "row" },
        ...heads.map(({ dataset: { cell, kind = "text" }, textContent }) => {
          const made = make("td", { kind, role: "cell" }, ...cells[kind](row[cell], row));
          made.dataset.label = textContent;
          return made;
        }),
      ),
    ),
  );
}

// Another display of a table takes its meaning from it, unless it is said.
function sayTables() {
  for (const table of document.querySelectorAll("table")) {
    table.setAttribute("role", "table");
    for (const part of [table.tHead, ...table.tBodies]) part.setAttribute("role", "rowgroup");
    table.tHead.rows[0].setAttribute("role", "row");
    for (const head of table.tHead.rows[0].cells) head.setAttribute("role", "columnheader");
  }
}

/** Shows the rows of a section, or that there are none. Returns whether there are any. */
function section(id, rows) {
  const whole = find(id);
  for (const one of whole.querySelectorAll(".chart, details, table, .hint, label, progress"))
    one.hidden = rows.length === 0;
  whole.querySelector(".none").hidden = rows.length > 0;
  const table = whole.querySelector("table");
  if (table) fill(table, rows);
  return rows.length > 0;
}

const headOf = (id, cell) => find(id).querySelector(`th[data-cell="${cell}"]`).textContent;
const canvasOf = (id) => find(id).querySelector("canvas");

// Sections

function showSetUp() {
  find("set-up").hidden = answer.setUp.length === 0;
  find("set-up")
    .querySelector("ul")
    .replaceChildren(
      ...answer.setUp.map(({ id, company, items }) => {
        const href = id ? recordUrl("ipai.finance.filer", id) : "/odoo/action-ipai_finance_ppm.action_filer";
        return make(
          "li",
          {},
          make("a", { href, text: company }),
          make("ul", {}, ...items.map((text) => make("li", { text }))),
        );
      }),
    );
}

function showHeartbeats() {
  section("heartbeats", answer.heartbeats);
  const isInTrouble = answer.heartbeats.some(({ verdict }) => verdict === "late");
  find("in-trouble").hidden = !isInTrouble;
  find("on-time").hidden = isInTrouble;
  find("heartbeats").querySelector("details").open ||= isInTrouble;
}

function showNumbers() {
  find("numbers").replaceChildren(
    ...answer.numbers.map(({ key, name, value, isBad }) =>
      make(
        "div",
        { kind: isBad ? `tile bad ${key}` : `tile ${key}` },
        make("dt", { text: name }),
        make("dd", { text: value }),
      ),
    ),
  );
}

function showAlerts() {
  const { rows, count } = answer.alerts;
  const list = find("alerts").querySelector("ul");
  list.replaceChildren(...rows.map(alertOf));
  list.hidden = rows.length === 0;
  find("alerts").querySelector(".none").hidden = rows.length > 0;
  find("more-alerts").hidden = count <= rows.length;
}

function alertOf({ ids, subject, reason, severity, said, when, company, model, record, failed }) {
  const item = find("alert").content.cloneNode(true).firstElementChild;
  const part = (name) => item.querySelector(name);
  part(".severity").classList.add(severity);
  part(".severity").textContent = said;
  part("a").textContent = subject;
  part("a").href = recordUrl(model, record);
  part(".reason").textContent = reason;
  part(".where").textContent = answer.companies.length > 1 ? `${company}, ${when}` : when;
  part(".failed").textContent = failed;
  part("button").hidden = !answer.mayAck;
  part("button").setAttribute("aria-label", `${part("button").textContent}: ${subject}`);
  part("button").addEventListener("click", () => acknowledge(item, ids));
  return item;
}

async function acknowledge(item, ids) {
  const button = item.querySelector("button");
  button.disabled = true;
  const done = await post("/ipai/finance/ppm/api/alerts/ack", { ids: ids.join(",") });
  button.disabled = false;
  if (!done) return;
  // Whoever works through them by keyboard goes on with the next.
  const at = [...item.parentElement.children].indexOf(item);
  await load();
  const left = find("alerts").querySelectorAll("li button");
  (left[Math.min(at, left.length - 1)] ?? find("alerts-title")).focus();
}

function showTimeline() {
  const rows = answer.filings.slice(0, ROWS_DRAWN);
  if (!section("timeline", rows)) return;
  find("timeline-drawn").textContent =
    answer.filings.length > rows.length ? `${rows.length} / ${answer.filings.length}` : "";
  charts.drawTimeline(canvasOf("timeline"), rows, {
    today: answer.today,
    open: (row) => location.assign(filingUrl(row)),
  });
}

/** A close says when it is due, too: on a line of its own. */
const labelOf = ({ name, company, period, leftSaid }) => (period ? [company, `${period}, ${leftSaid}`] : name);

/** A section of bars in parts: the heads of the columns are the words of the legend. */
function showParts(id, rows, looks) {
  if (!section(id, rows)) return;
  const parts = Object.entries(looks).map(([cell, look]) => ({
    look,
    label: headOf(id, cell),
    values: rows.map((row) => row[cell]),
  }));
  charts.drawParts(canvasOf(id), rows.map(labelOf), parts);
}

/** The close that is looked at: the one that was chosen, else the newest that is still open. */
function closeShown() {
  const of = (test) => answer.closes.find(test);
  return of(({ id }) => String(id) === asked.get("close")) ?? of(({ isOpen }) => isOpen) ?? answer.closes[0];
}

function showPlan() {
  const close = closeShown();
  const rows = close?.plan ?? [];
  section("raci", rows);
  find("plan-said").textContent = close?.progress ?? "";
  if (!section("plan", rows)) return;
  find("close").replaceChildren(...answer.closes.map(({ id, name }) => make("option", { value: id, text: name })));
  find("close").value = close.id;
  find("plan").querySelector("progress").value = close.completion;
  const drawn = rows.filter(({ due }) => due);
  drawPlan(canvasOf("plan"), drawn, {
    today: answer.today,
    open: ({ id }) => location.assign(recordUrl("project.task", id)),
  });
}

function showCharts() {
  showTimeline();
  showPlan();
  if (section("deadlines", answer.deadlines)) {
    const words = { expected: headOf("deadlines", "expected"), completion: headOf("deadlines", "completion") };
    charts.drawDeadlines(canvasOf("deadlines"), answer.deadlines, words);
  }
  if (section("statuses", answer.statuses.some(({ count }) => count > 0) ? answer.statuses : [])) {
    charts.drawCounts(canvasOf("statuses"), answer.statuses);
  }
  showParts("workload", answer.workload, { overdue: "late", soon: "now", later: "rest" });
  showParts("closes", answer.closes, { done: "done", waiting: "rest", overdue: "late" });
}

function show() {
  find("said").textContent = answer.said;
  const choice = find("company");
  choice.replaceChildren(
    choice.options[0],
    ...answer.companies.map(({ id, name }) => make("option", { value: id, text: name })),
  );
  choice.value = answer.company ?? "";
  find("company-label").hidden = answer.companies.length < 2;
  find("controls").hidden = false;
  find("main").hidden = false;
  showSetUp();
  showNumbers();
  showAlerts();
  showHeartbeats();
  showCharts();
  section("filings", answer.filings);
  find("doubtful").hidden = !answer.filings.some(({ isDoubtful }) => isDoubtful);
  section("logframe", answer.logframe);
}

// The server

const ask = (url, options) =>
  fetch(url, { headers: { Accept: "application/json" }, ...options }).catch(() => undefined);

/** What became of a request: whether there is an answer, else the state is shown. */
async function isAnswered(response) {
  if (response?.ok) return true;
  if (response?.status === 401) state("session");
  else if (response?.status === 403) state("refused", (await response.json()).error);
  else state("silent");
  return false;
}

async function load() {
  const words = new URLSearchParams();
  for (const name of ["company", "days"]) if (asked.get(name)) words.set(name, asked.get(name));
  const response = await ask(`/ipai/finance/ppm/api/bir?${words}`);
  if (!(await isAnswered(response))) return;
  answer = await response.json();
  answeredAt = Date.now();
  state();
  show();
}

/** Changes something, as the page's session. A token that is too old is one of a session that has ended: asking again tells. */
async function post(url, values) {
  const response = await ask(url, {
    method: "POST",
    body: new URLSearchParams({ ...values, csrf_token: answer.csrf }),
  });
  if (response?.status === 400) await load();
  else if (await isAnswered(response)) return response.json();
  return undefined;
}

// What people do

function keep(name, value) {
  if (value) asked.set(name, value);
  else asked.delete(name);
  history.replaceState(null, "", `${location.pathname}?${asked}`);
}

function choose(name, value) {
  keep(name, value);
  return load();
}

async function makeAddress() {
  const made = await post("/ipai/finance/ppm/api/calendar", {});
  find("address-line").hidden = !made;
  find("calendar-failed").hidden = Boolean(made);
  if (!made) return;
  find("address").value = made.url;
  find("address").select();
}

function listen() {
  const on = (id, kind, act) => find(id).addEventListener(kind, act);
  on("company", "change", ({ target }) => choose("company", target.value));
  on("days", "change", ({ target }) => choose("days", target.value));
  on("close", "change", ({ target }) => {
    keep("close", target.value);
    showPlan();
  });
  on("refresh", "click", load);
  on("again", "click", load);
  on("open-calendar", "click", () => find("calendar").showModal());
  on("close-calendar", "click", () => find("calendar").close());
  on("calendar", "close", () => {
    find("address").value = "";
    find("address-line").hidden = true;
  });
  on("make-address", "click", makeAddress);
  on("copy", "click", () => {
    find("address").select();
    return navigator.clipboard?.writeText(find("address").value);
  });
  // Whoever comes back in the afternoon sees the afternoon.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Date.now() - answeredAt > STALE_MS) void load();
  });
  const redraw = () => answer && showCharts();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  matchMedia("(max-width: 40rem)").addEventListener("change", redraw);
}

find("login").href = `/web/login?${new URLSearchParams({ redirect: location.pathname + location.search })}`;
if (asked.get("days")) find("days").value = asked.get("days");
sayTables();
listen();
await load();
