import { z } from "zod";
import { certificateSchema } from "../contract.ts";
import { endpoint } from "../endpoint.ts";
import type { CertificateEntry } from "../ports.ts";
import { NotFound } from "../problem.ts";
import { findStack } from "./stacks.ts";

/** Certificates of backups: for whoever may look at the stack, since they hold nothing that a look at it does not. */

const path = "/api/stacks/{stack}/backups/{backup}/certificate";
const params = z.object({
  stack: z.string(),
  backup: z.string().describe("Id of the backup, or of the run that verified it; latest is the newest certificate"),
});

export const listCertificates = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/certificates", tag: "backups" },
  summary: "The latest certificates of a stack's backups, also of those that are not there any more; the newest first",
  params: z.object({ stack: z.string() }),
  query: z.object({ limit: z.coerce.number().int().min(1).max(500).default(50) }),
  answer: z.array(certificateSchema),
  handle: async (asked) => findStack(asked).certificates.list(asked.query.limit),
});

export const showCertificate = endpoint({
  ...{ method: "get", path, tag: "backups" },
  summary: "What the last verification of a backup found, signed: `ipai backup certificate verify FILE` checks it",
  params,
  answer: certificateSchema,
  handle: async (asked) => (await findCertificate(asked)).document,
});

export const printCertificate = endpoint({
  ...{ method: "get", path: `${path}/pdf`, tag: "backups", stream: "application/pdf" },
  summary: "The same as a page of A4, with the signed data attached to it",
  params,
  answer: z.string().describe("PDF"),
  handle: async (asked) => {
    const page = await (await findCertificate(asked)).pdf();
    const disposition = `inline; filename="certificate-${asked.params.backup.replaceAll(/[^\w-]/g, "_")}.pdf"`;
    const headers = {
      "content-type": "application/pdf",
      "cache-control": "no-store",
      "content-disposition": disposition,
    };
    return new Response(page, { headers });
  },
});

type Asked = Parameters<typeof findStack>[0] & { readonly params: { readonly backup: string } };

async function findCertificate(asked: Asked): Promise<CertificateEntry> {
  const { backup } = asked.params;
  const found = await findStack(asked).certificates.find(backup);
  if (found === undefined) throw NotFound({ what: `certificate of backup ${backup}` });
  return found;
}
