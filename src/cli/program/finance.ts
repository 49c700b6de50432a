import type { Command } from "commander";
import { registerFinanceDesk } from "./finance-desk.ts";
import { json, run } from "./register.ts";

/** Deadlines of filings with the BIR. The first three need neither a stack nor a configuration. */
export function registerFinance(program: Command): void {
  const finance = program.command("finance").description("what has to be filed with the BIR, by when, and why");
  json(filer(finance.command("calendar")))
    .description("the filings whose deadline lies in a year")
    .requiredOption("--year <year>", "the year in which the filings are due")
    .option("--csv", "print CSV")
    .option("--ics", "print an iCalendar file, with alarms")
    .action(
      run(async (context, options) => (await import("../commands/finance.ts")).calendar(context, options as never)),
    );
  json(filer(finance.command("check")))
    .description("compare a calendar in use with the rules (exit code 0: it is right, 1: it is not)")
    .argument("<file>", "CSV with a header that has form, period and deadline")
    .action(
      run(async (context, file, options) =>
        (await import("../commands/finance.ts")).check(context, file as string, options),
      ),
    );
  json(filer(finance.command("why")))
    .description("one filing, and why it is due when it is")
    .argument("<form>", "such as 1601-C")
    .argument("<period>", "2026-01, 2026-Q1, 2026-H1, 2026, FY2026, or the day of an event")
    .action(
      run(async (context, form, period, options) =>
        (await import("../commands/finance.ts")).why(
          context,
          { form: form as string, period: period as unknown as string },
          options ?? {},
        ),
      ),
    );
  registerFinanceDesk(finance);
}

const filer = (target: Command) =>
  target
    .option("--filer <kind>", "manual, ebirforms or efps", "manual")
    .option("--efps-group <group>", "A to E, of an eFPS filer")
    .option("--fiscal-year-end <month>", "the month in which its fiscal year ends, 1 to 12", "12")
    .option("--applies <what...>", "what it is liable for, or all (default: the core of a corporation)")
    .option("--region <names...>", "where it is registered, for extensions and holidays of a region");
