import { fileURLToPath } from "node:url";
import PDFDocument from "pdfkit";

/** Pages of A4, black on white: what certificates and reports have in common. The same words give the same bytes. */

export type Page = InstanceType<typeof PDFDocument>;

/** Points: where text may stand. */
export const [left, right, top, bottom] = [54, 541, 44, 802] as const;
export const width = right - left;

const faces = { regular: "400Regular/SourceSans3_400Regular", bold: "600SemiBold/SourceSans3_600SemiBold" } as const;
export const gray = "#444444";

interface About {
  readonly title: string;
  readonly author: string;
  /** What made it, with its version. */
  readonly program: string;
  /** Of what it tells: not when it was printed, or the bytes would differ. */
  readonly at: Date;
}

export function newPage({ title, author, program, at }: About): Page {
  const page = new PDFDocument({
    ...{ size: "A4", margin: 0, pdfVersion: "1.7", subset: "PDF/A-3b", lang: "en" },
    info: { Title: title, Author: author, Producer: program, Creator: program, CreationDate: at, ModDate: at },
  } as ConstructorParameters<typeof PDFDocument>[0]);
  for (const [name, file] of Object.entries(faces))
    page.registerFont(name, fileURLToPath(import.meta.resolve(`@expo-google-fonts/source-sans-3/${file}.ttf`)));
  return page;
}

/** The whole file, once it has ended. */
export function collect(page: Page): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const parts: Buffer[] = [];
  page.on("data", (part: Buffer) => parts.push(part));
  page.on("end", () => resolve(Buffer.concat(parts)));
  page.on("error", reject);
  return promise;
}

export interface Place {
  readonly x: number;
  readonly y: number;
}

export interface Style {
  readonly size: number;
  readonly face?: keyof typeof faces;
  readonly color?: string;
  readonly width?: number;
  readonly align?: "left" | "right";
  /** Lines that there is room for; what is longer ends with an ellipsis. */
  readonly lines?: number;
}

/** Writes at a place, and says where it ended. */
export function write(page: Page, text: string, { x, y }: Place, style: Style): number {
  const { size, face = "regular", color = "black", align = "left", lines = 1 } = style;
  page.font(face).fontSize(size).fillColor(color);
  const lineHeight = page.currentLineHeight(true);
  const room = style.width ?? right - x;
  page.text(text, x, y, {
    width: room,
    height: lines * lineHeight + 0.1,
    align,
    ellipsis: true,
    features: ["tnum", "kern"],
  });
  const needed = page.heightOfString(text, { width: room });
  return y + Math.min(needed, lines * lineHeight);
}

export function rule(page: Page, y: number, weight = 0.5): void {
  page.moveTo(left, y).lineTo(right, y).lineWidth(weight).strokeColor("black").stroke();
}

export function heading(page: Page, text: string, { x, y }: Place, until: number = right): number {
  const end = write(page, text, { x, y }, { size: 10.5, face: "bold" });
  page
    .moveTo(x, end + 1)
    .lineTo(until, end + 1)
    .lineWidth(0.5)
    .strokeColor("black")
    .stroke();
  return end + 5;
}

export function number(value: number): string {
  return value.toLocaleString("en-US");
}
