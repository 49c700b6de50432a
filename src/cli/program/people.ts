import type { Command } from "commander";
import { json, run } from "./register.ts";

/** Commands about people: who there is, what they may do, their tokens, who is on call; and the doors for other programs. */
export function registerPeople(program: Command): void {
  registerWho(program);
  registerTokens(program);
  registerOnCall(program);
  json(program.command("hooks"))
    .description("the doors for other programs, and how they are knocked at")
    .action(run(async (context, options) => (await import("../commands/hooks.ts")).listHooks(context, options)));
}

function registerWho(program: Command): void {
  const people = program.command("people").description("who may sign in, and who no longer");
  json(people.command("list", { isDefault: true }))
    .description("everybody, and how they sign in")
    .action(run(async (context, options) => (await import("../commands/people.ts")).list(context, options)));
  json(people.command("add"))
    .description("add a person, and print a link with which she sets her password")
    .argument("<handle>", "under which she appears everywhere: a-z, 0-9, dots, - and _")
    .requiredOption("--name <name>", "her name")
    .requiredOption("--email <address>", "her address")
    .option("--shell <names...>", "her log-ins on machines, and comments of her SSH keys")
    .option("--role <role>", "her first role, on every stack: viewer, operator, approver, finance or admin")
    .action(
      run(async (context, handle, options) =>
        (await import("../commands/people.ts")).add(context, handle as string, options),
      ),
    );
  json(people.command("change"))
    .description("change a person's handle, name, address or shell names; what is not given stays")
    .argument("<handle>")
    .option("--handle <handle>", "her new handle; the old one stays hers")
    .option("--name <name>")
    .option("--email <address>")
    .option("--shell <names...>", "all of her shell names; an empty one for none")
    .action(
      run(async (context, handle, options) =>
        (await import("../commands/people.ts")).change(context, handle as string, options),
      ),
    );
  json(people.command("invite"))
    .description("print a new link to set a password; the one before is void")
    .argument("<handle>")
    .option("--afresh", "take her second factors and ties to OIDC providers away, and end her sessions")
    .action(
      run(async (context, handle, options) =>
        (await import("../commands/people.ts")).invite(context, handle as string, options),
      ),
    );
  json(people.command("leave"))
    .description("let a person sign in no more, and end her sessions")
    .argument("<handle>")
    .action(
      run(async (context, handle, options) =>
        (await import("../commands/people.ts")).leave(context, handle as string, options),
      ),
    );
  json(people.command("sessions"))
    .description("where a person is signed in")
    .argument("<handle>")
    .option("--end", "end all of them")
    .action(
      run(async (context, handle, options) =>
        (await import("../commands/people.ts")).sessions(context, handle as string, options),
      ),
    );
  registerGrants(people);
}

function registerGrants(people: Command): void {
  json(people.command("grants"))
    .description("who may do what")
    .argument("[handle]", "only she")
    .action(
      run(async (context, handle, options) =>
        (await import("../commands/rights.ts")).grants(context, handle as string | undefined, options),
      ),
    );
  people
    .command("grant")
    .description("give a role")
    .argument("<handle>")
    .argument("<role>", "viewer, operator, approver, finance or admin")
    .option("--stacks <names...>", "only on these stacks")
    .option("--procedures <names...>", "only for these procedures")
    .action(
      run(async (context, handle, role, options) =>
        (await import("../commands/rights.ts")).grant(
          context,
          handle as string,
          role as unknown as string,
          options ?? {},
        ),
      ),
    );
  people
    .command("revoke")
    .description("take a role away")
    .argument("<handle>")
    .argument("<number>", "of the grant, as `ipai people grants` says")
    .action(
      run(async (context, handle, number) =>
        (await import("../commands/rights.ts")).revoke(context, handle as string, number as unknown as string),
      ),
    );
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
