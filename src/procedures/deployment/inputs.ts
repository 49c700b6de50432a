import { namelessVolumes, type SourceImage, type UsedImage } from "../../stack/images.ts";
import type { ReleaseScan } from "../../stack/odoo/release-scan.ts";
import { projectOf } from "../../stack/runtime/compose.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FactReader } from "../procedure.ts";

/** Which images of a project a release builds otherwise, and by what. */

/** Those of the project that the release builds otherwise. None where Compose cannot say what they are built of. */
export async function readImages(reader: FactReader, scan: ReleaseScan): Promise<readonly SourceImage[]> {
  const { images } = reader.stack;
  if (images === undefined || (scan.image.length === 0 && scan.others.length === 0 && scan.configuration.length === 0))
    return [];
  const project = await reader.maybe(reader.json(images.project));
  if (project === undefined) return [];
  const changed = images.parse(project).filter((image) => inputsOf(image, scan).length > 0);
  if (changed.length === 0) return [];
  const services = changed.flatMap((image) => image.services);
  const { config, host } = reader.stack;
  const nameless = (await reader.text(namelessVolumes(host, projectOf(config), services))).split("\n");
  return changed.filter((image) => !image.services.some((service) => nameless.includes(service)));
}

/**
 * What it is built of, as far as it changed. All of its folder; where modules lie in there as well, what usually goes into images: they
 * are mounted, and their code is brought by checking it out.
 */
export function inputsOf(
  { context }: Pick<SourceImage, "context">,
  scan: Pick<ReleaseScan, "addons" | "image" | "configuration" | "others">,
): readonly string[] {
  const isInside = (path: string) => context === "" || path.startsWith(`${context}/`);
  const image = scan.image.map(({ file }) => file).filter((file) => !file.endsWith("/__manifest__.py"));
  const hasModules = scan.addons.some(({ path }) => isInside(path));
  const all = hasModules ? image : [...image, ...scan.configuration.map(({ file }) => file), ...scan.others];
  return [...new Set(all.filter(isInside))].sort();
}

/** Odoo's own commands run in one of them. */
export function isForCommands({ config }: Stack, images: readonly UsedImage[]): boolean {
  return images.some(({ services }) => services.includes(projectOf(config).odooTools));
}
