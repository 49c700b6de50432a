import type { BetterAuthOptions } from "better-auth";

/** better-auth's tables under our names. A test compares them with the control database. */

export const sessionHours = 12;
/** A passkey is registered in a session that is not older. */
const freshMinutes = 60;

export const userModel = {
  modelName: "people",
  fields: { emailVerified: "email_verified", createdAt: "created_at", updatedAt: "updated_at" },
  additionalFields: {
    handle: { type: "string", required: true, input: false, unique: true },
    leftAt: { type: "date", required: false, input: false, fieldName: "left_at" },
  },
} satisfies BetterAuthOptions["user"];

export const sessionModel = {
  modelName: "sessions",
  fields: {
    ...{ userId: "person", expiresAt: "expires_at", ipAddress: "ip_address", userAgent: "user_agent" },
    ...{ createdAt: "created_at", updatedAt: "updated_at" },
  },
  additionalFields: {
    method: { type: "string", required: true, input: false },
    secondFactor: { type: "boolean", required: true, input: false, fieldName: "second_factor" },
  },
  // A working day, from the sign-in on: a session that is kept alive by use would never end on a wall display.
  expiresIn: sessionHours * 3600,
  disableSessionRefresh: true,
  freshAge: freshMinutes * 60,
} satisfies BetterAuthOptions["session"];

export const accountModel = {
  modelName: "accounts",
  fields: {
    ...{ userId: "person", providerId: "provider", accountId: "account", idToken: "id_token" },
    ...{ accessToken: "access_token", accessTokenExpiresAt: "access_token_expires_at" },
    ...{ refreshToken: "refresh_token", refreshTokenExpiresAt: "refresh_token_expires_at" },
    ...{ createdAt: "created_at", updatedAt: "updated_at" },
  },
} satisfies BetterAuthOptions["account"];

export const verificationModel = {
  modelName: "verifications",
  fields: { expiresAt: "expires_at", createdAt: "created_at", updatedAt: "updated_at" },
} satisfies BetterAuthOptions["verification"];

export const rateLimitModel = { modelName: "rate_limits", fields: { lastRequest: "last_request" } } as const;

export const twoFactorModel = {
  user: { fields: { twoFactorEnabled: "two_factor_enabled" } },
  twoFactor: {
    modelName: "second_factors",
    fields: {
      ...{ userId: "person", backupCodes: "backup_codes" },
      ...{ failedVerificationCount: "failed_count", lockedUntil: "locked_until" },
    },
  },
};

export const passkeyModel = {
  passkey: {
    modelName: "passkeys",
    fields: {
      ...{ userId: "person", publicKey: "public_key", credentialID: "credential", createdAt: "created_at" },
      ...{ deviceType: "device_type", backedUp: "backed_up" },
    },
  },
};
