import { secretsOf } from "../config/load.ts";
import type { StackConfig } from "../config/schema.ts";
import type { Secret } from "../config/secret.ts";
import { Bug } from "../errors/error.ts";
import { type Automation, createAutomation } from "./automation.ts";
import { createGit, type Git } from "./git.ts";
import { createGround, type Ground } from "./ground.ts";
import { createImages, type Images } from "./images.ts";
import { createMaintenance, type Maintenance } from "./maintenance.ts";
import { createFinanceDoor, type FinanceDoor } from "./odoo/finance.ts";
import { createOdoo, type Odoo } from "./odoo/odoo.ts";
import { createPgBackRest, type PgBackRest } from "./pgbackrest.ts";
import { createPostgres, type Postgres } from "./postgres.ts";

import { createRedis, type Redis } from "./redis.ts";
import { createRestic, type NamedRepository, type Restic } from "./restic.ts";
import { createCopies, type RepositoryCopy } from "./restic-copy.ts";
import { createFileSnapshots, type FileSnapshots } from "./restic-files.ts";
import { createComposeRuntime } from "./runtime/compose.ts";
import { createNativeRuntime } from "./runtime/native.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { createServerFiles, type ServerFiles } from "./server-files.ts";
import { createSiblingSources, primary, siblingPrefix } from "./sources.ts";
import { findSuccessor, type Successor } from "./successor/find.ts";
import { createLookUp, createUpstreams, type LookUp, type Upstreams } from "./upstreams.ts";
import "./errors.ts";

/** One stack with everything that can be said to it. Holds builders of actions only: nothing here touches a host. */
export interface Stack {
  readonly name: string;
  /** The machine. */
  readonly host: string;
  /** The place on it where files are worked on; the machine itself, if its services are not in containers. */
  readonly tools: string;
  readonly config: StackConfig;
  readonly runtime: Runtime;
  readonly postgres: Postgres;
  readonly odoo: Odoo;
  /** Finance PPM in it. Absent when the configuration has no key for it. */
  readonly finance: FinanceDoor | undefined;
  /** Absent when users can only be kept out by stopping the proxy. */
  readonly maintenance: Maintenance | undefined;
  /** Absent when the stack has no cache. */
  readonly redis: Redis | undefined;
  /** Absent when there is no proxy, or the configuration does not say where its upstreams are. */
  readonly upstreams: Upstreams | undefined;
  /** Absent where services do not change their addresses, or there is no proxy. */
  readonly lookUp: LookUp | undefined;
  /** Where its code comes from. Absent when the configuration does not say so. */
  readonly git: Git | undefined;
  /** Absent without a source, and where services are no containers. */
  readonly images: Images | undefined;
  /** Absent when the stack has no n8n. */
  readonly automation: Automation | undefined;
  /** Absent when the configuration names no repository. */
  readonly restic: Restic | undefined;
  /** What is new in the filestore, stored there between two sets. Absent without a repository. */
  readonly fileSnapshots: FileSnapshots | undefined;
  /** The repositories that get their sets from that one. */
  readonly copies: readonly RepositoryCopy[];
  /**
   * The repositories whose sets may be restored here, by the stack that they belong to: this one, or another that lends them. Without those
   * that are not reached from here.
   */
  readonly sources: ReadonlyMap<string, readonly NamedRepository[]>;
  /** Absent when the configuration names no archive, or the server is none that can be set up. */
  readonly pgbackrest: PgBackRest | undefined;
  /** Absent when the database's server is none whose files can be exchanged. */
  readonly serverFiles: ServerFiles | undefined;
  /** A machine on which nothing of the stack is left, for its recovery. */
  readonly ground: Ground;
  /** The Odoo of another series that the configuration names; undefined when it names none. */
  successor(series: string): Successor | undefined;
  /** A secret of this stack's configuration by its path, for whoever starts a process. */
  secret(name: string): Secret;
}

/** `siblings`: every stack of the configuration, this one may be among them. Those count that lend their sets to this one. */
export function createStack(config: StackConfig, siblings: readonly StackConfig[] = []): Stack {
  const runtime = createRuntime(config);
  const others = siblings.filter(({ backup }) => backup?.restoreInto.includes(config.name));
  const secrets = { ...secretsOf(config), ...Object.fromEntries(others.flatMap(secretsOfSibling)) };
  const restic = createRestic(config, runtime.tools);
  const copies = createCopies(config, runtime.tools);
  const git = config.source === undefined ? undefined : createGit(config.host, config.source);
  const odoo = createOdoo(config, runtime);
  const own = restic === undefined ? [] : [{ ...restic, name: primary }, ...copies];
  return {
    name: config.name,
    host: config.host,
    tools: runtime.tools,
    config,
    runtime,
    postgres: createPostgres(config, runtime),
    odoo,
    finance: createFinanceDoor(config, odoo),
    maintenance: createMaintenance(config),
    redis: createRedis(config, runtime),
    upstreams: createUpstreams(config, runtime),
    lookUp: createLookUp(config, runtime),
    git,
    images: createImages(config, git),
    automation: createAutomation(config, runtime),
    restic,
    fileSnapshots: createFileSnapshots(config, runtime.tools),
    copies,
    sources: new Map([
      [config.name, own],
      ...others.map((other) => {
        const sibling = { config: other, tools: createRuntime(other).tools };
        return [other.name, createSiblingSources(config, runtime.tools, sibling)] as const;
      }),
    ]),
    pgbackrest: createPgBackRest(config, runtime),
    serverFiles: createServerFiles(config, runtime),
    ground: createGround(config, runtime, own),
    successor: (series) => findSuccessor(config, runtime, series),
    secret: (name) => {
      const found = secrets[name];
      if (found === undefined) throw Bug({ what: `the secret ${name} is not configured` });
      return found;
    },
  };
}

function secretsOfSibling(sibling: StackConfig): readonly (readonly [string, Secret])[] {
  return Object.entries(secretsOf(sibling)).map(([path, value]) => [siblingPrefix(sibling.name) + path, value]);
}

function createRuntime(config: StackConfig): Runtime {
  const { runtime } = config;
  return "native" in runtime
    ? createNativeRuntime(config, runtime.native.services)
    : createComposeRuntime(config, runtime.compose);
}
