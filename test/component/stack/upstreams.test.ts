import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, get, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CommandAction } from "../../../src/runbook/action.ts";
import { createStack } from "../../../src/stack/stack.ts";
import { perform, practiceStack } from "../../harness/perform.ts";
import { codeOf } from "../../harness/pipelines.ts";
import { until } from "../../harness/sandbox.ts";
import { freePort } from "../../harness/sshd.ts";

/** A real nginx before servers that take 0.3 s for every answer and count what they are asked. */
const services = ["odoo-accounting", "odoo-core", "odoo-marketing"] as const;
type Service = (typeof services)[number];

interface Backend {
  readonly port: number;
  readonly server: Server;
  asked: number;
}

let answersAfterMs = 300;
let folder: string;
let port: number;
let nginx: ChildProcess;
let backends: Record<Service, Backend>;
const at = (name: string) => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-proxy-"));
  port = await freePort("127.0.0.1");
  backends = Object.fromEntries(
    await Promise.all(services.map(async (name) => [name, await startBackend(name)])),
  ) as typeof backends;
  await writeFile(at("upstreams.conf"), upstreamsConf("127.0.0.1"));
  await writeFile(at("extra.conf"), "");
  await writeFile(at("nginx.conf"), nginxConf());
  await mkdir(at("tmp"));
  nginx = spawn("nginx", ["-c", at("nginx.conf"), "-e", at("error.log")], { stdio: "ignore" });
  await until("nginx answers", async () => (await ask()) === 200);
  for (const backend of Object.values(backends)) backend.asked = 0;
});
afterEach(async () => {
  const ended = once(nginx, "exit");
  if (nginx.exitCode === null && nginx.kill()) await ended;
  for (const { server } of Object.values(backends)) server.close();
  await rm(folder, { recursive: true });
});

async function startBackend(name: Service): Promise<Backend> {
  const backend = { asked: 0, port: 0 } as { asked: number; port: number; server: Server };
  backend.server = createServer((_, response) => {
    backend.asked++;
    setTimeout(() => response.end(name), answersAfterMs);
  }).listen(0, "127.0.0.1");
  await once(backend.server, "listening");
  backend.port = (backend.server.address() as { port: number }).port;
  return backend;
}

function upstreamsConf(host: string): string {
  const servers = services.map((name) => `  server ${host}:${backends[name].port} max_fails=1; # ${name}`);
  return `upstream odoo {\n${servers.join("\n")}\n}\n`;
}

function nginxConf(): string {
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${at("tmp")};`);
  return `daemon off; worker_processes 2; pid ${at("nginx.pid")};
events { worker_connections 512; }
http { access_log off; ${paths.join(" ")} include ${at("upstreams.conf")}; include ${at("extra.conf")};
server { listen 127.0.0.1:${port}; location / { proxy_pass http://odoo; } } }
`;
}

/** The status, or 0 when the connection failed. */
function ask(): Promise<number> {
  return new Promise((resolve) => {
    get({ port, host: "127.0.0.1", agent: false }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0));
    }).once("error", () => resolve(0));
  });
}

function proxy(upstreams = at("upstreams.conf"), host = "127.0.0.1") {
  const definition = practiceStack(folder);
  const stack = createStack({
    ...definition,
    runtime: {
      native: {
        services: {
          ...("native" in definition.runtime ? definition.runtime.native.services : {}),
          nginx: {
            command: ["nginx", "-c", at("nginx.conf")],
            user: "root",
            environment: {},
            pidFile: at("nginx.pid"),
            log: at("nginx.log"),
            stopSeconds: 10,
          },
        },
      },
    },
    services: {
      ...definition.services,
      odoo: services.map((name) => ({ name, url: `http://${host}:${backends[name].port}` })),
      proxy: { name: "nginx", upstreams },
    },
  });
  if (stack.upstreams === undefined) throw new TypeError("a stack with upstreams has them");
  return stack.upstreams;
}

const isTrue = async (action: CommandAction) => (await perform(action)).exitCode === 0;

