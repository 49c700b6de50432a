import { defineError } from "../../../errors/error.ts";

export const CertificateNotFound = defineError<{ of: string }>("certificate.not_found", {
  exitCode: 26,
  message: (d) => `There is no certificate of ${d.of}.`,
  hint: () => "`ipai backup certificate list` shows what there is; `ipai backup verify` makes the next one.",
});

export const SetUnreadable = defineError<{ backup: string; reason: string }>("certificate.set_unreadable", {
  exitCode: 33,
  message: (d) =>
    `What backup ${d.backup} says about itself cannot be certified: ${d.reason}. Everything was compared; no proof was recorded.`,
  hint: () => "Its file `about` was written by another version, or changed since. Take a new backup and verify that.",
});

export const CertificateBroken = defineError<{ file: string; reason: string }>("certificate.broken", {
  exitCode: 24,
  message: (d) => `The certificate in ${d.file} does not hold: ${d.reason}.`,
  hint: () =>
    "Do not rely on anything that it says. `ipai backup certificate SET` shows what was signed, where the control database is there.",
});

export const CertificateUnreadable = defineError<{ file: string; reason: string }>("certificate.unreadable", {
  exitCode: 14,
  message: (d) => `${d.file} is no certificate of a backup: ${d.reason}. Nothing was checked.`,
  hint: () => "It has to be what `ipai backup certificate --json` prints, or the PDF that `--pdf` writes.",
});

export const CertificateKeyUnknown = defineError<{ file: string; fingerprint: string }>("certificate.key_unknown", {
  exitCode: 24,
  message: (d) =>
    `The certificate in ${d.file} was signed with the key ${d.fingerprint}, which is not the one it was checked against. Whose it is cannot be told.`,
  hint: () =>
    "Name the public key of whoever should have signed it: --key FILE, from `ipai backup certificate key` on the machine that did.",
});

export const NoKeyToCheck = defineError<{ file: string }>("certificate.no_key", {
  exitCode: 14,
  message: (d) => `There is no key to check ${d.file} against: this machine has signed nothing yet.`,
  hint: () => "Name the public key: --key FILE, from `ipai backup certificate key` on the machine that signed.",
});

export const BadSigningKey = defineError<{ where: string }>("certificate.bad_key", {
  exitCode: 18,
  message: (d) => `${d.where} holds no Ed25519 key that could be used. Nothing was signed or checked with it.`,
  hint: () =>
    "The own key, certificate.key below IPAI_HOME, has to be PEM as it was made: restore it from a copy. Only when there is none remove it: a new " +
    "one is made then, and earlier certificates are checked with the public key that was exported before.",
});

export const CertificateFileExists = defineError<{ file: string }>("certificate.file_exists", {
  exitCode: 14,
  message: (d) => `There is a file ${d.file} already. It was not replaced, and nothing was written.`,
  hint: () => "Name another one: what was filed is not to be written over.",
});
