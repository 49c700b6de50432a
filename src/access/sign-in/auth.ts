import { passkey } from "@better-auth/passkey";
import { type BetterAuthOptions, type BetterAuthPlugin, betterAuth } from "better-auth";
import { APIError, isAPIError } from "better-auth/api";
import { twoFactor } from "better-auth/plugins";
import type { Control } from "../../engine/control.ts";
import { ControlUnreachable } from "../../engine/server.ts";
import { type Person, toPerson } from "../people.ts";
import {
  accountModel,
  passkeyModel,
  rateLimitModel,
  sessionModel,
  twoFactorModel,
  userModel,
  verificationModel,
} from "./auth-schema.ts";
import { authPath, isControlThere, passDoor, sourceHeader } from "./door.ts";
import { describeSession, type Gate, passGates } from "./gates.ts";
import { type OidcProvider, oidcPlugin } from "./oidc.ts";
import { passwordLengthMax, passwordLengthMin } from "./passwords.ts";
import type { AuthSecrets } from "./secrets.ts";
import { setUpEndpoint } from "./set-up.ts";
import { tellOutcome, tellSignOut } from "./sign-ins.ts";
import { type FactorPolicy, hasFactor } from "./visit.ts";

/**
 * Who somebody is: passwords, authenticator apps, passkeys, OpenID Connect, sessions. better-auth does it; this says what of it is open,
 * whom it may let in, and tells the audit chain.
 */

export interface AuthPorts {
  readonly control: Control;
  readonly secrets: AuthSecrets;
  readonly settings: AuthSettings;
  readonly now?: () => Date;
  /** Hears of what nobody foresaw; whoever asked is only told that there was something. */
  readonly fault?: (error: unknown) => void;
}

export interface AuthSettings extends FactorPolicy {
  /** The address that people open. Cookies, passkeys and redirects are bound to it. */
  readonly url: string;
  readonly oidc: Readonly<Record<string, OidcProvider>>;
}

export interface SignedIn {
  readonly person: Person;
  readonly session: {
    readonly id: string;
    /** `password`, `passkey`, or `oidc NAME`. */
    readonly method: string;
    readonly secondFactor: boolean;
    readonly expiresAt: Date;
  };
  /** The second factor that is due is missing: nothing may be done but showing it, or setting one up. */
  readonly isRestricted: boolean;
}

export interface Auth {
  /** Answers what is below `authPath`. `address`: of whoever opened the connection. */
  handler(request: Request, address: string): Promise<Response>;
  /** Who asks, by the cookie of the request. Asked anew each time: a session that was ended is over. */
  sessionOf(headers: Headers): Promise<SignedIn | undefined>;
}

export function createAuth(ports: AuthPorts): Auth {
  const { control, settings } = ports;
  const auth = betterAuth(authOptions(ports));
  return {
    handler: (request, address) => passDoor(request, address, (inside) => auth.handler(inside), ports),
    sessionOf: async (headers) => {
      try {
        const found = await auth.api.getSession({ headers });
        return found === null ? undefined : await describe(control, settings, found.session.id);
      } catch (error) {
        if (await isControlThere(control)) throw error;
        throw ControlUnreachable({ where: "asked for a session", reason: "no answer" }, { cause: error });
      }
    },
  };
}

async function describe(control: Control, policy: FactorPolicy, id: string): Promise<SignedIn | undefined> {
  const row = await control.db
    .selectFrom("sessions")
    .innerJoin("people", "people.id", "sessions.person")
    .selectAll("people")
    .select(["sessions.id as session", "method", "second_factor", "expires_at"])
    .where("sessions.id", "=", id)
    .where("left_at", "is", null)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const isDue = policy.secondFactor === "required" || (await hasFactor(control, row));
  const { session, method, second_factor: secondFactor, expires_at: expiresAt } = row;
  return {
    person: toPerson(row),
    session: { id: session, method, secondFactor, expiresAt },
    isRestricted: isDue && !secondFactor,
  };
}

