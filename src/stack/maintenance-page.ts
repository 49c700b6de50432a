/** What users see and programs read during a maintenance. Pure; every text is escaped for where it stands. */

/** In the page and in the data: tells this answer from anybody else's 503. */
export const maintenanceMark = "ipai-maintenance";

export interface Notice {
  /** What the page calls the suite. */
  readonly name: string;
  readonly colour: string;
  /** Why, in plain words; nothing is said when empty. */
  readonly reason: string;
  /** When it should be over, in words; undefined when nobody knows. */
  readonly until: string | undefined;
}

/** No request but itself: whatever else is closed, it looks the same. It looks again by itself, so nobody has to. */
export function maintenancePage({ name, colour, reason, until }: Notice): string {
  const end = until === undefined ? "It usually takes a few minutes." : `We expect to be back by ${escapeHtml(until)}.`;
  const why = reason === "" ? "" : `<p>${escapeHtml(reason)}</p>\n`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="${maintenanceMark}">
<meta name="robots" content="noindex">
<meta http-equiv="refresh" content="60">
<title>${escapeHtml(name)}: back soon</title>
<style>
:root { color-scheme: light dark; --own: ${colour}; --back: #f6f5f7; --card: #fff; --text: #26222b; --soft: #5d5766; }
@media (prefers-color-scheme: dark) { :root { --back: #17151a; --card: #221f27; --text: #f0edf3; --soft: #b3acbc; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--back); color: var(--text);
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { width: 100%; max-width: 34rem; padding: clamp(1.5rem, 6vw, 3rem); background: var(--card); border-radius: 0.75rem;
  border-top: 0.375rem solid var(--own); box-shadow: 0 1px 3px #0002, 0 0.75rem 2rem #0001; overflow-wrap: anywhere; }
h1 { margin: 0 0 1rem; font-size: clamp(1.5rem, 6vw, 2rem); line-height: 1.25; }
p { margin: 0 0 1rem; }
.name, .soft { color: var(--soft); }
.soft { margin: 0; font-size: 0.9375rem; }
</style>
</head>
<body>
<main>
<p class="name">${escapeHtml(name)}</p>
<h1>We will be back soon</h1>
<p>The system is closed for maintenance.</p>
${why}<p><strong>${end}</strong></p>
<p class="soft">You need not do anything: this page looks again every minute.</p>
</main>
<script>
// A key after the # is seen by no server and stands in no log.
const key = /^#ipai=([0-9a-f]{48})$/.exec(location.hash)?.[1];
if (key) {
  document.cookie = "ipai_bypass=" + key + "; path=/; SameSite=Lax" + (location.protocol === "https:" ? "; Secure" : "");
  location.replace(location.pathname + location.search);
}
</script>
</body>
</html>
`;
}

/** A JSON-RPC error, as Odoo's own clients read one; people who look at what a program got can read it too. */
export function maintenanceAnswer({ name, reason, until }: Notice): string {
  const message = `${name} is closed for maintenance.${reason === "" ? "" : ` ${reason}`}`;
  const data = { name: maintenanceMark, message, until: until ?? null };
  return `${JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: 503, message, data } })}\n`;
}

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
