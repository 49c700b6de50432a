import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../config/load.ts";
import { type Container, findProjects, parseContainers } from "./containers.ts";
import { defineStack, renderStack, renderTools, stackName } from "./definition.ts";
import { type Discovered, judgeSetup } from "./findings.ts";
import { boundFolders, fileOf, parseClock, parseWorkTree, programOf, publicAddresses } from "./questions.ts";

/** As `docker container inspect` tells it; what is not given is as in a project that is well kept. */
interface Given {
  readonly service: string;
  readonly project?: string;
  readonly command?: readonly string[];
  readonly image?: string;
  readonly environment?: readonly string[];
  readonly mounts?: readonly (readonly [type: string, name: string, destination: string])[];
  readonly ports?: Readonly<Record<string, readonly { HostIp: string; HostPort: string }[]>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly stopSeconds?: number;
}

function inspected({ service, project = "erp", command = ["sleep", "infinity"], ...given }: Given): object {
  const [path = "", ...args] = command;
  return {
    Name: `/${project}-${service}-1`,
    Path: path,
    Args: args,
    State: { Running: true },
    HostConfig: { RestartPolicy: { Name: "unless-stopped" } },
    Config: {
      Image: given.image ?? `${service}:1`,
      User: "",
      Env: given.environment ?? [],
      Entrypoint: null,
      Labels: {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.project.working_dir": "/srv/erp",
        "com.docker.compose.project.config_files": "/srv/erp/docker/compose.yml,/etc/extra.yml",
        ...given.labels,
      },
      Healthcheck: { Test: ["CMD", "true"] },
      StopTimeout: given.stopSeconds ?? 150,
    },
    Mounts: (given.mounts ?? []).map(([Type, Name, Destination]) => ({
      ...{ Type, Name, Destination, RW: true },
      Source: Type === "bind" ? Name : `/var/lib/docker/volumes/${Name}/_data`,
    })),
    NetworkSettings: { Ports: given.ports ?? {} },
  };
}

const odoo: Given = {
  service: "odoo",
  command: ["/entrypoint.sh", "odoo", "-c", "/etc/odoo/odoo.conf"],
  mounts: [
    ["volume", "erp_web", "/var/lib/odoo"],
    ["bind", "/srv/erp/addons", "/mnt/extra-addons"],
  ],
};
const database: Given = {
  service: "db",
  command: ["docker-entrypoint.sh", "postgres"],
  image: "postgres:16-alpine",
  mounts: [["volume", "erp_db", "/var/lib/postgresql/data"]],
};
const one = (given: Given): Container => {
  const [found] = parseContainers([inspected(given)]);
  if (found === undefined) throw new TypeError("no container");
  return found;
};

function discovered(others: readonly Given[] = [], changed: Partial<Discovered> = {}): Discovered {
  const given = [odoo, database, ...others];
  const last = new Map(given.map((each) => [each.service, each]));
  const [project] = findProjects(parseContainers([...last.values()].map(inspected)));
  if (project === undefined) throw new TypeError("no project");
  return {
    host: "local",
    project,
    server: {
      superuser: "odoo",
      version: 160_004,
      sockets: "/var/run/postgresql",
      port: 5432,
      data: "/var/lib/postgresql/data",
    },
    database: {
      name: "erp",
      version: "18.0.1.3",
      baseUrl: "https://erp.example.com",
      zone: "Asia/Manila",
      admin: "admin",
      hash: "$pbkdf2",
      owner: { name: "erp", isSuperuser: false, createsDatabases: false },
    },
    odoo: {
      program: ["/usr/bin/python3", "/usr/bin/odoo"],
      path: "/opt/lib",
      user: "odoo",
      uid: 100,
      gid: 101,
      file: "/etc/odoo/odoo.conf",
      version: "18.0",
      known: ["list_db", "workers"],
      names: ["list_db"],
      values: { list_db: "False", proxy_mode: "True" },
      passwords: { master: false, admin: false },
      modules: { "/mnt/extra-addons": ["ipai_ledger"] },
    },
    workTree: undefined,
    clockDifference: 0.1,
    clockSynchronized: true,
    publicAddress: { url: "https://erp.example.com", authority: undefined },
    publicAddresses: ["https://erp.example.com"],
    ...changed,
  };
}

