import type { Command } from "commander";
import { json, run } from "./register.ts";

/** What the finance team does in Odoo, from a shell: these commands need a stack with the addon, and a key. */
export function registerFinanceDesk(finance: Command): void {
  json(finance.command("filings"))
    .description("the filings that Odoo holds: those that are open, with what is late")
    .option("-a, --all", "also those that are filed, cancelled, or do not apply")
    .option("--year <year>", "those whose deadline lies in that year")
    .option("--csv", "print CSV")
    .option("--xlsx <file>", "write them to a new spreadsheet, a sheet for each company")
    .action(run(async (context, options) => (await desk()).listFilings(context, options)));
  json(finance.command("alerts"))
    .description("what was told and nobody has acknowledged")
    .option("--ack <id>", "acknowledge one; of an escalation, its task's ladder stands still for eight hours")
    .action(run(async (context, options) => (await desk()).alerts(context, options)));
  json(finance.command("escalate"))
    .description("take the ladder's steps that are due now, and say which")
    .action(run(async (context, options) => (await desk()).escalate(context, options)));
  json(finance.command("closes"))
    .description("the month-end closes that were opened: how far they are, and who answers for them")
    .argument("[close]", "one of them with its tasks: its id, or its company and month")
    .option("--period <month>", "those of a month, such as 2026-01")
    .action(
      run(async (context, close, options) =>
        (await desk()).closes(context, close as string | undefined, options ?? {}),
      ),
    );
  json(finance.command("heartbeats"))
    .description("what runs by itself in Odoo, what n8n asks for, and which of it is silent or fails")
    .action(run(async (context, options) => (await desk()).heartbeats(context, options)));
  json(finance.command("report"))
    .description("the newest compliance reports of a month, one for each company; made when there are none")
    .option("--period <month>", "such as 2026-01 (default: last month in Manila)")
    .option("--again", "make them again: what has changed since is a new revision, which is mailed as such")
    .option("--pdf <file>", "write them to a new file, as the pages of A4 that are mailed")
    .option("--csv <file>", "write their filings to a new file, as it is mailed")
    .option("--xlsx <file>", "write their filings to a new spreadsheet, a sheet for each company")
    .action(run(async (context, options) => (await desk()).report(context, options)));
  registerHolidays(finance.command("holiday").description("the days on which nobody works, as Odoo holds them"));
  registerExtensions(finance.command("extension").description("the extensions of deadlines, as Odoo holds them"));
}

const desk = () => import("../commands/finance-desk.ts");

/** What moves deadlines is shown before it is done. */
const moving = (target: Command) =>
  json(target)
    .option("--region <names...>", "where it holds, as filers name their place; the nation without it")
    .option("-y, --yes", "do not ask");

function registerHolidays(holiday: Command): void {
  json(holiday.command("list", { isDefault: true }))
    .description("the holidays of a year")
    .option("--year <year>", "which year; all of them without it")
    .action(run(async (context, options) => (await desk()).listHolidays(context, options)));
  moving(holiday.command("add"))
    .description("enter a holiday; says first which open filings would get another deadline")
    .argument("<date>", "YYYY-MM-DD")
    .argument("<name>")
    .requiredOption("--proclamation <text>", "its number, or that of the law")
    .option("--type <type>", "regular, special_nonworking or special_working", "special_nonworking")
    .option("--estimated", "it is not proclaimed yet: then it moves nothing")
    .action(
      run(async (context, date, name, options) =>
        (await desk()).addHoliday(context, { date: date as string, name: name as unknown as string }, options ?? {}),
      ),
    );
}

function registerExtensions(extension: Command): void {
  json(extension.command("list", { isDefault: true }))
    .description("every extension, confirmed or not")
    .action(run(async (context, options) => (await desk()).listExtensions(context, options)));
  moving(extension.command("add"))
    .description("enter an extension, confirmed; says first which open filings would get another deadline")
    .requiredOption("--authority <text>", "the circular that grants it, such as RMC 75-2025")
    .requiredOption("--issued <date>", "when it was issued, YYYY-MM-DD")
    .requiredOption("--forms <codes...>", "for which forms, such as 1601-C")
    .requiredOption("--due-from <date>", "the first deadline, on a working day, that it is for")
    .option("--due-until <date>", "the last one (default: the first)")
    .requiredOption("--new-deadline <date>", "until when these may be filed instead")
    .option("--source <url>", "where it can be read")
    .action(run(async (context, options) => (await desk()).addExtension(context, options)));
}
