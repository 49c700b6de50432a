import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type App, createApp } from "../../src/cli/app.ts";
import { parseConfig } from "../../src/config/load.ts";
import { stopEmbedded } from "../../src/engine/embedded.ts";
import { LocalExecutor } from "../../src/host/local.ts";
import {
  maintenanceConf,
  nginxConf,
  odooConf,
  redisConf,
  sandboxConfig,
  sandboxServices,
  upstreamsConf,
} from "../../src/procedures/sandbox/definition.ts";
import { type Ended, root, run } from "./sandbox.ts";

/**
 * A whole stack on this machine as the practice stack is: PostgreSQL, Redis and nginx are real; where Odoo would be, something shows a
 * login page. Everything lies in one folder, which may be lost; beside it what somebody keeps: repository, key and `ipai.yaml`.
 */
export interface Machine extends AsyncDisposable {
  /** What may be lost. */
  readonly folder: string;
  readonly kept: string;
  readonly config: string;
  readonly environment: NodeJS.ProcessEnv;
  app(change?: (stack: Definition) => void): Promise<App>;
  /** Writes ipai.yaml, changed. */
  configure(change: (stack: Definition) => void): Promise<void>;
  sql(text: string, database?: string): string;
  /** The stack's services, the database first. */
  startAll(): void;
  /** Ends every process of it, as a power cut does. */
  kill(): void;
  /** Ends the database server, as a fault of its own would. */
  killServer(): void;
  /** All of it, and the control database. */
  lose(): Promise<void>;
  serves(): Promise<boolean>;
  /** Rows, roles, settings and files. */
  everything(): string;
}

export interface Definition {
  backup: Record<string, unknown>;
  recovery?: Record<string, unknown>;
  [key: string]: unknown;
}

export async function createMachine(basePort: number): Promise<Machine> {
  const desk = await mkdtemp("/var/tmp/ipai-machine-");
  await chmod(desk, 0o755);
  const [folder, kept, home] = [join(desk, "stack"), join(desk, "kept"), join(desk, "home")];
  for (const path of [kept, home]) await mkdir(path, { mode: 0o755 });
  await writeFile(join(kept, "key"), "kept elsewhere\n", { mode: 0o600 });
  // Where Odoo's user may read it.
  const standIn = join(kept, "odoo.py");
  await copyFile(join(import.meta.dirname, "stand-in-odoo.py"), standIn);
  const program = { command: ["/usr/bin/python3", standIn], addons: [], environment: {} };
  const settings = { folder, basePort, odoo: program };
  const environment = {
    ...process.env,
    IPAI_HOME: home,
    PG_CLUSTER_CONF_ROOT: join(folder, "postgresql"),
    LC_ALL: "C.UTF-8",
    NO_COLOR: "1",
  };
  const shell = (script: string, ...args: readonly string[]) =>
    execFileSync("bash", ["-euo", "pipefail", "-c", script, "sh", ...args], {
      encoding: "utf8",
      env: environment,
      cwd: "/",
      stdio: ["ignore", "pipe", "pipe"],
    });
  const config = join(kept, "ipai.yaml");
  const configText = (change: (stack: Definition) => void = () => undefined) => {
    const [, ...lines] = sandboxConfig(settings).split("\n");
    const definition = JSON.parse(lines.join("\n")) as { stacks: { sandbox: Definition } };
    definition.stacks.sandbox.backup = {
      ...{ repository: join(kept, "repository"), passwordFile: join(kept, "key") },
      files: [maintenanceConf(settings)],
    };
    change(definition.stacks.sandbox);
    return JSON.stringify(definition);
  };
  await writeFile(config, configText());
  const apps: App[] = [];
  const sql = (text: string, database = "odoo") =>
    shell(
      'exec runuser -u postgres -- psql -h "$1" -p "$2" -XAtq -v ON_ERROR_STOP=1 -d "$3" -c "$4"',
      join(folder, "run"),
      String(basePort + 1),
      database,
      text,
    ).trim();
  const kill = () => shell(killScript, folder);
  const ports = [basePort, basePort + 10, basePort + 20, basePort + 30];
  await build({ folder, basePort, settings, shell, sql });
  return {
    folder,
    kept,
    config,
    environment,
    app: async (change) => {
      const app = await createApp(parseConfig(configText(change), config, environment), environment);
      apps.push(app);
      return app;
    },
    configure: (change) => writeFile(config, configText(change)),
    sql,
    startAll: () =>
      shell(
        startScript,
        folder,
        ...sandboxServices.flatMap((name, index) => [name, String(basePort + 10 * (index + 1))]),
        standIn,
      ),
    kill,
    killServer: () => shell("pg_ctlcluster 15 sandbox stop -m immediate"),
    lose: async () => {
      kill();
      await stopEmbedded(home, new LocalExecutor());
      for (const path of [folder, home]) await rm(path, { recursive: true, force: true });
      await mkdir(home, { mode: 0o755 });
    },
    serves: async () => {
      const pages = await Promise.all(
        ports.map((port) =>
          fetch(`http://127.0.0.1:${port}/web/login`).then(
            (answer) => answer.text(),
            () => "",
          ),
        ),
      );
      return pages.every((page) => page.includes('name="login"'));
    },
    everything: () =>
      [
        sql("select string_agg(t::text, ' ' order by t::text) from (select name, state from ir_module_module) t"),
        sql("select count(*), md5(string_agg(t::text, ' ' order by id)) from entries t"),
        sql(
          "select string_agg(format('%s %s %s', rolname, rolcanlogin, rolpassword), ' ' order by rolname) from pg_authid where rolname !~ '^pg_'",
          "postgres",
        ),
        sql("show work_mem", "postgres"),
        shell('cd "$1" && find . -type f -exec sha1sum {} + | sort', join(folder, "odoo/filestore/odoo")),
        readFileSync(join(folder, "odoo.conf"), "utf8"),
        shell('stat --format="%U %G %a %n" "$1/data" "$1/redis" "$1/odoo.conf" "$1/odoo" "$1/pglog"', folder),
      ].join("\n"),
    [Symbol.asyncDispose]: async () => {
      for (const app of apps) await app[Symbol.asyncDispose]();
      if (existsSync(folder)) kill();
      await stopEmbedded(home, new LocalExecutor());
      await rm(desk, { recursive: true, force: true });
    },
  };
}