const codes = (found: Discovered) => judgeSetup(found).map(({ code }) => code.slice(-3));
const tools: readonly Given[] = [
  { service: "tools", environment: ["PGDATA=/var/lib/postgresql/data"] },
  { service: "odoo-tools", environment: ["ODOO_RC=/etc/odoo/odoo.conf"] },
];

describe("containers", () => {
  it.each([
    ["the official image of Odoo", odoo, "odoo"],
    ["a source tree's", { service: "web", command: ["python3", "/opt/odoo/odoo-bin", "-c", "x"] }, "odoo"],
    ["PostgreSQL", database, "database"],
    ["Redis", { service: "cache", command: ["docker-entrypoint.sh", "redis-server"] }, "cache"],
    ["Caddy", { service: "web", command: ["caddy", "run"] }, "proxy"],
    ["one of Odoo's image that only waits", tools[1] ?? odoo, "odooTools"],
    [
      "one of PostgreSQL's image that only waits, with a guard",
      {
        ...database,
        service: "t",
        command: ["/sbin/docker-init", "--", "sleep", "infinity"],
        environment: ["PGDATA=/x"],
      },
      "tools",
    ],
    [
      "a gateway to PostgreSQL",
      { ...database, service: "pgbouncer", command: ["/entrypoint.sh", "pgbouncer"] },
      undefined,
    ],
    [
      "a backup of PostgreSQL's image",
      { ...database, service: "backup", command: ["/bin/sh", "-c", "backup"] },
      undefined,
    ],
    [
      "an exporter",
      { service: "exporter", image: "nginx/nginx-prometheus-exporter:1", command: ["nginx-prometheus-exporter"] },
      undefined,
    ],
    [
      "certbot with Odoo's name",
      { service: "certbot", command: ["certbot", "renew", "-d", "odoo.example.com"] },
      undefined,
    ],
    [
      "a cache with Odoo's name",
      { service: "c", command: ["docker-entrypoint.sh", "redis-server", "--requirepass", "odoo"] },
      "cache",
    ],
    ["an Odoo that installs and ends", { ...odoo, command: ["odoo", "-i", "base", "--stop-after-init"] }, undefined],
    ["something else", { service: "n8n", command: ["n8n"] }, undefined],
  ])("are known by what they run: %s", (_, given, role) => {
    expect(one(given as Given).role).toBe(role);
  });

  it("of one project, with an Odoo and a database, make a stack; one-off and other containers do not", () => {
    const once = { ...odoo, service: "once", labels: { "com.docker.compose.oneoff": "True" } };
    const all = [odoo, database, once, { ...database, project: "only-a-database" }];
    const projects = findProjects(parseContainers(all.map(inspected)));
    expect(projects.map(({ name, odoo: services }) => [name, services.length])).toEqual([["erp", 1]]);
    expect(projects[0]?.files).toEqual(["docker/compose.yml", "/etc/extra.yml"]);
  });
});

describe("Odoo's own program and file", () => {
  it.each([
    ["/entrypoint.sh odoo", "odoo", "/etc/odoo/odoo.conf"],
    ["/sbin/docker-init -- /entrypoint.sh odoo -d erp", "odoo", "/etc/odoo/odoo.conf"],
    ["python3 /opt/odoo/odoo-bin server --config=/a.conf", "python3 /opt/odoo/odoo-bin", "/a.conf"],
    ["/entrypoint.sh -c /b.conf", "odoo", "/b.conf"],
    ["wait-for-it.sh db:5432 -- odoo -c /c.conf", "odoo", "/c.conf"],
    ["sh -c 'pip install x && odoo'", undefined, "/etc/odoo/odoo.conf"],
  ])("in %s", (command, program, file) => {
    const container = one({ ...odoo, command: command.split(" ") });
    expect([programOf(container)?.join(" "), fileOf(container)]).toEqual([program, file]);
  });
});

describe("addresses at which users may come in", () => {
  const ports = (...pairs: readonly [string, string, string][]) =>
    Object.fromEntries(pairs.map(([port, HostIp, HostPort]) => [port, [{ HostIp, HostPort }]]));
  it.each([
    ["what Odoo was told first", "https://erp.example.com", {}, ["https://erp.example.com"]],
    [
      "not Odoo's own default",
      "http://localhost:8069",
      ports(["8069/tcp", "0.0.0.0", "8069"]),
      ["http://erp.test:8069"],
    ],
    [
      "the encrypted one before the other",
      null,
      ports(["80/tcp", "0.0.0.0", "80"], ["443/tcp", "127.0.0.1", "8443"]),
      ["https://127.0.0.1:8443", "http://erp.test"],
    ],
  ])("%s", (_, baseUrl, published, wanted) => {
    const { project } = discovered([{ ...odoo, ports: published }]);
    expect(publicAddresses(project, baseUrl, "erp.test")).toEqual(wanted);
  });
});

