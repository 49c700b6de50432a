import { z } from "zod";
import { Secret } from "../config/secret.ts";
import type { Batch } from "../engine/batch.ts";
import type { Answer } from "../engine/outbox.ts";
import { answered, exchange, judge, type OutgoingRequest, type Reply } from "./http.ts";
import { chatText, cut, mattermost } from "./text.ts";

/**
 * A bot of Mattermost: posts by its API (version 4), so that what is told of one run becomes a thread, and so that it can be asked whether
 * a post arrived whose answer was lost.
 */

export interface Bot {
  /** Of the server: `https://chat.example.com`. */
  readonly url: Secret;
  readonly token: Secret;
  /** Id of the channel that it posts in. */
  readonly channel: string;
}

export async function postAsBot(bot: Bot, batch: Batch, now: () => Date): Promise<Answer> {
  return answered(async () => {
    const there = batch.firstSentAt === undefined ? undefined : await findPost(bot, batch.key, batch.firstSentAt);
    if (there !== undefined) return { kind: "delivered", ...rootOf(batch, there) };
    // A thread is read by those who follow it; what is critical stands in the channel.
    const root = batch.messages.some(({ severity }) => severity === "critical") ? undefined : batch.root;
    const reply = await create(bot, batch, root);
    const { id } = parse(reply.text);
    if (reply.status === 401) return { kind: "again", reason: "401: the token is not taken", afterSeconds: 900 };
    if (root === undefined || !hasLostRoot(reply, id)) return judged(bot, batch, reply, now());
    return judged(bot, { ...batch, root: undefined }, await create(bot, batch, undefined), now());
  });
}

function judged(bot: Bot, batch: Batch, reply: Reply, now: Date): Answer {
  const { id, message } = parse(reply.text);
  const answer = judge({ ...reply, text: message ?? reply.text }, bot.url, now);
  return answer.kind === "delivered" && id !== undefined ? { ...answer, ...rootOf(batch, id) } : answer;
}

/** The first post about a run opens its thread. */
function rootOf({ run, root }: Batch, post: string): { readonly root?: string } {
  return run === undefined || root !== undefined ? {} : { root: post };
}

/** Somebody deleted the post that opened the thread. */
function hasLostRoot({ status }: Reply, id: string | undefined): boolean {
  return status === 400 && id?.startsWith("api.post.create_post.root_id") === true;
}

/** Enough for a post and its properties; and for the thousand posts that are listed at most. */
const postLengthMax = 262_144;
const listLengthMax = 32 * 1024 * 1024;

/**
 * The server keeps a `pending_post_id` for 30 s, each node its own, and gives the same post for it; what is asked for later is found by the
 * key among the post's properties.
 */
function create(bot: Bot, { key, messages }: Batch, root: string | undefined): Promise<Reply> {
  const body = JSON.stringify({
    channel_id: bot.channel,
    message: cut(chatText(mattermost, messages), mattermost.lengthMax),
    ...(root === undefined ? {} : { root_id: root }),
    pending_post_id: key,
    props: { ipai_key: key },
  });
  return exchange({ ...requestOf(bot, "/api/v4/posts"), method: "POST", body }, postLengthMax);
}

/** Clocks differ. */
const clocksDifferMs = 600_000;

/** Undefined when it is not there, or cannot be asked for: then it is posted once too often rather than not at all. */
async function findPost(bot: Bot, key: string, firstSentAt: Date): Promise<string | undefined> {
  const since = firstSentAt.getTime() - clocksDifferMs;
  const request = requestOf(bot, `/api/v4/channels/${encodeURIComponent(bot.channel)}/posts?since=${since}`);
  const { posts } = parse((await exchange({ ...request, method: "GET" }, listLengthMax)).text);
  return Object.values(posts ?? {}).find(({ props }) => props?.ipai_key === key)?.id;
}

function requestOf({ url, token }: Bot, path: string): Omit<OutgoingRequest, "method"> {
  const headers = {
    ...{ "content-type": "application/json", "user-agent": "ipai" },
    authorization: `Bearer ${token.reveal()}`,
  };
  return { url: new Secret(`${url.reveal().replace(/\/+$/, "")}${path}`), headers };
}

/** A post, a list of posts, or an error: `id` is then its name. */
const answer = z.object({
  id: z.string().optional(),
  message: z.string().optional(),
  posts: z
    .record(z.string(), z.object({ id: z.string(), props: z.object({ ipai_key: z.string().optional() }).nullish() }))
    .optional(),
});

function parse(text: string): z.infer<typeof answer> {
  try {
    return answer.parse(JSON.parse(text));
  } catch {
    return {};
  }
}
