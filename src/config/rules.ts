import { channelSecretKeys, referencesOf } from "./channel.ts";
import { meant } from "./issues.ts";
import type { ParsedConfig } from "./schema.ts";

export interface Broken {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

export interface Given {
  readonly config: ParsedConfig;
  /** What the file says, before defaults. */
  readonly raw: unknown;
  readonly environment: NodeJS.ProcessEnv;
}

/** What no single key can tell. One rule, one function. */
export const rules: readonly ((given: Given) => readonly Broken[])[] = [
  ensureOneStack,
  ensureServicesExist,
  ensureServicesOnce,
  ensureNothingShared,
  ensureEnvironment,
  ensureAddresses,
  ensureNoOtherReferences,
  ensureStacksAreThere,
  ensureOneWayIn,
  ensureRepositoriesAreThere,
  ensureUpgradeFits,
  ensureLinkIsUsed,
];

/** The variable that `${NAME}` names. */
export function variableOf(reference: string): string {
  return reference.slice(2, -1);
}

function ensureOneStack({ config }: Given): readonly Broken[] {
  return Object.keys(config.stacks).length === 0
    ? [{ path: ["stacks"], message: "stacks: must define at least one stack" }]
    : [];
}

type Stack = ParsedConfig["stacks"][string];

/** The services that a stack uses, each with where it says so. */
function usedServices(
  name: string,
  { services }: Stack,
): readonly (readonly [path: readonly PropertyKey[], service: string])[] {
  const { odoo, database, cache, proxy, automation } = services;
  const at = (...path: readonly PropertyKey[]) => ["stacks", name, "services", ...path];
  return [
    ...odoo.map((service, index) => [at("odoo", index, "name"), service.name] as const),
    [at("database", "name"), database.name],
    ...(cache === undefined ? [] : [[at("cache", "name"), cache.name] as const]),
    ...(proxy === undefined ? [] : [[at("proxy", "name"), proxy.name] as const]),
    ...(automation?.name === undefined ? [] : [[at("automation", "name"), automation.name] as const]),
  ];
}

function ensureServicesExist({ config }: Given): readonly Broken[] {
  return Object.entries(config.stacks).flatMap(([name, stack]) => {
    const known = Object.keys(nativeServices(stack));
    if ("compose" in stack.runtime) return [];
    return usedServices(name, stack)
      .filter(([, service]) => !known.includes(service))
      .map(([path, service]) => ({
        path,
        message: `${service} is not defined under runtime.native.services${meant(service, known)}`,
      }));
  });
}

function nativeServices({ runtime }: Stack) {
  return "native" in runtime ? runtime.native.services : {};
}

/** Two uses of one service would be two steps that stop it. */
function ensureServicesOnce({ config }: Given): readonly Broken[] {
  return Object.entries(config.stacks).flatMap(([name, stack]) =>
    repeated(usedServices(name, stack)).map(([path, service]) => ({
      path,
      message: `${service} is used twice under services`,
    })),
  );
}

/** Two processes of one pid file would be taken for each other; two stacks on one database or folder would not know of each other. */
function ensureNothingShared({ config }: Given): readonly Broken[] {
  const stacks = Object.entries(config.stacks);
  const pidFiles = stacks.flatMap(([name, stack]) =>
    Object.entries(nativeServices(stack)).flatMap(([service, definition]) =>
      "pidFile" in definition
        ? [
            [
              ["stacks", name, "runtime", "native", "services", service, "pidFile"],
              `${definition.pidFile}${placeOf(stack)}`,
            ] as const,
          ]
        : [],
    ),
  );
  const folders = stacks.flatMap(([name, stack]) =>
    stack.workDirectory === undefined
      ? []
      : [[["stacks", name, "workDirectory"], `${stack.workDirectory}${placeOf(stack)}`] as const],
  );
  const databases = stacks.flatMap(([name, stack]) => {
    const { database, automation } = stack.services;
    const named = (path: readonly PropertyKey[], of: string) =>
      [["stacks", name, ...path], `${of} on port ${database.port} of ${database.host}${placeOf(stack)}`] as const;
    return [
      named(["odoo", "database"], stack.odoo.database),
      ...(automation?.database === undefined
        ? []
        : [named(["services", "automation", "database"], automation.database)]),
    ];
  });
  return [
    ...repeated(pidFiles).map(([path, file]) => ({ path, message: `pidFile ${file} is used by another service too` })),
    ...repeated(folders).map(([path, folder]) => ({ path, message: `workDirectory ${folder} is another stack's too` })),
    ...repeated(databases).map(([path, database]) => ({
      path,
      message: `the database ${database} is another stack's too`,
    })),
  ];
}

/** Every machine has files of its own, and so has every project. */
function placeOf({ host, runtime }: Stack): string {
  const project = "compose" in runtime ? [`in the project ${runtime.compose.project}`] : [];
  const machine = host === "local" ? [] : [`on ${host}`];
  return [...project, ...machine].map((words) => ` ${words}`).join("");
}

/** Those whose value an earlier one has. */
function repeated<T extends readonly [readonly PropertyKey[], string]>(values: readonly T[]): readonly T[] {
  return values.filter(([, value], index) => values.findIndex(([, other]) => other === value) !== index);
}

/** A variable that is set to nothing is as good as none. */
function ensureEnvironment({ config, environment }: Given): readonly Broken[] {
  const references: (readonly [readonly PropertyKey[], string | undefined])[] = [
    [["control", "database"], config.control.database === "embedded" ? undefined : config.control.database],
    ...Object.entries(config.stacks).flatMap(([name, { backup, finance, services, secrets, urls }]) => [
      ...Object.entries(secrets).map(([secret, given]) => [["stacks", name, "secrets", secret], given] as const),
      [["stacks", name, "backup", "password"], backup?.password] as const,
      ...Object.entries(backup?.environment ?? {}).map(
        ([variable, reference]) => [["stacks", name, "backup", "environment", variable], reference] as const,
      ),
      ...Object.entries(backup?.copies ?? {}).flatMap(([copy, { password, environment }]) => [
        [["stacks", name, "backup", "copies", copy, "password"], password] as const,
        ...Object.entries(environment).map(
          ([variable, reference]) =>
            [["stacks", name, "backup", "copies", copy, "environment", variable], reference] as const,
        ),
      ]),
      [["stacks", name, "backup", "wal", "password"], backup?.wal?.password] as const,
      [["stacks", name, "backup", "wal", "s3", "accessKey"], backup?.wal?.s3?.accessKey] as const,
      [["stacks", name, "backup", "wal", "s3", "secretKey"], backup?.wal?.s3?.secretKey] as const,
      [["stacks", name, "services", "cache", "password"], services.cache?.password] as const,
      [["stacks", name, "services", "automation", "apiKey"], services.automation?.apiKey] as const,
      [["stacks", name, "services", "automation", "odooKey"], services.automation?.odooKey] as const,
      [["stacks", name, "services", "automation", "webhookSecret"], services.automation?.webhookSecret] as const,
      [["stacks", name, "urls", "login", "password"], urls.login?.password] as const,
      [["stacks", name, "finance", "apiKey"], finance?.apiKey] as const,
    ]),
    [["heartbeat", "url"], config.heartbeat?.url],
    [["serve", "secret"], config.serve.secret],
    ...Object.entries(config.serve.oidc).flatMap(([name, { clientId, clientSecret }]) => [
      [["serve", "oidc", name, "clientId"], clientId] as const,
      [["serve", "oidc", name, "clientSecret"], clientSecret] as const,
    ]),
    ...Object.entries(config.hooks).map(([name, { secret }]) => [["hooks", name, "secret"], secret] as const),
    ...Object.entries(config.notify).flatMap(([name, channel]) =>
      referencesOf(channel).map(([key, reference]) => [["notify", name, key], reference] as const),
    ),
  ];
  return references.flatMap(([path, reference]) => {
    if (reference === undefined || environment[variableOf(reference)]) return [];
    const state = environment[variableOf(reference)] === undefined ? "not set" : "empty";
    return [{ path, message: `the environment variable ${variableOf(reference)} is ${state}` }];
  });
}

/** What is no address would be found out when the first message cannot be sent. The address itself is not shown: it is a secret. */
function ensureAddresses({ config, environment }: Given): readonly Broken[] {
  return Object.entries(config.notify).flatMap(([name, channel]) => {
    const value = environment[variableOf(channel.url)];
    if (!value) return [];
    const url = URL.parse(value);
    const [one, other] = channel.kind === "email" ? ["smtp", "smtps"] : ["http", "https"];
    const broken = (what: string) => [
      { path: ["notify", name, "url"], message: `the environment variable ${variableOf(channel.url)} ${what}` },
    ];
    if (url === null || ![`${one}:`, `${other}:`].includes(url.protocol) || url.hostname === "")
      return broken(`must hold an address that begins with ${one}:// or ${other}://`);
    const isOpen = channel.kind === "email" && !channel.tls && url.protocol === "smtp:" && url.password !== "";
    return isOpen && !isLoopback(url.hostname)
      ? broken("holds a password, which `tls: false` would send to another machine for everybody to read")
      : [];
  });
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** Elsewhere `${NAME}` would be taken as it is written, which nobody means. */
function ensureNoOtherReferences({ raw }: Given): readonly Broken[] {
  return listTexts(raw, [])
    .filter(([path, text]) => /\$\{[A-Za-z_]\w*\}/.test(text) && !mayRefer(path))
    .map(([path, text]) => ({
      path,
      message: `${path.join(".")}: ${/\$\{\w+\}/.exec(text)?.[0]} is not replaced here; only control.database, the passwords under backup, what it and its copies have under environment, the keys under backup.wal.s3, services.cache.password, services.automation.apiKey, odooKey and webhookSecret, urls.login.password, finance.apiKey, secrets, and the addresses, secrets and tokens under notify, heartbeat, hooks and serve come from the environment`,
    }));
}

const secretsOfStack =
  /^(backup\.wal\.(password|s3\.(access|secret)Key)|services\.cache\.password|services\.automation\.(apiKey|odooKey|webhookSecret)|urls\.login\.password|finance\.apiKey|backup\.(copies\.[^.]+\.)?(password|environment\.[^.]+))$/;

function mayRefer(path: readonly PropertyKey[]): boolean {
  const [first, , ...inStack] = path;
  if (first === "control") return path.length === 2 && path[1] === "database";
  if (first === "heartbeat") return path.length === 2 && path[1] === "url";
  if (first === "serve") return path.length === 2 ? path[1] === "secret" : /^client(Id|Secret)$/.test(String(path[3]));
  if (first === "hooks") return path.length === 3 && path[2] === "secret";
  if (first === "notify") return path.length === 3 && channelSecretKeys.some((key) => key === path[2]);
  if (first === "stacks" && inStack[0] === "secrets") return inStack.length === 2;
  return first === "stacks" && secretsOfStack.test(inStack.join("."));
}

function listTexts(
  value: unknown,
  path: readonly PropertyKey[],
): readonly (readonly [readonly PropertyKey[], string])[] {
  if (typeof value === "string") return [[path, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    listTexts(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

/** Hooks, rotas and whoever lends sets name stacks that there are. */
function ensureStacksAreThere({ config }: Given): readonly Broken[] {
  const known = Object.keys(config.stacks);
  const named = [
    ...Object.entries(config.hooks).map(([name, { stack }]) => [["hooks", name, "stack"], stack] as const),
    ...Object.entries(config.oncall).flatMap(([name, { stacks }]) =>
      stacks.map((stack, index) => [["oncall", name, "stacks", index], stack] as const),
    ),
    ...Object.entries(config.stacks).flatMap(([name, { backup }]) =>
      (backup?.restoreInto ?? []).map(
        (stack, index) => [["stacks", name, "backup", "restoreInto", index], stack] as const,
      ),
    ),
  ];
  return named
    .filter(([, stack]) => !known.includes(stack))
    .map(([path, stack]) => ({ path, message: `${path.join(".")}: there is no stack ${stack}${meant(stack, known)}` }));
}

/** A recovery is told of repositories that there are. */
function ensureRepositoriesAreThere({ config }: Given): readonly Broken[] {
  return Object.entries(config.stacks).flatMap(([name, { backup, recovery }]) => {
    const known = ["primary", ...Object.keys(backup?.copies ?? {})];
    return Object.keys(recovery.repositories)
      .filter((repository) => !known.includes(repository))
      .map((repository) => {
        const path = ["stacks", name, "recovery", "repositories", repository];
        return { path, message: `${path.join(".")}: there is no such repository${meant(repository, known)}` };
      });
  });
}

/** One restic reads the first repository and writes the copy: of a variable, or an option, it knows one value for both. */
function ensureOneWayIn({ config }: Given): readonly Broken[] {
  return Object.entries(config.stacks).flatMap(([name, { backup }]) => {
    if (backup === undefined) return [];
    const options = new Map(backup.options.map(splitOption));
    return Object.entries(backup.copies).flatMap(([copy, { environment, options: own }]) => {
      const at = (...path: readonly PropertyKey[]) => ["stacks", name, "backup", "copies", copy, ...path];
      const differs = (what: string) =>
        `${what} is another one for the first repository; restic, which copies from that one to this, knows only one`;
      return [
        ...Object.entries(environment)
          .filter(([key, value]) => (backup.environment[key] ?? value) !== value)
          .map(([key]) => ({ path: at("environment", key), message: differs(key) })),
        ...own.map(splitOption).flatMap(([key, value], index) => {
          const first = options.get(key) ?? value;
          return first === value ? [] : [{ path: at("options", index), message: differs(key) }];
        }),
      ];
    });
  });
}

function splitOption(option: string): readonly [key: string, value: string] {
  const at = option.indexOf("=");
  return [option.slice(0, at), option.slice(at + 1)];
}

/** Programs of a machine are found by way of a link; those of containers by what the project's variables say. */
function ensureUpgradeFits({ config }: Given): readonly Broken[] {
  return Object.entries(config.stacks).flatMap(
    ([
      name,
      {
        odoo: { upgrade },
        runtime,
      },
    ]) => {
      const path = ["stacks", name, "odoo", "upgrade"];
      if (upgrade === undefined || "link" in upgrade === "native" in runtime) return [];
      const must = "link" in upgrade ? "to alone, with variables of the project" : "link, and to with folders";
      return [{ path, message: `${path.join(".")}: must have ${must}` }];
    },
  );
}

/** A link that no service starts by would be pointed elsewhere, and the old Odoo would go on. */
function ensureLinkIsUsed({ config }: Given): readonly Broken[] {
  return Object.entries(config.stacks).flatMap(([name, { odoo, runtime, services }]) => {
    if (odoo.upgrade === undefined || !("link" in odoo.upgrade) || !("native" in runtime)) return [];
    const { link } = odoo.upgrade;
    const usesLink = (command: readonly string[]) => command.some((word) => word.startsWith(`${link}/`));
    const commands: readonly (readonly [readonly PropertyKey[], readonly string[]])[] = [
      [["stacks", name, "odoo", "command"], odoo.command],
      ...services.odoo.flatMap((service) => {
        const defined = runtime.native.services[service.name];
        const path = ["stacks", name, "runtime", "native", "services", service.name, "command"];
        return defined !== undefined && "command" in defined ? [[path, defined.command] as const] : [];
      }),
    ];
    return commands
      .filter(([, command]) => !usesLink(command))
      .map(([path]) => ({ path, message: `${path.join(".")}: must name what lies below the link ${link}` }));
  });
}
