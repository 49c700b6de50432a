import { describe, expect, it } from "vitest";

import { Executors } from "../../../src/cli/executors.ts";
import { codeOf, pipe, processesWith, run, sh } from "../../harness/pipelines.ts";
import { until } from "../../harness/sandbox.ts";
import { hasNetworks, startSshd } from "../../harness/sshd.ts";

/** A file of its own, because it mostly waits: until this side gives up, and until the other does. */
const mark = `cable-${process.pid}`;

describe.skipIf(!hasNetworks)("behind a cable that is cut (needs network namespaces)", () => {
  it("a command is given up on this side and ended on the other, and goes on when the cable is mended", async () => {
    await using far = await startSshd({ namespace: "ipai-ssh-test" });
    await using executors = new Executors({ IPAI_SSH_CONFIG: far.configFile });
    const executor = executors.of(far.destination);
    const lost = codeOf(
      run(executor, pipe(sh("sleep 300", { env: { MARK: mark } })), {
        onSpawn: () => setTimeout(() => far.cable.cut(), 200),
      }),
    );
    expect(await lost).toBe("host.connection_lost");
    expect(processesWith(`MARK=${mark}`)).not.toEqual([]);
    expect(await codeOf(run(executor, pipe({ argv: ["true"] })))).toBe("host.unreachable");
    await until("the guard has ended it", async () => processesWith(`MARK=${mark}`).length === 0, 40_000);
    far.cable.mend();
    expect((await run(executor, pipe(sh("echo back")))).stdout).toBe("back\n");
  }, 120_000);
});
