import { defineError } from "../../errors/error.ts";

/** What can go wrong between this program and Finance PPM in Odoo. `changed`: what is known of the data there. */

export const FinanceNotConfigured = defineError<{ stack: string }>("finance.not_configured", {
  exitCode: 14,
  message: (d) => `ipai has no key for Finance PPM in the Odoo of ${d.stack}. Nothing was asked.`,
  hint: (d) =>
    `Set stacks.${d.stack}.finance.apiKey to a variable of the environment that holds an API key: docs/operating/finance.md says how.`,
});

export const OdooAway = defineError<{ url: string; reason: string; changed: string }>("finance.odoo_away", {
  exitCode: 43,
  retryable: true,
  message: (d) => `Finance PPM cannot be asked: ${d.reason} (${d.url}). ${d.changed}`,
  hint: () => "`ipai health` says what is wrong with Odoo; in maintenance mode only administrators are answered.",
});

export const FinanceKeyRefused = defineError<{ url: string }>("finance.key_refused", {
  exitCode: 24,
  message: (d) => `Odoo at ${d.url} does not take the key of finance.apiKey. Nothing was changed.`,
  hint: () =>
    "Keys expire, and end with their user. Make a new one (Preferences, Account Security, New API Key) and put it into the variable that finance.apiKey names.",
});

export const FinanceAddonMissing = defineError<{ url: string }>("finance.addon_missing", {
  exitCode: 43,
  message: (d) => `Odoo at ${d.url} has no Finance PPM, or an older one. Nothing was changed.`,
  hint: () =>
    "Is the addon ipai_finance_ppm installed and up to date in this database? With several databases Odoo needs a dbfilter: without a session it does not know which one is meant.",
});

export const FinanceNotAllowed = defineError<{ said: string }>("finance.not_allowed", {
  exitCode: 24,
  message: (d) => `Odoo does not allow it to the user of the key: ${d.said} Nothing was changed.`,
  hint: () => "Who may what stands in docs/finance/odoo.md; a person's role is given under Registers, People.",
});

export const FinanceRefused = defineError<{ said: string }>("finance.refused", {
  exitCode: 22,
  message: (d) => `Odoo refuses: ${d.said} Nothing was changed.`,
  hint: () =>
    "Correct what it names; `ipai finance` shows what Odoo holds (filings, alerts, holiday list, extension list).",
});

export const FinanceAnswerUnreadable = defineError<{ url: string; reason: string; changed: string }>(
  "finance.answer_unreadable",
  {
    exitCode: 43,
    message: (d) => `What Odoo at ${d.url} answers is not what Finance PPM answers: ${d.reason}. ${d.changed}`,
    hint: () => "Are the addon and ipai of the same version? Something between them (a proxy) may answer in its place.",
  },
);
