/**
 * Commits as trees of files, in Python, read from git's objects: the work tree may be at another commit, or be changed, and is not
 * looked at. Needs `git` (a function), `json`, `os`, `posixpath`, `subprocess`, `hashlib` and `content_hash`.
 */
export const treesScript = String.raw`
TEXT_MAX = 16 << 20
LINK, SUBMODULE = "120000", "160000"

def git(*words):
    return subprocess.run(["git", *words], check=True, stdout=subprocess.PIPE).stdout

def shown(path):
    """A name need not be UTF-8; JSON must be."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")

class Objects:
    """Contents by their names in git. A large one is hashed in pieces and never held."""
    def __init__(self):
        self.git = subprocess.Popen(["git", "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.digests = {}

    def pieces(self, name):
        self.git.stdin.write(name.encode() + b"\n")
        self.git.stdin.flush()
        head = self.git.stdout.readline().split()
        if len(head) != 3:
            sys.exit("git lacks the object " + name)
        left = int(head[2])
        while left:
            piece = self.git.stdout.read(min(left, 1 << 20))
            if not piece:
                sys.exit("git ended while it was read")
            left -= len(piece)
            yield piece
        self.git.stdout.read(1)

    def digest(self, name):
        if name not in self.digests:
            digest = hashlib.sha256()
            for piece in self.pieces(name):
                digest.update(piece)
            self.digests[name] = digest.digest()
        return self.digests[name]

    def content(self, name):
        """None when it is too large to be looked into."""
        pieces, size = [], 0
        for piece in self.pieces(name):
            size += len(piece)
            if size <= TEXT_MAX:
                pieces.append(piece)
        return b"".join(pieces) if size <= TEXT_MAX else None

objects = Objects()

class Tree:
    """A commit. A folder is a dict of its names, anything else a pair of its mode and its name in git."""
    def __init__(self, commit):
        self.root = {}
        for entry in git("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")[:-1]:
            head, path = entry.split(b"\t", 1)
            mode, _, name = head.decode().split(" ")
            *folders, last = os.fsdecode(path).split("/")
            node = self.root
            for folder in folders:
                node = node.setdefault(folder, {})
            node[last] = (mode, name)

    def find(self, path):
        """What a path leads to, over links; None when that is nothing, or outside of the repository."""
        links, at, node = 40, [], self.root
        ahead = steps(path)
        while ahead:
            step = ahead.pop(0)
            if step == "..":
                if not at:
                    return None
                at.pop()
                node = self.folder(at)
                continue
            if not isinstance(node, dict) or step not in node:
                return None
            node = node[step]
            if isinstance(node, tuple) and node[0] == LINK:
                target, links = os.fsdecode(objects.content(node[1])), links - 1
                if target.startswith(os.getcwd() + "/"):
                    target, at = target[len(os.getcwd()):], []
                elif target.startswith("/") or links < 0:
                    return None
                ahead, node = steps(target) + ahead, self.folder(at)
            else:
                at.append(step)
        return node

    def folder(self, at):
        node = self.root
        for step in at:
            node = node[step]
        return node

    def files(self, top):
        """Every file below a folder by its path from there: (mode, name in git). Links are followed; one that leads nowhere is itself."""
        found, node = {}, self.find(top)
        def add(folder, below, links):
            for name, entry in folder.items():
                path = below + name
                if isinstance(entry, tuple) and entry[0] == LINK:
                    end = self.find(top + "/" + path)
                    if isinstance(end, dict) and links < 5:
                        add(end, path + "/", links + 1)
                    else:
                        found[path] = end if isinstance(end, tuple) else entry
                elif isinstance(entry, dict):
                    add(entry, path + "/", links)
                else:
                    found[path] = entry
        if isinstance(node, dict):
            add(node, "", 0)
        return found

    def hash(self, top):
        """The hash that these files have on a host; None when some of it is not in the repository."""
        def listing(folder):
            entries = [(name, entry, self.find(top + "/" + folder + name)) for name, entry in self.find(top + "/" + folder).items()]
            if any(end is None or not isinstance(end, dict) and end[0] == SUBMODULE for _, _, end in entries):
                raise LookupError
            return ([name for name, entry, _ in entries if isinstance(entry, dict)],
                [name for name, _, end in entries if not isinstance(end, dict)])
        try:
            return content_hash(listing, lambda path: objects.digest(self.find(top + "/" + path)[1]))
        except LookupError:
            return None

def steps(path):
    return [step for step in path.split("/") if step not in ("", ".")]
`;
