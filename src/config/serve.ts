import { z } from "zod";
import type { Secret } from "./secret.ts";
import { environmentReference, httpUrl, text, zone } from "./values.ts";

/** The part of `ipai.yaml` that is about people and other programs that reach ipai: console, API, hooks, who is on call. */

const name = z.string().regex(/^[a-z][a-z0-9-]*$/, "must begin with a letter and have only a-z, 0-9 and -");

const provider = z
  .strictObject({
    issuer: httpUrl.describe("Its address; /.well-known/openid-configuration is below it"),
    clientId: environmentReference.describe("Who ipai is there, as ${NAME} from the environment"),
    clientSecret: environmentReference.describe("And with which secret, as ${NAME} from the environment"),
    scopes: z.array(text).default(["openid", "profile", "email"]).describe("What it is asked for"),
    match: z
      .union(
        [z.literal("email"), z.strictObject({ handle: text.describe("Claim that holds the person's handle") })],
        "must be email, or { handle: CLAIM }",
      )
      .default("email")
      .describe("How its users are found among the people: by an address that it has verified, or by a claim"),
    secondFactor: z
      .boolean()
      .default(false)
      .describe("true: it asks for a second factor itself, so whoever it signs in has shown one"),
  })
  .describe("An OpenID Connect provider. It signs in people who are there already, and never makes any");

export const serve = z
  .strictObject({
    listen: z
      .string()
      .regex(/^(?:[\w.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/, "must be ADDRESS:PORT")
      .default("127.0.0.1:8420")
      .describe("Address and port that it listens on"),
    url: httpUrl.optional().describe("Address that people open; http://LISTEN when absent. Sign-in is bound to it"),
    secret: environmentReference
      .optional()
      .describe(
        "What sessions are signed and second factors encrypted with, as ${NAME} from the environment; a file of ipai's own when absent. Machines that serve together need the same",
      ),
    secondFactor: z
      .enum(["required", "optional"])
      .default("optional")
      .describe("required: without one a session can do nothing but set one up. Who has one always needs it"),
    oidc: z.record(name, provider).default({}).describe("OpenID Connect providers by their name"),
  })
  .prefault({})
  .describe("Console and API");

const hook = z
  .strictObject({
    stack: text.describe("On which stack"),
    procedure: text.describe("What is carried out"),
    input: z.record(z.string(), z.json()).default({}).describe("Its input, by name; nothing of a request goes into it"),
    secret: environmentReference.describe(
      "What the sender knows, as ${NAME} from the environment: as a bearer token, or to sign with",
    ),
  })
  .describe("A door for another program, at /api/hooks/NAME: whoever knows its secret has one procedure carried out");

export const hooks = z.record(name, hook).default({}).describe("Every hook by its name");

const rota = z
  .strictObject({
    people: z.array(text).min(1, "must name at least one person").describe("Handles, in the order of their turns"),
    stacks: z.array(text).default([]).describe("For these stacks; for all when there is none"),
    from: z.iso.date("must be a day such as 2026-11-23").describe("Day on which the first turn begins"),
    days: z.int().min(1).max(366).default(7).describe("Days of a turn"),
    at: z
      .string()
      .regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time such as 08:00")
      .default("08:00")
      .describe("Time at which turns change"),
    timezone: zone.default("Asia/Manila").describe("IANA time zone of day and time"),
  })
  .describe("Who is on call, one after the other");

export const rotas = z
  .record(name, rota)
  .default({})
  .describe("Every rota by its name; `ipai oncall` says whose turn it is");

export interface ProviderConfig extends Omit<z.output<typeof provider>, "clientId" | "clientSecret"> {
  readonly clientId: Secret;
  readonly clientSecret: Secret;
}

export interface ServeConfig extends Omit<z.output<typeof serve>, "url" | "secret" | "oidc"> {
  readonly url: string;
  readonly secret: Secret | undefined;
  readonly oidc: Readonly<Record<string, ProviderConfig>>;
}

export interface HookConfig extends Omit<z.output<typeof hook>, "secret"> {
  readonly secret: Secret;
}

export type RotaConfig = z.output<typeof rota>;