describe("what is wrong", () => {
  it("is nothing in a project that is well kept", () => {
    expect(codes(discovered(tools))).toEqual([]);
  });

  it("has a door of several proxies", () => {
    const door = { "443/tcp": [{ HostIp: "0.0.0.0", HostPort: "443" }] };
    const { project } = discovered([
      { service: "aa", command: ["nginx"] },
      { service: "web", command: ["nginx"], ports: door },
    ]);
    expect(project.proxy?.service).toBe("web");
  });

  it.each<[string, string, Discovered]>([
    [
      "018",
      "modules in the image alone",
      discovered([...tools, { ...odoo, mounts: [["volume", "erp_web", "/var/lib/odoo"]] }]),
    ],
    ["009", "a clock that is wrong", discovered(tools, { clockDifference: -3.2 })],
    ["009", "a clock that nothing keeps", discovered(tools, { clockSynchronized: false })],
    ["006", "data in no volume at all", discovered([...tools, { ...database, mounts: [] }])],
    [
      "006",
      "data in a volume without a name",
      discovered([
        ...tools,
        {
          ...odoo,
          mounts: [
            ["volume", "a".repeat(64), "/var/lib/odoo"],
            ["bind", "/srv/erp/addons", "/mnt/extra-addons"],
          ],
        },
      ]),
    ],
    ["019", "an address that nobody answers", discovered(tools, { publicAddress: undefined })],
    ["007", "an image without a version", discovered([...tools, { service: "x", image: "registry:5000/x" }])],
    [
      "013",
      "a proxy that Odoo does not know",
      discovered([...tools, { service: "p", command: ["nginx"] }], {
        odoo: { ...discovered().odoo, values: { list_db: "0" } },
      }),
    ],
    [
      "002",
      "Odoo on every address, without a proxy",
      discovered([...tools, { ...odoo, ports: { "8069/tcp": [{ HostIp: "0.0.0.0", HostPort: "8069" }] } }]),
    ],
    ["020", "no containers to work in", discovered()],
  ])("IPAI-SETUP-%s: %s", (code, _, found) => {
    expect(codes(found)).toEqual([code]);
  });

  it("is not a port that only the machine itself reaches, nor an image by its digest", () => {
    const local = {
      ...database,
      image: `db@sha256:${"0".repeat(64)}`,
      ports: { "5432/tcp": [{ HostIp: "127.0.0.1", HostPort: "5432" }] },
    };
    expect(codes(discovered([...tools, local]))).toEqual([]);
  });

  it("says the worst first", () => {
    const found = discovered([], {
      odoo: { ...discovered().odoo, passwords: { master: true, admin: true }, values: {} },
    });
    expect(judgeSetup(found).map(({ status }) => status)).toEqual(["fail", "fail", "warn", "warn"]);
  });
});

describe("the clock", () => {
  it.each([
    ["1795602261.5\nyes", { seconds: 1795602261.5, synchronized: true }],
    ["1795602261.5\nno", { seconds: 1795602261.5, synchronized: false }],
    ["1795602261.5", { seconds: 1795602261.5, synchronized: undefined }],
  ])("%j", (text, wanted) => {
    expect(parseClock(text)).toEqual(wanted);
  });
});