interface Building {
  readonly folder: string;
  readonly basePort: number;
  readonly settings: Parameters<typeof odooConf>[0];
  readonly shell: (script: string, ...args: readonly string[]) => string;
  readonly sql: (text: string, database?: string) => string;
}

/** The folder, the server with a database that has what a backup asks for, and the files of the services. */
async function build({ folder, basePort, settings, shell, sql }: Building): Promise<void> {
  shell(folderScript, folder, String(basePort + 1));
  await writeFile(join(folder, "odoo.conf"), odooConf(settings), { mode: 0o640 });
  await writeFile(join(folder, "redis.conf"), redisConf(settings));
  await writeFile(join(folder, "nginx.conf"), nginxConf(settings));
  await writeFile(join(folder, "upstreams.conf"), upstreamsConf(settings));
  await copyFile(join(root, "sandbox/compose/maintenance.conf"), maintenanceConf(settings));
  await writeFile(join(folder, "addons/ipai_one/__manifest__.py"), "{}\n");
  shell('chown root:odoo "$1/odoo.conf"', folder);
  sql(
    "create role odoo login password 'a good one'; create role reader nologin; grant reader to odoo; alter role odoo set statement_timeout = '77min'",
    "postgres",
  );
  sql("alter system set work_mem = '7MB'", "postgres");
  sql("select pg_reload_conf()", "postgres");
  sql(
    "create database odoo owner odoo template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8'",
    "postgres",
  );
  const files = ["one", "two"].map((content) => createHash("sha1").update(content).digest("hex"));
  for (const [index, sum] of files.entries())
    shell(
      'install -d -o odoo "$1/odoo/filestore/odoo/${2:0:2}" && printf %s "$3" > "$1/odoo/filestore/odoo/${2:0:2}/$2" && chown -R odoo: "$1/odoo"',
      folder,
      sum,
      ["one", "two"][index] ?? "",
    );
  sql(
    `set role odoo;
     create table ir_module_module (name text primary key, state text, latest_version text);
     insert into ir_module_module values ('base', 'installed', '18.0.1.3'), ('ipai_one', 'installed', '18.0.1.0');
     create table ir_attachment (id serial primary key, name text, store_fname text, checksum text);
     insert into ir_attachment (name, store_fname, checksum) values ${files.map((sum) => `('${sum}', '${sum.slice(0, 2)}/${sum}', '${sum}')`).join(", ")};
     create table entries (id serial primary key, note text);
     insert into entries (note) select 'entry ' || n from generate_series(1, 500) n;`,
  );
}

const folderScript = `
id odoo >/dev/null 2>&1 || useradd --system --user-group --no-create-home --shell /usr/sbin/nologin odoo
install -d -m 0755 "$1" "$1/log" "$1/nginx" "$1/work" "$1/maintenance" "$1/addons/ipai_one"
install -d -m 0755 -o postgres "$1/run" "$1/pglog"
install -d -m 0750 -o redis "$1/redis"
install -d -m 0755 -o odoo "$1/odoo" "$1/odoo/filestore" "$1/odoo/filestore/odoo"
pg_createcluster 15 sandbox --user=postgres --datadir="$1/data" --socketdir="$1/run" --logfile="$1/pglog/postgresql.log" \\
  --port="$2" --start-conf=manual --locale=C.UTF-8 --encoding=UTF8 -- --auth-local=peer --auth-host=scram-sha-256 --data-checksums >/dev/null
printf "listen_addresses = '127.0.0.1'\\nexternal_pid_file = ''\\n" > "$1/postgresql/15/sandbox/conf.d/sandbox.conf"
pg_ctlcluster 15 sandbox start
`;

const startScript = `
folder=$1
pg_ctlcluster 15 sandbox status >/dev/null || pg_ctlcluster 15 sandbox start
run() { name=$1 user=$2; shift 2; start-stop-daemon --start --background --make-pidfile --pidfile "$folder/run/$name.pid" --chuid "$user" --output "$folder/log/$name.log" --startas /usr/bin/env -- "$@"; }
run redis redis redis-server "$folder/redis.conf"
run "$2" odoo python3 "$8" --http-port="$3"
run "$4" odoo python3 "$8" --http-port="$5"
run "$6" odoo python3 "$8" --http-port="$7"
run nginx root nginx -c "$folder/nginx.conf" -e "$folder/log/nginx-error.log"
`;

const killScript = `
pg_ctlcluster 15 sandbox stop -m immediate 2>/dev/null || true
for file in "$1"/run/*.pid; do
  [ -e "$file" ] || continue
  pid=$(cat "$file")
  # nginx starts another worker for one that ends.
  kill -STOP "$pid" 2>/dev/null || true
  kill -9 -- $(ps -o pid= --ppid "$pid") "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
done
`;

/** The command line on this machine, as a process of its own. */
export function ipaiOn({ config, environment }: Machine, args: readonly string[]): Promise<Ended> {
  return run(join(root, "bin/ipai"), ["-c", config, ...args], { env: environment });
}
