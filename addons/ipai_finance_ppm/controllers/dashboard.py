from odoo import http
from odoo.http import request

# The page is open to everybody, as the runbook asks for it without logging in, and so it holds nothing: what it shows is asked for by the
# browser, with the user's own rights.
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>TBWA Finance PPM Dashboard</title>
<style>
:root { color-scheme: light dark; --back: #f6f5f7; --card: #fff; --text: #26222b; --soft: #5d5766; --late: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --back: #17151a; --card: #221f27; --text: #f0edf3; --soft: #b3acbc; --late: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: 0.75rem; margin: 0 0 1.5rem; }
dl div { background: var(--card); border-radius: 0.5rem; padding: 0.75rem 1rem; }
dt { color: var(--soft); font-size: 0.875rem; }
dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.table { overflow-x: auto; background: var(--card); border-radius: 0.5rem; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; padding: 0.5rem 1rem; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
.late { color: var(--late); font-weight: 600; }
a { color: inherit; }
</style>
</head>
<body>
<main>
<h1>TBWA Finance PPM Dashboard</h1>
<p id="said" role="status">Loading…</p>
<dl id="numbers"></dl>
<div class="table" hidden><table>
<thead><tr><th scope="col">Deadline</th><th scope="col">Form</th><th scope="col">Period</th><th scope="col">Company</th>
<th scope="col">Status</th><th scope="col">Done</th></tr></thead>
<tbody></tbody>
</table></div>
<noscript>This page needs JavaScript.</noscript>
</main>
<script>
const said = document.getElementById("said");
function add(parent, name, text, kind) {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  parent.append(made);
  return made;
}
function show(answer) {
  said.textContent = answer.filings.length ? `As of ${answer.today} in Manila.` : "Nothing is open.";
  for (const [name, value] of Object.entries(answer.numbers)) {
    const tile = add(document.getElementById("numbers"), "div", "");
    add(tile, "dt", name);
    add(tile, "dd", value);
  }
  document.querySelector(".table").hidden = answer.filings.length === 0;
  for (const one of answer.filings) {
    const row = add(document.querySelector("tbody"), "tr", "");
    add(row, "td", one.deadline);
    const link = add(add(row, "td", ""), "a", one.form);
    link.href = `/odoo/ipai.finance.bir_schedule/${one.id}`;
    add(row, "td", one.period);
    add(row, "td", one.company);
    add(row, "td", one.said, one.status === "late" ? "late" : "");
    add(row, "td", `${Math.round(one.completion)} %`);
  }
}
fetch("/ipai/finance/ppm/api/bir", { headers: { Accept: "application/json" } }).then(async (answer) => {
  if (answer.ok) return show(await answer.json());
  said.textContent = answer.status === 403 ? "This is for the people of Finance PPM. " : "It cannot be shown now. ";
  if (answer.status !== 401) return;
  said.textContent = "";
  add(said, "a", "Log in to see the filings.").href = "/web/login?redirect=/ipai/finance/ppm";
}).catch(() => { said.textContent = "Odoo does not answer."; });
</script>
</body>
</html>
"""
DAYS_AHEAD = 60


class Dashboard(http.Controller):
    @http.route("/ipai/finance/ppm", type="http", auth="none", methods=["GET"], readonly=True)
    def page(self):
        return request.make_response(PAGE, [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")])

    @http.route("/ipai/finance/ppm/api/bir", type="http", auth="public", methods=["GET"], readonly=True)
    def filings(self):
        """What is open and due within 60 days, or late; by the user's own rights. 401 for strangers, 403 for whoever has no part in it."""
        if request.env.user._is_public():
            return request.make_json_response({"error": "log in first"}, status=401)
        filings = request.env["ipai.finance.bir_schedule"]
        if not filings.has_access("read"):
            return request.make_json_response({"error": "this is for the people of Finance PPM"}, status=403)
        return request.make_json_response(filings._dashboard(DAYS_AHEAD))
