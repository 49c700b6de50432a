import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { Secret } from "../../src/config/secret.ts";
import type { CommandResult, Executor, Pipeline } from "../../src/host/executor.ts";
import { LocalExecutor } from "../../src/host/local.ts";
import { codeOf, pipe, processesWith, run, sh } from "./pipelines.ts";
import { until } from "./sandbox.ts";

/** What holds of every place that is not this machine, whichever way leads there. */
export interface Elsewhere {
  readonly executor: () => Executor;
  /** Pattern of the command line, on this machine, of the session that carries the connection. */
  readonly guard: () => string;
}

export function describeElsewhere(name: string, { executor, guard }: Elsewhere): void {
  const mark = `${name.replaceAll(/\W+/g, "-")}-${process.pid}`;
  describe(name, () => {
    describe("a command does what it does on this one", () => {
      it.each<[string, Pipeline]>([
        ["that prints on both", pipe(sh("echo out; echo err >&2; printf 'no end'; printf 'nor here' >&2"))],
        ["that fails", pipe(sh("echo why >&2; exit 255"))],
        [
          "of several programs",
          pipe(sh("printf 'b\\na\\n'"), { argv: ["sort"] }, sh("cat; exit 3"), { argv: ["tac"] }),
        ],
        ["that mixes its outputs", pipe(sh("echo one; echo two >&2", { mergeStderr: true }), { argv: ["cat"] })],
        ["that reads nothing", pipe({ argv: ["cat"] })],
        ["with input", pipe({ argv: ["cat"], stdin: 'it\'s  "odd" $HOME `x` \\\n\t é\u0007\n\nno end' })],
        ["with input in the middle", pipe({ argv: ["true"] }, { argv: ["cat"], stdin: "kept\n" })],
        ["with a long input", pipe({ argv: ["sha256sum"], stdin: "0123456789abcdef\n".repeat(200_000) })],
        ["with odd arguments", pipe({ argv: ["printf", "[%s]", "", "a b", "it's", "$(x)", "\u0001", "-n", "é\n"] })],
        [
          "with variables",
          pipe(sh('printf %s "$A|$B|$PATH|$LANG|$TZ"; pwd', { env: { A: "a 'b'", B: new Secret("s") } })),
        ],
        ["whose program has an odd name", pipe({ argv: ["a=b"] })],
        ["that is ended by a signal", pipe(sh("kill -TERM $$"))],
        ["that answers 127 by itself", pipe(sh("exit 127"))],
        ["that prints much", pipe(sh("seq 30000 | tee /dev/stderr"))],
      ])("%s", async (_, pipeline) => {
        const [here, there] = await Promise.all([
          run(new LocalExecutor(), pipeline).catch((error: unknown) => error),
          run(executor(), pipeline).catch((error: unknown) => error),
        ]);
        if (here instanceof Error) return expect(there).toMatchObject({ code: (here as { code?: string }).code });
        expect({ ...(there as CommandResult), seconds: 0 }).toEqual({ ...(here as CommandResult), seconds: 0 });
      });

      it("tells every line as it comes, and when it has begun", async () => {
        const heard: string[] = [];
        const pipeline = pipe(sh("echo one; echo two >&2; sleep 0.2; echo three"));
        await run(executor(), pipeline, {
          onSpawn: () => heard.push("begun"),
          onLine: (line, stream) => heard.push(`${stream} ${line}`),
        });
        expect([heard[0], heard.toSorted()]).toEqual(["begun", ["begun", "stderr two", "stdout one", "stdout three"]]);
      });

      it.each([
        ["that is not there", "no-such-program", "host.program_not_found"],
        ["that is no program", "/etc/passwd", "host.permission_denied"],
      ])("says so of a program %s", async (_, program, code) => {
        expect(await codeOf(run(executor(), pipe({ argv: [program] })))).toBe(code);
        expect(await codeOf(run(new LocalExecutor(), pipe({ argv: [program] })))).toBe(code);
      });

      it("shows no secret to whoever lists the processes, on either side", async () => {
        const secret = new Secret("hunter2secret");
        const ended = await run(
          executor(),
          pipe(
            sh('cat >/dev/null; for f in /proc/[0-9]*/cmdline; do tr "\\0" " " <"$f"; echo; done 2>/dev/null', {
              env: { KEY: secret },
              stdin: secret,
            }),
          ),
        );
        expect(ended.stdout).toContain("/proc/");
        expect(ended.stdout).not.toContain("hunter2secret");
      });
    });

    describe("a command that is stopped", () => {
      const stubborn = (mark: string) => pipe(sh("trap '' TERM; sleep 300 & sleep 300", { env: { MARK: mark } }));

      it("because it takes too long ends there too, with what it had started", async () => {
        const ended = run(executor(), pipe(sh("echo why >&2; sleep 300 & sleep 300", { env: { MARK: `${mark}-a` } })), {
          timeoutMs: 700,
        });
        await expect(ended).rejects.toMatchObject({ code: "host.timeout", details: { output: "why" } });
        expect(processesWith(`${mark}-a`)).toEqual([]);
      });

      it("because a person asked for it, though it does not listen", async () => {
        const stop = new AbortController();
        const ended = codeOf(
          run(executor(), stubborn(`${mark}-b`), {
            signal: stop.signal,
            onSpawn: () => setTimeout(() => stop.abort(), 300),
          }),
        );
        expect(await ended).toBe("host.cancelled");
        expect(processesWith(`${mark}-b`)).toEqual([]);
      });

      it("leaves daemons, and nothing else", async () => {
        await run(
          executor(),
          pipe(
            sh("sleep 300 >/dev/null 2>&1 & setsid sleep 300 >/dev/null 2>&1 & echo", { env: { MARK: `${mark}-c` } }),
          ),
        );
        await until("one is left", async () => processesWith(`${mark}-c`).length === 1, 3000);
        for (const pid of processesWith(`${mark}-c`)) process.kill(Number(pid), "SIGKILL");
      });
    });

    describe("a connection that is lost in the middle", () => {
      it("is an error that leaves open what happened; the next one begins when nothing of it runs any more", async () => {
        const started = Promise.withResolvers<void>();
        const lost = codeOf(
          run(executor(), pipe(sh("sleep 300", { env: { MARK: `${mark}-d` } })), { onSpawn: () => started.resolve() }),
        );
        await started.promise;
        execFileSync("pkill", ["-KILL", "-f", guard()]);
        expect(await lost).toBe("host.connection_lost");
        const next = await run(
          executor(),
          pipe(sh(`cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c 'MARK=${mark}-d$'; true`)),
        );
        expect(next.stdout.trim()).toBe("0");
      });
    });
  });
}
