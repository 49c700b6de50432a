import type { Command } from "commander";
import { json, run } from "./register.ts";

/** What a verification found, signed: for the auditor. */
export function registerCertificate(backup: Command): void {
  const certificate = backup.command("certificate").description("what verifications found, signed, for an auditor");
  json(certificate.command("show", { isDefault: true }))
    .description("the certificate of a backup")
    .argument("[set]", "id of the backup, or of the run that verified it", "latest")
    .option("--pdf <file>", "write it as a page to a new file, with the signed data attached")
    .action(
      run(async (context, set, options) =>
        (await import("../commands/certificate.ts")).showCertificate(context, set as string, options),
      ),
    );
  json(certificate.command("list"))
    .description("the latest certificates, also of backups that are not there any more")
    .option("-n, --limit <count>", "how many", "50")
    .action(run(async (context, options) => (await import("../commands/certificate.ts")).listAll(context, options)));
  json(certificate.command("key"))
    .description("the public key with which certificates are checked")
    .action(run(async (context, options) => (await import("../commands/certificate.ts")).showKey(context, options)));
  json(certificate.command("verify"))
    .description("check a certificate, JSON or PDF; needs no configuration and no control database")
    .argument("<file>")
    .option("--key <file>", "public key of whoever should have signed; this machine's own without it")
    .action(
      run(async (context, file, options) =>
        (await import("../commands/certificate.ts")).verifyCertificate(context, file as string, options),
      ),
    );
}
