import { command, type Probe, type WriteAction } from "../../runbook/action.ts";
import type { Act, Plan, Step } from "../../runbook/plan.ts";
import { copyTree, pathExists } from "../../stack/files.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Procedure } from "../procedure.ts";
import { change, serving, startService } from "../steps.ts";
import {
  copyTemplate,
  createDatabase,
  installOdoo,
  keepInstalledCode,
  keepTemplate,
  makeRole,
  recordInstalled,
} from "./database.ts";
import {
  maintenanceConf,
  nginxConf,
  odooConf,
  redisConf,
  type SandboxSettings,
  sandboxUser,
  upstreamsConf,
} from "./definition.ts";
import { madeMarker, readSandboxFacts, type SandboxFacts, type SandboxInput, sandboxInput } from "./facts.ts";
import { makeRepository } from "./source.ts";

export const sandboxUp: Procedure<SandboxInput, SandboxFacts> = {
  name: "sandbox up",
  chapter: "sandbox",
  version: 1,
  risk: "change",
  title: "Practice stack",
  summary:
    "Brings up a practice stack of real parts: PostgreSQL, Redis, nginx and three Odoo processes on one database.",
  input: sandboxInput,
  facts: readSandboxFacts,
  plan: planSandbox,
};

function planSandbox(stack: Stack, given: SandboxInput, facts: SandboxFacts): Plan {
  const services = stack.config.services.odoo;
  return {
    procedure: sandboxUp.name,
    version: sandboxUp.version,
    stack: stack.name,
    title: `Bring up the practice stack on Odoo ${facts.series}`,
    input: { ...given },
    facts: { series: facts.series, hashes: facts.hashes, isMade: facts.isMade },
    lease: "exclusive",
    notes: [`Everything lies below ${given.folder} and listens on the loopback interface only.`],
    steps: [
      ...(facts.isMade ? [] : prepare(stack, given, facts)),
      startService("start database", "Start PostgreSQL", stack.runtime.service("database")),
      ...(facts.isMade ? [] : makeDatabase(stack, given, facts)),
      start(stack, "redis"),
      ...services.map((service) => start(stack, service.name)),
      start(stack, "nginx"),
      ...services.map((service) => serving(stack, service.name, stack.odoo.addressOf(service))),
    ],
  };
}

/** Everything that must lie there before a server is started. */
function prepare(stack: Stack, given: SandboxInput, facts: SandboxFacts): readonly Step[] {
  return [
    ...folders(stack, given),
    ...configuration(stack, given),
    ...makeCluster(stack, given),
    ...(facts.isTemplateKept ? copyTemplate(stack, given, facts) : []),
  ];
}

function makeDatabase(stack: Stack, given: SandboxInput, facts: SandboxFacts): readonly Act[] {
  const marker = madeMarker(given.folder);
  return [
    ...(facts.isTemplateKept
      ? []
      : [
          makeRole(stack),
          createDatabase(stack),
          installOdoo(stack, facts.hashes),
          ...keepTemplate(stack, given, facts),
        ]),
    recordInstalled(stack, facts.hashes),
    ...Object.keys(facts.hashes).map((module) => keepInstalledCode(stack, given.modules, module)),
    change(
      {
        id: "made",
        title: "Note that it is made",
        action: { kind: "write", host: stack.tools, path: marker, content: "made\n", mode: "0644" },
      },
      { verify: [pathExists(stack.tools, marker, "it is noted")] },
    ),
  ];
}

function start(stack: Stack, service: string): Act {
  return startService(`start ${service}`, `Start ${service}`, stack.runtime.service(service));
}

