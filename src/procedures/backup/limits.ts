import type { Stack } from "../../stack/stack.ts";

/** How fast is gone on at most, where the configuration says so: what takes long then has its reason in the plan. */
export function limitNotes({ config }: Stack, ...directions: readonly ("upload" | "download")[]): readonly string[] {
  const { uploadBytes, downloadBytes } = config.backup?.limit ?? {};
  const limits = { upload: uploadBytes, download: downloadBytes };
  const verbs = { upload: "written", download: "read" };
  return directions.flatMap((direction) => {
    const bytes = limits[direction];
    return bytes === undefined
      ? []
      : [`At most ${megabytes(bytes)} a second are ${verbs[direction]} (backup.limit.${direction}).`];
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
