import { describe, expect, it } from "vitest";
import { parseConfig } from "../../config/load.ts";
import { createStack } from "../../stack/stack.ts";
import { composeConfig } from "../sandbox/compose.ts";
import type { Judgement } from "./check.ts";
import { healthChecks } from "./health.ts";

/** How a project's state is judged; that it is read right is shown on a real engine. */

const settings = { folder: "/srv/s", basePort: 18_080, images: {} };
const { sandbox } = parseConfig(composeConfig(settings), "ipai.yaml", {}).stacks;
if (sandbox === undefined) throw new TypeError("the configuration has no practice stack");
const checks = healthChecks(createStack(sandbox));

function judge(lines: readonly string[], stderr = ""): Judgement {
  const stdout = lines.map((line) => `${line.replaceAll(" ", "\t")}\n`).join("");
  return checkOf().judge([{ result: { stdout, stderr, exitCode: 0, seconds: 0.2, truncated: false } }]);
}

function checkOf() {
  const check = checks.find(({ code }) => code === "IPAI-CMP-001");
  if (check === undefined) throw new TypeError("a project has no check of its containers");
  return check;
}

const web = "container /p-web-1 web aaa 2.26.1 sha256:1 odoo:18";
const cache = "container /p-cache-1 cache bbb 2.26.1 sha256:2 redis:7";
const well = ["service web aaa", "service cache bbb", "image odoo:18 sha256:1", "image redis:7 sha256:2", web, cache];
const without = (...lines: readonly string[]) => well.filter((line) => !lines.includes(line));
const up = (services: string) =>
  `\`docker compose --project-name ipai-sandbox-18080 --project-directory /srv/s --file /srv/s/compose.yaml up --detach ${services}\``;

describe("the containers of a project", () => {
  it("are as the file says, whichever of its hashes Compose has noted", () => {
    expect(judge(well)).toEqual({ status: "ok", value: 0, threshold: 0 });
    expect(judge([...without("service web aaa"), "service web ccc", "also web aaa"]).status).toBe("ok");
  });

  it("differ in their definition, and those that do are told together with what makes them anew", () => {
    const rest = without("service web aaa", "service cache bbb");
    expect(judge(["service web ccc", "service cache ddd", "compose 2.26.1-4", ...rest])).toEqual({
      status: "warn",
      value: 2,
      threshold: 0,
      hint: `cache, web: made from another definition than the file has now. ${up("cache web")} makes them as the file says, and stops each meanwhile. Or is it the file that is wrong?`,
    });
  });

  it("differ in their image, when its name stands for another one or for none", () => {
    const moved = [...without("image odoo:18 sha256:1", "image redis:7 sha256:2"), "image odoo:18 sha256:9"];
    expect(judge([...moved, "image redis:7 -"]).hint).toContain(
      "web: the image odoo:18 is another one by now. cache: the image redis:7 is gone.",
    );
  });

  it("are missing, unless their profile is not active or the file wants none", () => {
    expect(judge(without(cache))).toMatchObject({ status: "warn", value: 1 });
    expect(judge(without(cache)).hint).toContain(`cache: no container. ${up("cache")}`);
    expect(judge([...without(cache), "idle cache"]).status).toBe("ok");
    expect(judge([...without(cache, "service cache bbb"), "other cache bbb"]).status).toBe("ok");
  });

  it("are compared under a profile that is not active too, and there may be several of one service", () => {
    const scaled = [...well, "container /p-web-2 web ccc 2.26.1 sha256:1 odoo:18"];
    expect(judge(scaled)).toMatchObject({ status: "warn", value: 1 });
    const inactive = [...without("service cache bbb"), "other cache ccc"];
    expect(judge(inactive).hint).toContain("cache: made from another definition");
  });

  it("belong to no service of the file", () => {
    const strays = [
      ...well,
      "container /p-old-1 old eee 2.26.1 sha256:2 redis:7",
      "container /x - - - sha256:2 redis:7",
    ];
    expect(judge(strays)).toEqual({
      status: "warn",
      value: 2,
      threshold: 0,
      hint: "Of no service of the file: p-old-1, x. `docker rm --force p-old-1 x`, if nobody needs it.",
    });
  });

  it("of version 1 have their image in their hash, and cannot be compared by version 2", () => {
    const old = web.replace("2.26.1", "1.29.2");
    const moved = [...without(web, "service web aaa", "image odoo:18 sha256:1"), "service web ccc", old];
    const image = judge([...moved, "image odoo:18 sha256:9", "compose 1.29.2"]).hint;
    expect(image).toContain("web: the image odoo:18 is another one by now. `");
    expect(judge([...moved, "image odoo:18 sha256:1", "compose 1.29.2"]).hint).toContain(
      "web: made from another definition than",
    );
    expect(judge([...moved, "image odoo:18 sha256:1", "compose 2.26.1"]).hint).toContain(
      "web: made by Compose 1.29.2, which notes definitions in another way than 2.26.1.",
    );
  });

  it("may differ because a variable is not set any more", () => {
    const unset = 'time="x" level=warning msg="The \\"SIZE\\" variable is not set. Defaulting to a blank string."\n';
    const changed = [...without("service web aaa"), "service web ccc"];
    expect(judge(changed, unset + unset).hint).toContain(" Compose found no value for SIZE: does .env lack it?");
  });

  it("are unknown when they could not be asked about, whatever it was", () => {
    const error = { code: "stack.compose_file", message: "It cannot be read.", hint: "Mend it." };
    expect(checkOf().judge([{ error }])).toEqual({
      status: "unknown",
      value: null,
      threshold: 0,
      hint: "It cannot be read. Mend it.",
    });
    expect(checkOf().judge([{ error: { ...error, code: "host.timeout" } }]).status).toBe("unknown");
    expect(judge(["service web"])).toMatchObject({ status: "unknown", hint: expect.stringContaining("says nothing") });
  });

  it("are asked about in one command, and only where there is a project", () => {
    expect(checkOf().actions).toHaveLength(1);
    expect(checks.map(({ code }) => code)).toEqual([
      ...["IPAI-ODOO-001", "IPAI-DB-001", "IPAI-DISK-001", "IPAI-MEM-001", "IPAI-HTTP-001", "IPAI-CACHE-001"],
      ...["IPAI-CRON-001", "IPAI-MAINTENANCE-001", "IPAI-CMP-001"],
    ]);
  });
});
