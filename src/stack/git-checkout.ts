/**
 * Brings a commit into a work tree, in Python. Git alone cannot go on after it was killed: its lock is left, and it takes the files that
 * it had written already for somebody's changes. They are told from such by their content, which is that of the commit, or the
 * beginning of it; then half of a checkout is taken back, and it is done again. Where a disk runs full git leaves files cut off, and HEAD
 * where it was: they are taken back too, and that ends it with 28. Git goes to the commit that it is at already by leaving what lies there:
 * on a way back it is therefore said of which commit half may lie there.
 */
export const checkoutScript = String.raw`import os, subprocess, sys

def git(*words, **options):
    return subprocess.run(["git", *words], check=True, stdout=subprocess.PIPE, **options).stdout

def checkout(commit):
    """What keeps git from it; None when it is done."""
    words = ["checkout", "--quiet", "--detach", "--no-overwrite-ignore", "--no-recurse-submodules", commit, "--"]
    ended = subprocess.run(["git", *words], stderr=subprocess.PIPE)
    return None if ended.returncode == 0 else ended.stderr.decode("utf-8", "replace")

def is_full(said):
    """Git does not always say why it cannot write; of a quota the disk does not tell."""
    said, disk = said.lower(), os.statvfs(".")
    if "no space left" in said or "quota exceeded" in said:
        return True
    return "write" in said and (disk.f_bavail * disk.f_frsize < 1 << 20 or (disk.f_files > 0 and disk.f_favail == 0))

def path_of(lock):
    return os.path.abspath(os.fsdecode(git("rev-parse", "--git-path", lock)).rstrip("\n"))

def remove_dead(lock):
    """Whoever works with a lock holds it open."""
    if os.path.lexists(lock) and os.lstat(lock).st_uid == os.geteuid() and not any(file == lock for file in open_files()):
        os.unlink(lock)

def open_files():
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            for file in os.listdir("/proc/%s/fd" % process):
                yield os.readlink("/proc/%s/fd/%s" % (process, file))
        except OSError:
            pass

def is_file(path, mode):
    return mode.startswith("100") and os.path.isfile(path) and not os.path.islink(path)

def is_of(path, mode, name):
    """It is what git would write."""
    if mode == "120000":
        return os.path.islink(path) and os.fsencode(os.readlink(path)) == git("cat-file", "blob", name)
    return is_file(path, mode) and git("hash-object", "--path", path, "--", path).decode().strip() == name

def is_beginning_of(path, mode, name):
    if not is_file(path, mode):
        return False
    with open(path, "rb") as file:
        return git("cat-file", "blob", name).startswith(file.read())

def halves(commit):
    """Paths that a killed checkout of the commit has written or removed; None when one is somebody's own."""
    found, fields = [], git("diff-tree", "-r", "-z", "--no-renames", "--raw", "HEAD", commit).split(b"\0")[:-1]
    for head, path in zip(fields[::2], map(os.fsdecode, fields[1::2])):
        before, after, was, will, _ = head.decode().lstrip(":").split(" ")
        is_there = os.path.lexists(path)
        if is_there and was.strip("0") and is_of(path, before, was):
            continue
        if is_there and not is_of(path, after, will) and not is_beginning_of(path, after, will):
            return None
        if is_there or was.strip("0"):
            found.append((path, bool(was.strip("0"))))
    return found

def take_back(paths):
    """All goes before any comes back: on a full disk they fit then, as they did. Git's list of files may not, and stays the one that fits them."""
    for path, was_there in paths:
        if os.path.lexists(path):
            os.unlink(path)
    known, new = [b"".join(os.fsencode(path) + b"\0" for path, was in paths if was == wanted) for wanted in (True, False)]
    if known:
        words = ["--literal-pathspecs", "checkout", "--quiet", "--pathspec-from-file=-", "--pathspec-file-nul", "HEAD"]
        subprocess.run(["git", *words], input=known, stderr=subprocess.DEVNULL)
    if new:
        # Killed late, git has them in its list already.
        subprocess.run(["git", "update-index", "--force-remove", "-z", "--stdin"], input=new, stderr=subprocess.DEVNULL)

def is_at(commit):
    return git("rev-parse", "HEAD") == git("rev-parse", commit + "^{commit}")

def is_as_committed():
    words = ["--no-optional-locks", "status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=all"]
    return git(*words) == b""

commit, *half = sys.argv[1:]
locks = [path_of(name) for name in ("index.lock", "HEAD.lock")]
for lock in locks:
    remove_dead(lock)
if half and is_at(commit) and not any(map(os.path.lexists, locks)):
    paths = halves(*half)
    if paths is None:
        print("somebody's own changes lie among what a checkout that was cut off has left", file=sys.stderr)
        sys.exit(1)
    take_back(paths)
    # On a full disk git could not even say that there is nothing to do.
    if is_as_committed():
        sys.exit(0)
for _ in ("as it is", "when half of it was taken back"):
    said = checkout(commit)
    if said is None:
        sys.exit(0)
    # Taking back makes room.
    full = is_full(said)
    # A git that works is at it itself.
    paths = [] if any(map(os.path.lexists, locks)) else halves(commit)
    if paths:
        take_back(paths)
    if full:
        print(said.rstrip(), "No space left on device", sep="\n", file=sys.stderr)
        sys.exit(28)
print(said.rstrip(), file=sys.stderr)
sys.exit(1)
`;
