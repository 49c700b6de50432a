/** Of the program: what `--version` prints, and what a certificate names. */
export const version = "0.1.0";
