import { settleRights } from "../../src/access/aftermath.ts";
import { backUpControl } from "../../src/engine/control-backup.ts";
import { restoreControl } from "../../src/engine/control-restore.ts";
import { LocalExecutor } from "../../src/host/local.ts";

/** Backs a control database up, or restores it, in a process of its own: `node test/harness/copy-control.ts HOME backup|restore PATH`. */
const [home = "", what = "", path = ""] = process.argv.slice(2);
const common = { home, executor: new LocalExecutor(), actor: "anna" };
if (what === "backup") await backUpControl({ ...common, directory: path, keep: 14 });
else await restoreControl({ ...common, file: path, routes: [], settleRights, consent: () => Promise.resolve(true) });