describe("a service behind nginx", () => {
  it.each(["127.0.0.1", "localhost"])(
    "at %s is taken out and let in again without a request that fails",
    async (host) => {
      const upstreams = proxy(undefined, host);
      await writeFile(at("upstreams.conf"), upstreamsConf(host));
      const statuses: Promise<number>[] = [];
      const loop = setInterval(() => statuses.push(ask()), 10);
      const original = await readFile(at("upstreams.conf"), "utf8");
      for (const name of services) {
        await perform(upstreams.drain(name));
        expect(await isTrue(upstreams.isDrained(name).action as CommandAction)).toBe(true);
        const before = backends[name].asked;
        await new Promise((resolve) => setTimeout(resolve, 500));
        expect(backends[name].asked - before).toBe(0);
        await perform(upstreams.admit(name));
        expect(await isTrue(upstreams.isAdmitted(name).action as CommandAction)).toBe(true);
        await until(`${name} is asked again`, async () => backends[name].asked > before);
      }
      clearInterval(loop);
      const all = await Promise.all(statuses);
      expect(all.length).toBeGreaterThan(150);
      expect(all.filter((status) => status !== 200)).toEqual([]);
      expect(await readFile(at("upstreams.conf"), "utf8")).toBe(original);
    },
  );

  it("that has not answered yet is given the time for it, but not for ever", async () => {
    const upstreams = proxy();
    const drained = async (afterMs: number) => {
      answersAfterMs = afterMs;
      const answers = services.map(ask);
      const asked = () => Object.values(backends).reduce((sum, one) => sum + one.asked, 0);
      await until("all are under way", async () => asked() === 3);
      const since = performance.now();
      let answered = 0;
      for (const one of answers) void one.then(() => answered++);
      await perform(upstreams.drain("odoo-core"));
      const [took, had] = [performance.now() - since, answered];
      await perform(upstreams.admit("odoo-core"));
      return { took, had, statuses: await Promise.all(answers) };
    };
    try {
      const slow = await drained(2000);
      expect([slow.had, slow.statuses]).toEqual([3, [200, 200, 200]]);
      for (const backend of Object.values(backends)) backend.asked = 0;
      const endless = await drained(8000);
      expect([endless.had, endless.took > 5000, endless.took < 7500]).toEqual([0, true, true]);
    } finally {
      answersAfterMs = 300;
    }
  });

  it("needs no name while it is out", async () => {
    await writeFile(at("upstreams.conf"), upstreamsConf("localhost"));
    const original = await readFile(at("upstreams.conf"), "utf8");
    const upstreams = proxy(undefined, "localhost");
    await perform(upstreams.drain("odoo-core"));
    const drained = await readFile(at("upstreams.conf"), "utf8");
    const { port: own } = backends["odoo-core"];
    expect(drained).toContain(`  server 0.0.0.0:${own} max_fails=1 down; # for localhost:${own} # odoo-core\n`);
    await perform(upstreams.admit("odoo-core"));
    expect(await readFile(at("upstreams.conf"), "utf8")).toBe(original);
  });

  it("may be taken out twice, and let in twice", async () => {
    const original = await readFile(at("upstreams.conf"), "utf8");
    for (const verb of ["drain", "drain", "admit", "admit"] as const) await perform(proxy()[verb]("odoo-core"));
    expect(await readFile(at("upstreams.conf"), "utf8")).toBe(original);
  });

  it("that the file does not name is refused", async () => {
    const other = at("others.conf");
    await writeFile(other, "upstream odoo {\n  server 127.0.0.1:1;\n}\n");
    expect(await codeOf(perform(proxy(other).drain("odoo-core")))).toBe("proxy.server_unknown");
    expect(await readFile(other, "utf8")).toBe("upstream odoo {\n  server 127.0.0.1:1;\n}\n");
  });

  it("stays where it is when nginx does not take its configuration", async () => {
    const original = await readFile(at("upstreams.conf"), "utf8");
    await writeFile(at("extra.conf"), "nonsense;\n");
    expect(await codeOf(perform(proxy().drain("odoo-core")))).toBe("proxy.not_reloaded");
    expect(await readFile(at("upstreams.conf"), "utf8")).toBe(original);
    expect(await ask()).toBe(200);
  }, 30_000);

  it("is marked for the next start when no nginx runs", async () => {
    const ended = once(nginx, "exit");
    nginx.kill();
    await ended;
    await perform(proxy().drain("odoo-core"));
    expect(await isTrue(proxy().isDrained("odoo-core").action as CommandAction)).toBe(true);
  });
});