function folders(stack: Stack, { folder, modules }: SandboxInput): readonly Step[] {
  const { tools: host } = stack;
  const user: Probe = {
    title: `there is a user ${sandboxUser}`,
    action: command(host, ["id", "-u", sandboxUser], { okExitCodes: [0, 1] }),
    output: { from: "exitCode", as: "number" },
    compare: "eq",
    with: 0,
  };
  const own = (owner: string, ...names: readonly string[]) =>
    change(
      {
        id: `folders of ${owner}`,
        title: `Make the folders of ${owner}`,
        action: command(host, ["install", "-d", "-m", "0755", "-o", owner, ...names.map((name) => folder + name)]),
      },
      { verify: names.map((name) => pathExists(host, folder + name, `${name} is there`)) },
    );
  return [
    change(
      {
        id: "user",
        title: "Make the service user of Odoo",
        action: command(host, [
          "useradd",
          "--system",
          "--user-group",
          "--no-create-home",
          "--shell",
          "/usr/sbin/nologin",
          sandboxUser,
        ]),
      },
      { done: user, verify: [user] },
    ),
    own("root", "", "/log", "/nginx", "/work", "/maintenance"),
    own("postgres", "/run", "/pglog"),
    own("redis", "/redis"),
    own(sandboxUser, "/odoo", "/odoo/filestore", "/pycache"),
    change(
      {
        id: "modules",
        title: "Put the practice modules in place",
        action: copyTree(host, modules, `${folder}/addons`),
      },
      { verify: [pathExists(host, `${folder}/addons`, "the modules are there")] },
    ),
    makeRepository(host, folder),
  ];
}

function configuration(stack: Stack, given: SandboxInput): readonly Act[] {
  const settings: SandboxSettings = given;
  const file = (name: string, content: string): Act => {
    const action: WriteAction = {
      kind: "write",
      host: stack.tools,
      path: `${given.folder}/${name}`,
      content,
      mode: "0644",
    };
    return change(
      { id: name, title: `Write ${name}`, action },
      { verify: [pathExists(stack.tools, `${given.folder}/${name}`, `${name} is there`)] },
    );
  };
  const password = `${given.folder}/repository-password`;
  return [
    file("odoo.conf", odooConf(settings)),
    file("redis.conf", redisConf(settings)),
    file("nginx.conf", nginxConf(settings)),
    file("upstreams.conf", upstreamsConf(settings)),
    placeMaintenance(stack, given),
    change(
      {
        id: "password",
        title: "Draw the password of the backup repository",
        action: command(stack.tools, [
          "sh",
          "-c",
          'umask 077 && openssl rand -hex 24 > "$1.partial" && mv -f "$1.partial" "$1"',
          "draw",
          password,
        ]),
      },
      {
        done: pathExists(stack.tools, password, "the password is there"),
        verify: [pathExists(stack.tools, password, "the password is there")],
      },
    ),
  ];
}

/** The same snippet that every nginx includes. */
function placeMaintenance({ tools: host }: Stack, given: SandboxInput): Act {
  const [shipped, placed] = [`${given.shipped}/maintenance.conf`, maintenanceConf(given)];
  return change(
    {
      id: "maintenance.conf",
      title: "Put nginx's snippet for maintenance mode in place",
      action: command(host, ["install", "-m", "0644", "--", shipped, placed]),
    },
    { verify: [pathExists(host, placed, "the snippet is there")] },
  );
}

/** Without a pid file beside those of the system's own clusters, which a second practice stack would share. */
const clusterSettings = "listen_addresses = '127.0.0.1'\nexternal_pid_file = ''\n";

/** A cluster of its own with Debian's tools, its configuration below the sandbox too. */
function makeCluster(stack: Stack, { folder }: SandboxInput): readonly Act[] {
  const { tools: host, config } = stack;
  const made = pathExists(host, `${folder}/postgresql/15/sandbox/postgresql.conf`, "the cluster is there");
  const create = command(
    host,
    [
      "pg_createcluster",
      ...["15", "sandbox", "--user=postgres", `--datadir=${folder}/data`, `--socketdir=${folder}/run`],
      ...[`--logfile=${folder}/pglog/postgresql.log`, `--port=${config.services.database.port}`, "--start-conf=manual"],
      ...["--locale=C.UTF-8", "--encoding=UTF8", "--", "--auth-local=peer", "--auth-host=scram-sha-256"],
    ],
    { env: { PG_CLUSTER_CONF_ROOT: `${folder}/postgresql` } },
  );
  const settings = `${folder}/postgresql/15/sandbox/conf.d/sandbox.conf`;
  return [
    change({ id: "cluster", title: "Make a PostgreSQL cluster", action: create }, { done: made, verify: [made] }),
    change(
      {
        id: "cluster settings",
        title: "Keep it to the loopback interface",
        action: { kind: "write", host, path: settings, content: clusterSettings, mode: "0644" },
      },
      { verify: [pathExists(host, settings, "the settings are there")] },
    ),
  ];
}
