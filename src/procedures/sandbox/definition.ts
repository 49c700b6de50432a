import { sourceOf } from "./source.ts";

/**
 * The practice stack: real PostgreSQL, Redis, nginx and three Odoo processes on one database, all below one folder, on ports of
 * their own, on the loopback interface only. Pure: says what the files contain; `up.ts` puts them in place.
 */

export interface SandboxSettings {
  /** Folder of the sandbox; readable by its service users. */
  readonly folder: string;
  /** First of the ports that it uses. */
  readonly basePort: number;
  readonly odoo: OdooProgram;
}

/** Which Odoo it runs: Debian's package unpacked into the cache, or the user's own. */
export interface OdooProgram {
  readonly command: readonly string[];
  readonly addons: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

export const sandboxServices = ["odoo-accounting", "odoo-core", "odoo-marketing"] as const;
export const sandboxUser = "odoo";

export interface SandboxPorts {
  readonly database: number;
  readonly cache: number;
  readonly proxy: number;
  readonly odoo: Readonly<Record<(typeof sandboxServices)[number], number>>;
}

export function portsOf({ basePort }: SandboxSettings): SandboxPorts {
  return {
    proxy: basePort,
    database: basePort + 1,
    cache: basePort + 2,
    odoo: { "odoo-accounting": basePort + 10, "odoo-core": basePort + 20, "odoo-marketing": basePort + 30 },
  };
}

/** Odoo 18 and 19 both take this without a warning. Modules of the sandbox have no demo data: they bring their own records. */
export function odooConf(settings: SandboxSettings): string {
  const { folder, odoo } = settings;
  return [
    "[options]",
    `addons_path = ${[...odoo.addons, `${folder}/addons`].join(",")}`,
    `data_dir = ${folder}/odoo`,
    `db_host = ${folder}/run`,
    `db_port = ${portsOf(settings).database}`,
    `db_user = ${sandboxUser}`,
    "db_name = odoo",
    "dbfilter = ^odoo$",
    "db_maxconn = 16",
    "list_db = False",
    "http_interface = 127.0.0.1",
    "proxy_mode = True",
    "workers = 0",
    "max_cron_threads = 1",
    "without_demo = True",
    "log_level = info",
    "",
  ].join("\n");
}

export function redisConf(settings: SandboxSettings): string {
  return [
    "bind 127.0.0.1",
    `port ${portsOf(settings).cache}`,
    "daemonize no",
    `dir ${settings.folder}/redis`,
    "appendonly yes",
    "maxmemory 256mb",
    "maxmemory-policy noeviction",
    "",
  ].join("\n");
}

/** X-Forwarded-Host is what switches Odoo's proxy mode on. Requests go to the services in turn; a dead one is passed over. */
export function nginxConf(settings: SandboxSettings): string {
  const { folder } = settings;
  const ports = portsOf(settings);
  return `worker_processes 1;
pid ${folder}/run/nginx.pid;
error_log ${folder}/log/nginx-error.log;
daemon off;
user www-data;
events { worker_connections 512; }
http {
  access_log ${folder}/log/nginx-access.log;
  client_max_body_size 128m;
  client_body_temp_path ${folder}/nginx/body;
  proxy_temp_path ${folder}/nginx/proxy;
  fastcgi_temp_path ${folder}/nginx/fastcgi;
  uwsgi_temp_path ${folder}/nginx/uwsgi;
  scgi_temp_path ${folder}/nginx/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  include ${upstreamsFile(folder)};
  server {
    listen 127.0.0.1:${ports.proxy};
    set $ipai_maintenance ${maintenanceFolder(settings)};
    include ${maintenanceConf(settings)};
    proxy_read_timeout 120s;
    proxy_set_header Host $host:$server_port;
    proxy_set_header X-Forwarded-Host $host:$server_port;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    location / { proxy_pass http://odoo; }
    location /websocket {
      proxy_pass http://odoo;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }
  }
}
`;
}

/** Where the flag of maintenance mode and its page lie. */
export function maintenanceFolder({ folder }: Pick<SandboxSettings, "folder">): string {
  return `${folder}/maintenance`;
}

/** The shipped snippet, as nginx includes it. */
export function maintenanceConf({ folder }: Pick<SandboxSettings, "folder">): string {
  return `${folder}/maintenance.conf`;
}

function upstreamsFile(folder: string): string {
  return `${folder}/upstreams.conf`;
}

/** In a file of its own: a service that is restarted is marked down in it. */
export function upstreamsConf(settings: SandboxSettings): string {
  const ports = portsOf(settings);
  const servers = sandboxServices.map((name) => `  server 127.0.0.1:${ports.odoo[name]};\n`);
  return `upstream odoo {\n${servers.join("")}}\n`;
}

/** The stack's own entry for `ipai.yaml`: what `ipai health` and the others read. JSON is YAML, and quotes by itself. */
export function sandboxConfig(settings: SandboxSettings): string {
  const { folder, odoo } = settings;
  const ports = portsOf(settings);
  const daemon = (name: string, user: string, command: readonly string[]) => ({
    command,
    user,
    environment: odoo.environment,
    pidFile: `${folder}/run/${name}.pid`,
    log: `${folder}/log/${name}.log`,
    stopSeconds: 30,
  });
  const odooDaemon = (name: (typeof sandboxServices)[number]) =>
    daemon(name, sandboxUser, [
      ...odoo.command,
      "-c",
      `${folder}/odoo.conf`,
      `--http-port=${ports.odoo[name]}`,
      `--gevent-port=${ports.odoo[name] + 1}`,
    ]);
  const definition = {
    stacks: {
      sandbox: {
        workDirectory: `${folder}/work`,
        runtime: {
          native: {
            services: {
              database: { cluster: "15/sandbox", configRoot: `${folder}/postgresql` },
              redis: daemon("redis", "redis", ["redis-server", `${folder}/redis.conf`]),
              nginx: daemon("nginx", "root", [
                "nginx",
                "-c",
                `${folder}/nginx.conf`,
                "-e",
                `${folder}/log/nginx-error.log`,
              ]),
              ...Object.fromEntries(sandboxServices.map((name) => [name, odooDaemon(name)])),
            },
          },
        },
        services: {
          odoo: sandboxServices.map((name) => ({ name, url: `http://127.0.0.1:${ports.odoo[name]}` })),
          database: { name: "database", host: `${folder}/run`, port: ports.database },
          cache: { name: "redis", url: `redis://127.0.0.1:${ports.cache}` },
          proxy: {
            name: "nginx",
            upstreams: upstreamsFile(folder),
            maintenance: { directory: maintenanceFolder(settings), name: "Practice stack" },
          },
        },
        odoo: {
          command: odoo.command,
          environment: odoo.environment,
          user: sandboxUser,
          config: `${folder}/odoo.conf`,
          database: "odoo",
          dataDirectory: `${folder}/odoo`,
          addons: [`${folder}/addons`],
          modules: "ipai_*",
        },
        source: sourceOf(folder),
        urls: { public: `http://127.0.0.1:${ports.proxy}` },
        backup: {
          repository: `${folder}/repository`,
          passwordFile: `${folder}/repository-password`,
          // nginx.conf does not go without it.
          files: [maintenanceConf(settings)],
        },
      },
    },
  };
  return `# The practice stack of \`ipai demo\`. Made by the program; \`ipai demo reset\` makes it anew.\n${JSON.stringify(definition, null, 2)}\n`;
}
