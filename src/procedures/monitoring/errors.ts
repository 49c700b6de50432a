import { defineError } from "../../errors/error.ts";

/** A program that asks for others (runuser, sh) could not find or start the one that was to answer. */
export const NotAsked = defineError<{ readonly output?: string }>("health.not_asked", {
  exitCode: 36,
  message: (d) => `The question could not be asked: ${d.output?.trim().split("\n").at(-1) ?? "nothing was said"}.`,
  hint: () => "Is the program that it names installed, and may this user start it?",
});
