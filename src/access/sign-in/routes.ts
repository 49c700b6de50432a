/**
 * What of better-auth is open, a closed list: a path, or a member of a body, that is not here is refused, so that an update of the library
 * opens nothing by itself.
 */

/**
 * `anybody`: signed in or not. `session`: signed in. `whole`: and with the second factor that is due. `enrolling`: whole, or with a
 * session that has no second factor yet because its person has none.
 */
export type Standing = "anybody" | "session" | "whole" | "enrolling";

export interface Route {
  readonly method: "GET" | "POST";
  readonly who: Standing;
  /** Members that a body may have. */
  readonly body?: readonly string[];
  readonly query?: readonly string[];
}

export const routes: Readonly<Record<string, Route>> = {
  "/set-up": { method: "POST", who: "anybody", body: ["token", "password"] },
  "/sign-in/email": { method: "POST", who: "anybody", body: ["email", "password"] },
  "/sign-in/social": {
    method: "POST",
    who: "anybody",
    body: ["provider", "callbackURL", "errorCallbackURL", "disableRedirect"],
  },
  "/callback/:id": { method: "GET", who: "anybody", query: ["code", "state", "error", "error_description", "iss"] },
  "/sign-out": { method: "POST", who: "anybody", body: [] },
  "/change-password": { method: "POST", who: "whole", body: ["currentPassword", "newPassword"] },
  "/list-sessions": { method: "GET", who: "whole" },
  "/revoke-session": { method: "POST", who: "whole", body: ["token"] },
  "/revoke-other-sessions": { method: "POST", who: "whole", body: [] },
  "/two-factor/enable": { method: "POST", who: "enrolling", body: ["password"] },
  "/two-factor/disable": { method: "POST", who: "whole", body: ["password"] },
  "/two-factor/verify-totp": { method: "POST", who: "anybody", body: ["code"] },
  "/two-factor/verify-backup-code": { method: "POST", who: "anybody", body: ["code"] },
  "/two-factor/generate-backup-codes": { method: "POST", who: "whole", body: ["password"] },
  "/passkey/generate-register-options": { method: "GET", who: "enrolling" },
  "/passkey/verify-registration": { method: "POST", who: "enrolling", body: ["response", "name"] },
  "/passkey/generate-authenticate-options": { method: "GET", who: "anybody" },
  "/passkey/verify-authentication": { method: "POST", who: "anybody", body: ["response"] },
  "/passkey/list-user-passkeys": { method: "GET", who: "session" },
  "/passkey/update-passkey": { method: "POST", who: "whole", body: ["id", "name"] },
  "/passkey/delete-passkey": { method: "POST", who: "whole", body: ["id"] },
};

/** The route of a path, as better-auth names it. */
export function findRoute(path: string): Route | undefined {
  return routes[path] ?? (/^\/callback\/[a-z][a-z0-9-]*$/.test(path) ? routes["/callback/:id"] : undefined);
}
