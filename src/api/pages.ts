import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { OpenAPIHono } from "@hono/zod-openapi";

/** The few pages that people need in a browser: to set a password, sign in, and consent. Files, and nothing but these. */

const types = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
};
const pages = {
  "/": "home.html",
  "/sign-in": "sign-in.html",
  "/set-up": "set-up.html",
  "/second-factor": "second-factor.html",
} as const;
const parts = [
  "style.css",
  "common.js",
  "home.js",
  "passkey.js",
  "sign-in.js",
  "second-factor.js",
  "set-up.js",
] as const;

/** Only from here, and nothing inline: what a program printed cannot become a script. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

export function mountPages(app: OpenAPIHono): void {
  const files = [...Object.entries(pages), ...parts.map((name) => [`/pages/${name}`, name] as const)];
  for (const [path, name] of files) {
    const content = readFileSync(join(import.meta.dirname, "pages", name));
    const type = types[name.split(".").at(-1) as keyof typeof types];
    const headers = { "content-type": type, "cache-control": "no-cache", "content-security-policy": policy };
    app.get(path, () => new Response(content, { headers }));
  }
}
