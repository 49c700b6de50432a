import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { until } from "./sandbox.ts";
import { type Certificate, makeCertificate } from "./smtp.ts";

/** Real servers of repositories on the loopback: rclone's for restic's REST, and an S3, `s3-server.py`. OpenSSH's is in `sshd.ts`. */

export interface RepositoryServer {
  readonly port: number;
  /** Ends it; what it has stays where it is. */
  stop(): Promise<void>;
}

export async function serveRest(
  folder: string,
  port: number,
  ...options: readonly string[]
): Promise<RepositoryServer> {
  await mkdir(folder, { recursive: true });
  const args = ["serve", "restic", "--config", "/dev/null", "--addr", `127.0.0.1:${port}`, ...options, folder];
  const server = spawn("rclone", args, { stdio: "ignore" });
  await until("the REST server listens", () => listens(port));
  return { port, stop: () => end(server) };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.end());
  });
}

async function end(server: ReturnType<typeof spawn>): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill("SIGKILL");
  await once(server, "exit");
}

export interface S3Server extends RepositoryServer, Disposable {
  /** Without a bucket: `s3:${url}/BUCKET` is a repository of restic's. */
  readonly url: string;
  /** What restic needs to get in. Its certificate is nobody's but its own. */
  readonly environment: Readonly<Record<"AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" | "SSL_CERT_FILE", string>>;
  readonly certificate: Certificate;
}

/** Why there can be no S3 server here; empty when there can. */
export const s3Lacks = (() => {
  try {
    execFileSync("/usr/bin/python3", ["-c", "import swift"], { stdio: "ignore" });
    return "";
  } catch {
    return "python3-swift";
  }
})();

/** Again on the same folder and port it has what it had. `address`: another of this machine's than the loopback. */
export async function serveS3(
  folder: string,
  port: number,
  certificate = makeCertificate(),
  address = "127.0.0.1",
): Promise<S3Server> {
  await mkdir(folder, { recursive: true });
  const [access, secret] = ["backup", "a-secret-key"];
  const { certificate: file, key } = certificate;
  const given = JSON.stringify({ folder, address, port, access, secret, certificate: file, key });
  const script = join(import.meta.dirname, "s3-server.py");
  const server = spawn("/usr/bin/python3", [script, given], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: server.stdout });
  const ended = once(server, "exit").then(() => {
    throw new TypeError("the S3 server ended");
  });
  await Promise.race([once(lines, "line"), ended]);
  ended.catch(() => undefined);
  return {
    port,
    url: `https://${address}:${port}`,
    environment: { AWS_ACCESS_KEY_ID: `test:${access}`, AWS_SECRET_ACCESS_KEY: secret, SSL_CERT_FILE: file },
    certificate,
    stop: () => end(server),
    [Symbol.dispose]: () => certificate[Symbol.dispose](),
  };
}

/** rclone on the server, as somebody who has its keys; `:s3:BUCKET/NAME` is an object. */
export function rclone(server: S3Server, args: readonly string[], input: string | Buffer = ""): Buffer {
  // Nothing that another S3 would be reached with.
  const env = {
    PATH: process.env["PATH"],
    RCLONE_S3_PROVIDER: "Other",
    RCLONE_S3_ENDPOINT: server.url,
    RCLONE_S3_ACCESS_KEY_ID: server.environment.AWS_ACCESS_KEY_ID,
    RCLONE_S3_SECRET_ACCESS_KEY: server.environment.AWS_SECRET_ACCESS_KEY,
  };
  const options = ["--config", "/dev/null", "--ca-cert", server.certificate.certificate];
  return execFileSync("rclone", [...options, ...args], { env, input });
}
