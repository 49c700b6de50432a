import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { configWith } from "./backups.ts";
import type { Draft } from "./repository.ts";
import { container, folder, run, services } from "./sandbox.ts";

/** The practice project as one whose Odoo is an image that is built from its source, in the folder `image`. */

export interface BuiltImage extends AsyncDisposable {
  /** Without a tag. */
  readonly name: string;
  /** The configuration that knows of it. */
  readonly config: string;
  /** A release whose image says something else than before, in its own file. */
  says(what: string): (draft: Draft) => Promise<void>;
  /** A release with these lines in the Dockerfile. */
  write(lines: string): (draft: Draft) => Promise<void>;
  /** An image of its own under this tag, which nobody's container is made of. */
  make(tag: string): Promise<void>;
  /** What that file says, in each of the containers that are made of it. */
  seen(): Promise<readonly string[]>;
  /** The tags that there are. */
  tags(): Promise<readonly string[]>;
}

/** Containers that are made of it. */
export const builtContainers = [...services, "odoo-tools"];
const base = process.env["IPAI_IMAGE_ODOO"] ?? "";

export async function docker(...args: readonly string[]): Promise<string> {
  const ended = await run("docker", args);
  if (ended.exitCode !== 0) throw new Error(ended.stderr);
  return ended.stdout.trim();
}

export async function createBuiltImage(): Promise<BuiltImage> {
  const name = `ipai-test-built-${process.pid}`;
  const definition = { image: `${name}:1`, build: { context: "./addons/image" } };
  const file = { services: Object.fromEntries(builtContainers.map((one) => [one, definition])) };
  await writeFile(join(folder, "compose.image.yaml"), JSON.stringify(file));
  await docker("tag", base, `${name}:1`);
  const config = await configWith(join(folder, "image.yaml"), ({ runtime }) => {
    Object.assign((runtime as { compose: object }).compose, { files: ["compose.yaml", "compose.image.yaml"] });
  });
  const write =
    (lines: string) =>
    ({ put }: Draft) =>
      put("image/Dockerfile", `FROM ${base}\nUSER root\n${lines}\nUSER odoo\n`);
  const tags = async () => (await docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", name)).split("\n");
  return {
    ...{ name, config, write, tags },
    make: async (tag) => {
      const ended = await run("docker", ["build", "--quiet", "--tag", tag, "-"], {
        stdin: `FROM ${base}\nLABEL ipai-test=${tag}\n`,
      });
      if (ended.exitCode !== 0) throw new Error(ended.stderr);
    },
    says: (what) => write(`RUN echo ${what} > /etc/ipai-test`),
    seen: () =>
      Promise.all(
        builtContainers.map(async (one) =>
          (await run("docker", ["exec", container(one), "cat", "/etc/ipai-test"])).stdout.trim(),
        ),
      ),
    [Symbol.asyncDispose]: async () => {
      await docker("image", "rm", "--force", ...(await tags()));
    },
  };
}
