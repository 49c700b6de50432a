import { z } from "zod";
import type { Secret } from "./secret.ts";
import { duration, durationOrTime, environmentReference, mailAddress, text, timeOfDay, zone } from "./values.ts";

/** The channels under `notify`. What every kind has is said once; the rest is each kind's own. */

const day = z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);

const quietHours = z.strictObject({
  from: timeOfDay.describe("Time of day at which they begin, such as 22:00"),
  until: timeOfDay.describe("Time of day at which they end; with from twice the same, a whole day"),
  days: z.array(day).default([]).describe("Days on which they begin, such as [sat, sun]; every day when there is none"),
});

const limit = z.strictObject({
  posts: z.int().min(1).describe("So many posts at most"),
  per: duration
    .refine((given) => given >= 1 && given <= 86_400, "must be between 1s and 1d")
    .describe("In this time, with unit"),
});

const common = {
  severity: z
    .enum(["info", "warning", "critical"])
    .default("warning")
    .describe("It is told what is at least so bad: info is every run that changed something"),
  stacks: z.array(text).default([]).describe("Only of these stacks; of all when there is none"),
  chapters: z
    .array(text)
    .default([])
    .describe("Only of these chapters, such as backup or upgrade; of all when there is none"),
  timezone: zone.default("Asia/Manila").describe("IANA time zone of its quiet hours and digests"),
  quiet: z
    .union([quietHours, z.array(quietHours)], "must be quiet hours with from and until, or a list of them")
    .default([])
    .transform((given) => (Array.isArray(given) ? given : [given]))
    .describe("When only what is critical is told; the rest comes at their end"),
  digest: durationOrTime
    .optional()
    .describe("What is not critical is collected for so long, or until a time of day, and sent together"),
  limit: limit.optional().describe("How many posts are sent at most; what is due beyond is folded into the next one"),
};

const url = (what: string) => environmentReference.describe(`${what} as \${NAME}, from the environment`);
const webhookUrl = url("Address of its incoming webhook");

export const channel = z
  .discriminatedUnion(
    "kind",
    [
      z.strictObject({
        kind: z
          .enum(["mattermost", "slack"])
          .describe("Posts to an incoming webhook of Mattermost, or of what is compatible with Slack"),
        url: webhookUrl,
        ...common,
      }),
      z.strictObject({
        kind: z.literal("webhook").describe("JSON to another program"),
        url: webhookUrl,
        secret: environmentReference
          .optional()
          .describe("What its requests are signed with, as ${NAME} from the environment"),
        ...common,
      }),
      z.strictObject({
        kind: z.literal("mattermost-bot").describe("Posts by a bot of Mattermost: a thread for each run"),
        url: url("Address of the server"),
        token: url("The bot's access token"),
        channel: z
          .string()
          .regex(/^[a-z0-9]{26}$/, "must be the 26 letters and digits of a channel's id")
          .describe("Id of the channel that it posts in, as `View Info` shows it"),
        ...common,
      }),
      z.strictObject({
        kind: z.literal("email").describe("Mails by SMTP"),
        url: url("Address of the mail server, smtp://USER:PASSWORD@HOST:PORT or smtps://…,"),
        from: mailAddress.describe("Who sends: ops@example.com, or a name with the address in <>"),
        to: z.array(mailAddress).min(1, "must name somebody").describe("Who is told"),
        tls: z
          .boolean()
          .default(true)
          .describe("Only with TLS and a right certificate; false for a server on this machine that has none"),
        ...common,
      }),
    ],
    "must be mattermost, slack, mattermost-bot, webhook or email",
  )
  .describe("Where people, or other programs, are told what happened");

type ParsedChannel = z.output<typeof channel>;
/** Those of its keys that come from the environment. */
type SecretKey = "url" | "secret" | "token";
type WithSecrets<T> = T extends unknown
  ? Omit<T, SecretKey> & { readonly [K in keyof T & SecretKey]: Secret | Extract<T[K], undefined> }
  : never;

/** The same with its secrets read from the environment. */
export type ChannelConfig = WithSecrets<ParsedChannel>;

export const channelSecretKeys: readonly SecretKey[] = ["url", "secret", "token"];

/** What each key refers to, for those that there are. */
export function referencesOf(given: ParsedChannel): readonly (readonly [key: SecretKey, reference: string])[] {
  return channelSecretKeys.flatMap((key) => {
    const reference = (given as Partial<Record<SecretKey, string>>)[key];
    return reference === undefined ? [] : [[key, reference] as const];
  });
}

/** Each reference replaced by its secret. */
export function withSecrets(given: ParsedChannel, reveal: (reference: string) => Secret): ChannelConfig {
  const secrets = Object.fromEntries(referencesOf(given).map(([key, reference]) => [key, reveal(reference)]));
  // Every key that was a reference is a secret now, which the type of a spread cannot say.
  return { ...given, ...secrets } as unknown as ChannelConfig;
}
