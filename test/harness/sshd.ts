import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { makeTestFolder } from "./folders.ts";
import { until } from "./sandbox.ts";

/** A real OpenSSH server of this machine, and a client that knows it: on the loopback, or behind a cable that can be cut. */
export interface Sshd extends AsyncDisposable {
  readonly folder: string;
  readonly destination: string;
  /** ssh's configuration for whoever wants to reach it: its own key, its own known hosts. */
  readonly configFile: string;
  /** Only where it has a network of its own. */
  readonly cable: { cut(): void; mend(): void };
}

export interface SshdOptions {
  /** A network namespace to make, joined to this one by a cable. */
  readonly namespace?: string;
  /** Which of the two is in it. The stack's own services can only be reached where they are, so its tests put the client there. */
  readonly inside?: "server" | "client";
  readonly settings?: readonly string[];
}

export async function startSshd({ namespace, inside = "server", settings = [] }: SshdOptions = {}): Promise<Sshd> {
  const folder = await makeTestFolder("ipai-sshd-");
  // Whoever logs in has his list of keys here; the keys themselves stay closed.
  await chmod(folder, 0o755);
  const file = (name: string) => join(folder, name);
  for (const key of ["host", "client"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", file(key)]);
  if (namespace !== undefined) layCable(namespace, inside);
  const address = namespace === undefined ? "127.0.0.1" : cableEnds(namespace).server;
  const port = namespace === undefined || inside === "client" ? await freePort(address) : 22;
  await writeFile(file("authorized_keys"), await readFile(file("client.pub")));
  const hostKey = (await readFile(file("host.pub"), "utf8")).split(" ", 2).join(" ");
  await writeFile(file("known_hosts"), `[${address}]:${port} ${hostKey}\n${address} ${hostKey}\n`);
  await writeFile(
    file("sshd_config"),
    [
      `ListenAddress ${address}`,
      `Port ${port}`,
      `HostKey ${file("host")}`,
      `AuthorizedKeysFile ${file("authorized_keys")}`,
      "PidFile none",
      "PermitRootLogin prohibit-password",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "StrictModes no",
      "UsePAM no",
      // Not what this machine's root has in its start-up files: they may take a second for every command.
      `SetEnv HOME=${folder}`,
      ...settings,
      "",
    ].join("\n"),
  );
  await writeFile(
    file("ssh_config"),
    `Host *\n  IdentityFile ${file("client")}\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile ${file("known_hosts")}\n  GlobalKnownHostsFile /dev/null\n`,
  );
  mkdirSync("/run/sshd", { recursive: true });
  const enter = namespace === undefined || inside === "client" ? [] : ["ip", "netns", "exec", namespace];
  const [program = "", ...args] = [...enter, "/usr/sbin/sshd", "-D", "-e", "-f", file("sshd_config")];
  const server = spawn(program, args, { stdio: "ignore" });
  await until("sshd listens", () => answers(address, port));
  return {
    folder,
    destination: `ssh://root@${address}:${port}`,
    configFile: file("ssh_config"),
    cable: {
      cut: () => setCable(namespace, "down"),
      mend: () => setCable(namespace, "up"),
    },
    [Symbol.asyncDispose]: () => stop(server, folder, namespace),
  };
}

async function stop(server: ChildProcess, folder: string, namespace: string | undefined): Promise<void> {
  const ended = once(server, "exit");
  server.kill("SIGTERM");
  await ended;
  if (namespace !== undefined) removeCable(namespace);
  await rm(folder, { recursive: true });
}

/** Not every machine that runs tests lets its root make networks. */
export const hasNetworks = (() => {
  const name = `ipai-probe-${process.pid}`;
  const made = spawnSync("ip", ["netns", "add", name]).status === 0;
  spawnSync("ip", ["netns", "delete", name]);
  return made;
})();

/** A network of its own for each namespace: a cable that a killed run left shares no address with another. */
function cableEnds(namespace: string): { readonly client: string; readonly server: string } {
  const [third = 0, fourth = 0] = createHash("sha256").update(namespace).digest();
  const address = (last: number) => `10.231.${third}.${(fourth & ~3) + last}`;
  return { client: address(1), server: address(2) };
}

/** Its end on this side goes last: the other one stays while a program of a killed run is in the namespace. */
function removeCable(namespace: string): void {
  const inside = spawnSync("ip", ["netns", "pids", namespace], { encoding: "utf8" }).stdout.split("\n");
  if (inside.length > 1) spawnSync("kill", ["-KILL", ...inside.filter((pid) => pid !== "")]);
  spawnSync("ip", ["netns", "delete", namespace]);
  spawnSync("ip", ["link", "delete", namespace]);
}

function layCable(namespace: string, inside: "server" | "client"): void {
  const { client, server } = cableEnds(namespace);
  const [near, far] = inside === "server" ? [client, server] : [server, client];
  const ip = (...args: string[]) => execFileSync("ip", args);
  // One that a killed run of the tests left.
  removeCable(namespace);
  ip("netns", "add", namespace);
  ip("link", "add", namespace, "type", "veth", "peer", "name", "eth0", "netns", namespace);
  ip("address", "add", `${near}/30`, "dev", namespace);
  ip("link", "set", namespace, "up");
  const there = (...args: string[]) => ip("-n", namespace, ...args);
  there("address", "add", `${far}/30`, "dev", "eth0");
  there("link", "set", "eth0", "up");
  there("link", "set", "lo", "up");
}

function setCable(namespace: string | undefined, state: "up" | "down"): void {
  if (namespace === undefined) throw new TypeError("the loopback cannot be cut");
  execFileSync("ip", ["link", "set", namespace, state]);
}

export async function freePort(address: string): Promise<number> {
  const server = createServer().listen(0, address);
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", () => end(true));
    socket.once("error", () => end(false));
    socket.setTimeout(1000, () => end(false));
  });
}
