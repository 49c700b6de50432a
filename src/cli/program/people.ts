import type { Command } from "commander";
import { json, run } from "./register.ts";

/** Commands about people: what they may do, their tokens, who is on call; and the doors for other programs. */
export function registerPeople(program: Command): void {
  registerTokens(program);
  registerOnCall(program);
  json(program.command("hooks"))
    .description("the doors for other programs, and how they are knocked at")
    .action(run(async (context, options) => (await import("../commands/hooks.ts")).listHooks(context, options)));
}

function registerTokens(program: Command): void {
  const tokens = program.command("tokens").description("with what programs act for people");
  json(tokens.command("list", { isDefault: true }))
    .description("the tokens that are good, without their secrets")
    .option("--for <handle>", "only hers")
    .action(run(async (context, options) => (await import("../commands/rights.ts")).tokens(context, options)));
  json(tokens.command("create"))
    .description("make one; it is shown this once")
    .argument("<name>")
    .option("--for <handle>", "whom it acts for (default: you)")
    .option("--role <role>", "what it may do at most", "viewer")
    .option("--stacks <names...>", "only on these stacks")
    .option("--procedures <names...>", "only for these procedures")
    .option("--days <count>", "how long it is good, at most 365", "90")
    .action(
      run(async (context, name, options) =>
        (await import("../commands/rights.ts")).newToken(context, name as string, options),
      ),
    );
  tokens
    .command("revoke")
    .description("end one at once")
    .argument("<name>")
    .option("--for <handle>", "whose it is (default: yours)")
    .action(
      run(async (context, name, options) =>
        (await import("../commands/rights.ts")).dropToken(context, name as string, options),
      ),
    );
}

function registerOnCall(program: Command): void {
  const oncall = program.command("oncall").description("who is on call, and who is away");
  json(oncall.command("show", { isDefault: true }))
    .description("whose turn it is, and the next turns")
    .option("--days <count>", "how far ahead", "28")
    .action(run(async (context, options) => (await import("../commands/oncall.ts")).show(context, options)));
  oncall
    .command("cover")
    .description("somebody takes a time on call, whoever's turn it is")
    .argument("<rota>")
    .argument("<handle>")
    .option("--from <instant>", "from when on (default: now)")
    .requiredOption("--until <instant>", "until when")
    .action(
      run(async (context, rota, handle, options) =>
        (await import("../commands/oncall.ts")).cover(
          context,
          rota as string,
          handle as unknown as string,
          options ?? {},
        ),
      ),
    );
  json(oncall.command("absences"))
    .description("who is away, or will be, and who consents meanwhile")
    .action(run(async (context, options) => (await import("../commands/oncall.ts")).absences(context, options)));
  oncall
    .command("away")
    .description("somebody is away: not on call, and a deputy consents in her place")
    .argument("<handle>")
    .option("--from <instant>", "from when on (default: now)")
    .requiredOption("--until <instant>", "until when")
    .option("--deputy <handle>", "who consents meanwhile")
    .action(
      run(async (context, handle, options) =>
        (await import("../commands/oncall.ts")).away(context, handle as string, options),
      ),
    );
  oncall
    .command("back")
    .description("an absence is over, or does not happen")
    .argument("<number>")
    .action(run(async (context, number) => (await import("../commands/oncall.ts")).back(context, number as string)));
}