/** Seconds, and requests from one source in them. What is guessed at is limited by person too, in the gates. */
const limits = {
  "/sign-in/*": { window: 60, max: 20 },
  "/two-factor/*": { window: 60, max: 20 },
  "/passkey/*": { window: 60, max: 60 },
  "/set-up": { window: 60, max: 10 },
  "/change-password": { window: 60, max: 10 },
};

/** What better-auth is asked to be. */
export function authOptions(ports: AuthPorts): BetterAuthOptions {
  const { control, secrets, settings } = ports;
  const providers = Object.entries(settings.oidc);
  const gate: Gate = {
    control,
    policy: settings,
    now: ports.now ?? (() => new Date()),
    strongProviders: providers.filter(([, { secondFactor }]) => secondFactor).map(([name]) => name),
  };
  return {
    appName: "IPAI Ops",
    baseURL: settings.url,
    basePath: authPath,
    secrets: secrets.map(({ version, value }) => ({ version, value: value.reveal() })),
    database: { db: control.db, type: "postgres", transaction: true },
    user: userModel,
    session: sessionModel,
    account: {
      ...accountModel,
      updateAccountOnSignIn: false,
      // Who may be tied to whom is decided where the provider's claims are read.
      accountLinking: { trustedProviders: providers.map(([name]) => name), requireLocalEmailVerified: false },
    },
    verification: verificationModel,
    rateLimit: { enabled: true, storage: "database", window: 60, max: 300, customRules: limits, ...rateLimitModel },
    emailAndPassword: {
      ...{ enabled: true, disableSignUp: true },
      ...{ minPasswordLength: passwordLengthMin, maxPasswordLength: passwordLengthMax },
    },
    trustedOrigins: [new URL(settings.url).origin],
    onAPIError: {
      errorURL: `${settings.url}/sign-in`,
      onError: (error) => (isAPIError(error) ? undefined : ports.fault?.(error)),
    },
    advanced: {
      cookiePrefix: "ipai",
      disableOriginCheck: false,
      ipAddress: { ipAddressHeaders: [sourceHeader], ipv6Subnet: 64 },
    },
    telemetry: { enabled: false },
    logger: { disabled: true },
    databaseHooks: databaseHooks(gate),
    plugins: plugins(gate, settings),
  };
}

/** The last plugin is ours: its hooks see what the others made of a request. */
function plugins(gate: Gate, { url, oidc }: AuthSettings): BetterAuthPlugin[] {
  const { hostname, origin } = new URL(url);
  return [
    twoFactor({ issuer: "IPAI Ops", allowPasswordless: true, schema: twoFactorModel }),
    passkey({
      ...{ rpID: hostname, rpName: "IPAI Ops", origin, schema: passkeyModel },
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      // A passkey stands for both factors, so its owner must have been asked for hers: a PIN, a finger, a face.
      registration: { afterVerification: ({ verification }) => requireVerified(verification.registrationInfo) },
      authentication: { afterVerification: ({ verification }) => requireVerified(verification.authenticationInfo) },
    }),
    oidcPlugin(gate.control, oidc),
    {
      id: "ipai",
      endpoints: { setUp: setUpEndpoint(gate) },
      hooks: {
        before: [{ matcher: ({ request }) => request !== undefined, handler: passGates(gate) }],
        after: [{ matcher: ({ request }) => request !== undefined, handler: tellOutcome(gate) }],
      },
    },
  ];
}

function requireVerified(info: { readonly userVerified: boolean } | undefined): void {
  if (info?.userVerified !== true)
    throw APIError.from("UNAUTHORIZED", {
      code: "user_not_verified",
      message: "The passkey did not ask its owner for a PIN, a finger or a face.",
    });
}

function databaseHooks(gate: Gate): NonNullable<BetterAuthOptions["databaseHooks"]> {
  const withoutTokens = { data: { accessToken: null, refreshToken: null, idToken: null } };
  return {
    session: {
      create: {
        before: async (session, at) => {
          if (at === null) throw new TypeError("A session without a request");
          return { data: await describeSession(gate, session.userId, at) };
        },
      },
      delete: { after: (session, at) => tellSignOut(gate, session.userId, at) },
    },
    // A provider says who somebody is; what else could be had with its tokens is not kept.
    account: {
      create: { before: async () => withoutTokens },
    },
  };
}
