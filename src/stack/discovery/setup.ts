import { defineFinding } from "../../errors/finding.ts";

/** What `ipai init` looks for in a compose project, beside what it writes down. */
export const setup = {
  databasePort: defineFinding("IPAI-SETUP-001", {
    title: "Port of the database",
    asks: "whether the database's port is published on more than the loopback interface; most firewalls do not see what Docker publishes",
    fails: "it is",
    first: "Remove `ports` from the database's service, or publish it on 127.0.0.1.",
  }),
  odooPort: defineFinding("IPAI-SETUP-002", {
    title: "Ports of Odoo",
    asks: "whether Odoo's ports are published past the proxy",
    warns: "they are, and there is a proxy",
    fails: "they are, and there is none: passwords cross the network in plain text",
    first: "Put a proxy with TLS in front, and remove `ports` from Odoo's services.",
  }),
  masterPassword: defineFinding("IPAI-SETUP-003", {
    title: "Master password",
    asks: "whether Odoo's master password is the default, where the database manager is open",
    fails: "it is: anybody can download and drop every database",
    first: "Set `list_db = False`, and `admin_passwd` to something long.",
  }),
  databaseList: defineFinding("IPAI-SETUP-004", {
    title: "List of databases",
    asks: "whether Odoo shows its databases, and their manager, to everybody",
    warns: "it does (`list_db`)",
    first: "Set `list_db = False`, and `dbfilter` to the one database.",
  }),
  adminPassword: defineFinding("IPAI-SETUP-005", {
    title: "Password of the administrator",
    asks: "whether the administrator's password is the one that Odoo makes him with",
    fails: "it is",
    first: "Change it in Odoo: Preferences, Account Security, Change password.",
  }),
  volumes: defineFinding("IPAI-SETUP-006", {
    title: "Volumes of data",
    asks: "whether the database's and Odoo's data lie in volumes that have a name",
    fails: "they lie in the container, or in a volume without a name, and go with it",
    first: "Mount a named volume there, and copy what is there into it first.",
  }),
  images: defineFinding("IPAI-SETUP-007", {
    title: "Versions of images",
    asks: "whether each image is named with a version",
    warns: "one is not: the next pull brings another program",
    first: "Name a version, better a digest.",
  }),
  healthChecks: defineFinding("IPAI-SETUP-008", {
    title: "Health checks of containers",
    asks: "whether Odoo, database and cache have a health check of Docker's",
    warns: "one has none",
    first: "Give each a `healthcheck`.",
  }),
  clock: defineFinding("IPAI-SETUP-009", {
    title: "Clock of the machine",
    asks: "whether the machine's clock is right, and kept so",
    warns: "it is off, or nothing keeps it right",
    first: "Install chrony there, or turn on systemd-timesyncd.",
  }),
  options: defineFinding("IPAI-SETUP-010", {
    title: "Options of Odoo",
    asks: "whether this Odoo knows every option of its odoo.conf",
    warns: "it passes over one; `session_store` and `redis_host` are such",
    first: "Remove it, or write it as Odoo does; the finding names the nearest.",
  }),
  log: defineFinding("IPAI-SETUP-011", {
    title: "Log of Odoo",
    asks: "whether Odoo's log can be read by `docker logs`",
    warns: "`logfile` leads it into the container",
    first: "Remove `logfile`: Docker keeps, and bounds, what is printed.",
  }),
  restart: defineFinding("IPAI-SETUP-012", {
    title: "Start with the machine",
    asks: "whether Odoo, database, cache and proxy are started again when the machine is",
    warns: "one is not",
    first: "Give it `restart: unless-stopped`.",
  }),
  proxyMode: defineFinding("IPAI-SETUP-013", {
    title: "Proxy mode",
    asks: "whether Odoo knows of its proxy",
    warns: "it does not: everybody seems to come from one address",
    first: "Set `proxy_mode = True`, and have the proxy send X-Forwarded-Host, -For and -Proto.",
  }),
  filestores: defineFinding("IPAI-SETUP-014", {
    title: "One filestore",
    asks: "whether all Odoo services have the same files",
    fails: "each has its own: attachments and sessions of one are missing for the others",
    first: "Give all of them one volume there.",
  }),
  role: defineFinding("IPAI-SETUP-015", {
    title: "Role of the database",
    asks: "whether Odoo's role is a superuser or may create databases",
    warns: "it is, or may",
    first: "Give the database to a role of its own without such rights.",
  }),
  environment: defineFinding("IPAI-SETUP-016", {
    title: "Passwords in the environment",
    asks: "whether a password stands in a container's environment",
    warns: "one does: whoever may run `docker inspect` reads it",
    first: "Use `secrets` and POSTGRES_PASSWORD_FILE.",
  }),
  stops: defineFinding("IPAI-SETUP-017", {
    title: "Time to stop",
    asks: "whether Docker waits for a request in flight when it stops Odoo",
    warns: "it does not wait as long as `limit_time_real` lets it take, or a minute",
    first: "Set `stop_grace_period` to half a minute more than `limit_time_real`.",
  }),
  modules: defineFinding("IPAI-SETUP-018", {
    title: "Where modules lie",
    asks: "whether modules lie in a folder of the machine, or in a volume that has a name",
    warns: "they lie in the image: they cannot be compared, updated or put back beside a running Odoo",
    first: "Mount them from a folder of the machine.",
  }),
  address: defineFinding("IPAI-SETUP-019", {
    title: "Address of users",
    asks: "whether a login form was seen where users come in",
    warns: "none was",
    first:
      "Put the address that users open into `urls.public`, a private authority's certificate into `urls.authority`.",
  }),
  tools: defineFinding("IPAI-SETUP-020", {
    title: "Containers to work in",
    asks: "whether the project has the two containers that ipai works in",
    warns: "it has not: nothing can be backed up or upgraded",
    first: "Add the two services of `compose.ipai.yaml`; they serve nobody.",
  }),
  always: defineFinding("IPAI-SETUP-021", {
    title: "Stopped on purpose",
    asks: "whether Docker starts an Odoo that was stopped on purpose",
    warns: "it does (`restart: always`), in the middle of an update too",
    first: "Use `restart: unless-stopped`.",
  }),
} as const;
