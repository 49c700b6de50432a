import { describe, expect, it } from "vitest";
import { Secret } from "../config/secret.ts";
import { judge } from "./http.ts";

const url = new Secret("https://chat.example.com/hooks/x");
const now = new Date("2026-11-25T10:00:00Z");

describe("an answer", () => {
  it.each([
    [200, null, { kind: "delivered" }],
    [204, null, { kind: "delivered" }],
    [500, null, { kind: "again", reason: "500: why" }],
    [408, null, { kind: "again", reason: "408: why" }],
    [429, "7", { kind: "again", reason: "429: why", afterSeconds: 7 }],
    [503, "Wed, 25 Nov 2026 10:01:00 GMT", { kind: "again", reason: "503: why", afterSeconds: 60 }],
    [503, "never", { kind: "again", reason: "503: why" }],
    [429, "99999999", { kind: "again", reason: "429: why", afterSeconds: 86_400 }],
    [301, null, { kind: "refused", reason: "301: why" }],
    [400, "7", { kind: "refused", reason: "400: why" }],
  ])("%i means", (status, retryAfter, wanted) => {
    expect(judge({ status, text: "why", retryAfter }, url, now)).toEqual(wanted);
  });
});