describe("modules in a git work tree", () => {
  const mounted = one({
    ...odoo,
    mounts: [
      ["volume", "erp_web", "/var/lib/odoo"],
      ["bind", "/srv/erp", "/mnt"],
      ["bind", "/srv/oca/addons", "/mnt/oca"],
    ],
  });
  const bound = boundFolders(mounted, ["/usr/lib/addons", "/mnt/oca", "/mnt/addons/ipai", "/mntx", "/mnt/addons/own"]);
  const answer = (folder: string, top: string, below: string, remote = "origin", branch = "main") =>
    ({ folder, top, below, remote, branch }) as const;

  it("are found where the machine has them", () => {
    expect(bound).toEqual({
      "/mnt/oca": "/srv/oca/addons",
      "/mnt/addons/ipai": "/srv/erp/addons/ipai",
      "/mnt/addons/own": "/srv/erp/addons/own",
    });
  });

  it("come from the one that has most of them, and are named first", () => {
    const workTree = parseWorkTree(
      [
        answer("/srv/oca/addons", "/srv/oca/addons", ""),
        answer("/srv/erp/addons/ipai", "/srv/erp", "addons/ipai", "upstream", "18.0"),
        answer("/srv/erp/addons/own", "/srv/erp", "addons/own", "upstream", "18.0"),
      ],
      bound,
    );
    const modules = { "/mnt/oca": ["web_x"], "/mnt/addons/ipai": ["ipai_ledger"], "/mnt/addons/own": ["own"] };
    const found = discovered([], { workTree, odoo: { ...discovered().odoo, modules } });
    const text = renderStack("erp", defineStack(found, ["docker", "compose"]));
    expect(parseConfig(text, "ipai.yaml", {}).stacks["erp"]).toMatchObject({
      odoo: { addons: ["/mnt/addons/ipai", "/mnt/addons/own", "/mnt/oca"] },
      source: { repository: "/srv/erp", remote: "upstream", branch: "18.0", addons: ["addons/ipai", "addons/own"] },
    });
  });

  it("come from nowhere where no releases can be fetched", () => {
    expect(parseWorkTree([answer("/srv/oca/addons", "/srv/oca/addons", "", "")], bound)).toBeUndefined();
    expect(parseWorkTree([], bound)).toBeUndefined();
  });
});

describe("a project whose variables are in a file of another name", () => {
  it("is asked and made with that file", () => {
    const labels = { "com.docker.compose.project.environment_file": "/srv/erp/production.env" };
    const found = discovered([{ ...odoo, labels }]);
    const text = renderStack("erp", defineStack(found, ["docker", "compose"]));
    expect(parseConfig(text, "ipai.yaml", {}).stacks["erp"]?.runtime).toMatchObject({
      compose: { envFiles: ["production.env"] },
    });
    expect(renderTools(found, "FROM x")).toContain("docker compose --env-file production.env -f");
  });
});

describe("what is written", () => {
  it("is accepted, with the connection that the image's entrypoint would have handed over", () => {
    const found = discovered();
    const config = parseConfig(
      renderStack(stackName(found), defineStack(found, ["docker", "compose"])),
      "ipai.yaml",
      {},
    );
    expect(config.stacks["erp"]).toMatchObject({
      workDirectory: "/var/lib/odoo/ipai-erp",
      services: { database: { name: "db", superuser: "odoo" } },
      odoo: { environment: { PGHOST: "/var/run/postgresql", PGUSER: "erp" }, addons: ["/mnt/extra-addons"] },
      runtime: { compose: { files: ["docker/compose.yml", "/etc/extra.yml", "compose.ipai.yaml"] } },
    });
  });

  it("has Odoo's volumes and the server's socket in both containers", () => {
    const text = renderTools(discovered(), "FROM ${BASE}\n");
    const { services, volumes } = parse(text) as {
      services: Record<string, { volumes: string[]; build?: { dockerfile_inline: string } }>;
      volumes: object;
    };
    const shared = ["erp_web:/var/lib/odoo", "/srv/erp/addons:/mnt/extra-addons", "ipai-socket:/var/run/postgresql"];
    expect(services["db"]).toEqual({ volumes: ["ipai-socket:/var/run/postgresql"] });
    expect(services["tools"]?.volumes).toEqual([...shared, "ipai-backups:/var/lib/ipai/repository"]);
    expect(services["odoo-tools"]?.volumes).toEqual(shared);
    expect(services["tools"]?.build?.dockerfile_inline).toBe("FROM $${BASE}\n");
    expect(volumes).toEqual({ erp_web: { name: "erp_web", external: true }, "ipai-socket": {}, "ipai-backups": {} });
  });

  it("leaves the database alone where its socket is a volume already", () => {
    const mounts = [...(database.mounts ?? []), ["volume", "erp_run", "/var/run/postgresql"] as const];
    const { services } = parse(renderTools(discovered([{ ...database, mounts }]), "FROM x")) as { services: object };
    expect(Object.keys(services)).toEqual(["tools", "odoo-tools"]);
    expect(JSON.stringify(services)).toContain("erp_run:/var/run/postgresql");
  });
});
