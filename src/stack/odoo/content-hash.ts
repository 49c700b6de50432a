/**
 * What an addon's content is, in Python: every file that can change what Odoo does (the list of exceptions is that of
 * click-odoo-update), so that an edit without a version bump is found, and compiled files and tests do not count. One text for the
 * files of a host and for a commit of git: the same content has the same hash, wherever it is read.
 */
export const contentHashScript = String.raw`
SKIP_DIRS = {"__pycache__", "tests", ".git"}
SKIP_ENDS = (".pyc", ".pyo", ".pot", "~")

def content_hash(listing, digest_of):
    """listing: names of the folders and of the files in a folder; digest_of: the SHA-256 of a file. Links to folders are not followed."""
    digest = hashlib.sha256()
    def add(folder):
        folders, files = listing(folder)
        for name in sorted(files):
            if not name.endswith(SKIP_ENDS):
                # A name need not be UTF-8.
                digest.update(os.fsencode(folder + name) + b"\0")
                digest.update(digest_of(folder + name))
        for name in sorted(folders):
            if name not in SKIP_DIRS:
                add(folder + name + "/")
    add("")
    return digest.hexdigest()
`;
