import type { StackConfig } from "../config/schema.ts";
import type { CommandAction } from "../runbook/action.ts";
import { secret } from "../runbook/value.ts";
import type { Runtime } from "./runtime/runtime.ts";

/** The stack's Redis, asked with its own client. */
export interface Redis {
  readonly name: string;
  /** Where it answers, without its protocol: it goes into messages. */
  readonly address: string;
  /** Asks for a sign of life; the answer is PONG. */
  readonly ping: CommandAction;
}

export function createRedis(stack: StackConfig, { beside }: Runtime): Redis | undefined {
  const { cache } = stack.services;
  if (cache === undefined) return undefined;
  const { name, url, user, password } = cache;
  const login = user === undefined ? [] : ["--user", user];
  return {
    name,
    address: new URL(url).host,
    ping: beside(
      name,
      ["redis-cli", "-u", url, ...login, "PING"],
      password === undefined ? {} : { REDISCLI_AUTH: secret("services.cache.password") },
    ),
  };
}
