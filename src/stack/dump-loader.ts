/**
 * Brings a dump in plain SQL into a database: `python3 -c loaderScript SOCKET USER DATABASE`, the dump on standard input.
 *
 * Whoever wrote the file may have written anything. psql would run what follows a backslash as its own commands, programs of the machine
 * among them, so psql does not see it: this speaks to the server directly, which knows nothing but SQL. What a statement may do there
 * is a matter of the rights of USER, whom the server knows by the operating system and nothing else can change.
 *
 * Statements are told apart only to say where an error is, to find the data of COPY, and to leave out what belongs to the server that
 * the dump came from: owners, grants, the database itself. One that is told apart wrongly is an error of the server's.
 */
export const loaderScript = String.raw`
import re, socket, struct, sys, time

directory, user, database = sys.argv[1:4]
stream = sys.stdin.buffer
line_number = 0
bytes_done = 0
told = time.monotonic()


def stop(code, message):
    print(message, file=sys.stderr)
    sys.exit(code)


def next_line():
    global line_number, bytes_done, told
    line = stream.readline()
    if line:
        line_number += 1
        bytes_done += len(line)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            print('{"message_type":"status","bytes_done":%d}' % bytes_done, flush=True)
    return line


connection = socket.socket(socket.AF_UNIX)
connection.connect(directory + "/.s.PGSQL.5432")
answers = connection.makefile("rb")


def send(kind, body):
    connection.sendall(kind + struct.pack("!I", len(body) + 4) + body)


def receive():
    head = answers.read(5)
    if len(head) < 5:
        stop(2, "The server went away at line %d." % line_number)
    kind, size = head[:1], struct.unpack("!I", head[1:])[0]
    return kind, answers.read(size - 4)


class Refused(Exception):
    def __init__(self, fields):
        self.state = fields.get("C", "")
        self.message = fields.get("M", "")
        super().__init__(self.message)


def settle(until):
    """Reads answers until one of a kind that is waited for; the first error counts once the server is ready again."""
    error = None
    while True:
        kind, body = receive()
        if kind == b"E":
            parts = (part.decode("utf-8", "replace") for part in body.split(b"\0") if part)
            error = error or Refused({part[0]: part[1:] for part in parts})
            if until == b"R":
                raise error
        elif kind == b"R" and until == b"R":
            if struct.unpack("!I", body[:4])[0] != 0:
                stop(2, "The server asks %s for a password." % user)
            until = b"Z"
        elif kind == b"Z":
            if error:
                raise error
            return kind
        elif kind == b"G" and until == b"G":
            return kind


def start():
    body = struct.pack("!I", 196608)
    for name, value in (("user", user), ("database", database), ("application_name", "ipai load"), ("client_encoding", "UTF8")):
        body += name.encode() + b"\0" + value.encode() + b"\0"
    connection.sendall(struct.pack("!I", len(body) + 5) + body + b"\0")
    settle(b"R")


def run(text):
    send(b"Q", text + b"\0")
    settle(b"Z")


def copy(text):
    send(b"Q", text + b"\0")
    if settle(b"G") != b"G":
        return
    held, size = [], 0
    while True:
        line = next_line()
        if not line:
            stop(4, "The file ends at line %d, within the rows of a table." % line_number)
        if line in (b"\\.\n", b"\\.\r\n", b"\\."):
            break
        held.append(line)
        size += len(line)
        if size > 1 << 20:
            send(b"d", b"".join(held))
            held, size = [], 0
    if held:
        send(b"d", b"".join(held))
    send(b"c", b"")
    settle(b"Z")


# Of the server that the dump came from: nothing of it concerns this one.
LEFT_OUT = re.compile(
    rb"""\s*(ALTER\s.*\sOWNER\s+TO\s|ALTER\s+ROLE\s.*\sIN\s+DATABASE\s|GRANT\s|REVOKE\s|ALTER\s+DEFAULT\s+PRIVILEGES\s|SECURITY\s+LABEL\s
    |COMMENT\s+ON\s+(EXTENSION|DATABASE)\s|(CREATE|ALTER|DROP)\s+(DATABASE|PUBLICATION|SUBSCRIPTION)\s
    |SET\s+default_tablespace\s)""",
    re.I | re.S | re.X,
)
DATA = re.compile(rb"\s*COPY\s.*\sFROM\s+STDIN\b", re.I | re.S)
BODY = re.compile(rb"\s*CREATE\s+(OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE)\s", re.I)
REMOVAL = re.compile(rb"\s*(DROP\s|ALTER\s.*\sDROP\s|SELECT\s+pg_catalog\.lo_unlink\b)", re.I | re.S)
SETTING = re.compile(rb"\s*SET\s", re.I)
PUBLIC = re.compile(rb"\s*CREATE\s+SCHEMA\s+public\s*$", re.I)
# What is to be removed from an empty database is not there, and a newer pg_dump sets what an older server does not know.
ABSENT = ("42P01", "42704", "42883", "42703", "3F000")


def is_harmless(bare, state):
    if REMOVAL.match(bare) or SETTING.match(bare):
        return state in ABSENT
    return state == "42P06" and PUBLIC.match(bare)


def perform(text, bare, at):
    if not bare.strip() or LEFT_OUT.match(bare):
        return
    at += bare[: len(bare) - len(bare.lstrip())].count(b"\n")
    try:
        copy(text) if DATA.match(bare) else run(text)
    except Refused as error:
        if not is_harmless(bare, error.state):
            begin = " ".join(text.decode("utf-8", "replace").split())[:200]
            stop(3, "line %d: %s (SQLSTATE %s) in: %s" % (at, error.message, error.state, begin))


MARKS = re.compile(rb"""'|"|\$([A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$|;|--|/\*|\\|\(|\)""")
WORD = re.compile(rb"[A-Za-z0-9_\x80-\xff$]$")
# The rest of a text with escapes; what follows a backslash may be the end of a line.
ESCAPED = re.compile(rb"(?:[^'\\]|\\.|'')*?'(?!')", re.S)
NESTED = re.compile(rb"/\*|\*/")
ESCAPES = re.compile(rb"(^|[^A-Za-z0-9_\x80-\xff$])[eE]$")


class Reader:
    """Tells statements apart as the server reads them."""

    def __init__(self):
        self.is_dump = self.is_complete = self.has_begun = False
        self.escapes = False
        self.reset()

    def reset(self):
        # What is left of the line that it ended on counts as the first.
        self.text, self.bare, self.depth, self.at = [], [], 0, max(1, line_number)

    def read(self):
        self.within = None
        while True:
            line = next_line()
            if not line:
                break
            self.scan(line)
        if self.within is not None or b"".join(self.bare).strip():
            stop(4, "The file ends at line %d, within a statement." % line_number)
        if not self.is_complete:
            stop(4, "The file ends at line %d without the words that end every dump." % line_number)

    def scan(self, line):
        position, kept = 0, 0
        while True:
            if self.within is not None:
                position = self.leave(line, position)
                if position < 0:
                    self.text.append(line[kept:])
                    return
            mark = MARKS.search(line, position)
            if mark is None:
                self.bare.append(line[position:])
                self.text.append(line[kept:])
                return
            self.bare.append(line[position:mark.start()])
            position = mark.end()
            sign = mark.group()
            if sign == b"--":
                self.comment(line[mark.start():])
                self.bare.append(b"\n")
                self.text.append(line[kept:mark.start()] + b"\n")
                return
            if sign == b"\\":
                if self.command(line, mark.start()):
                    return
            elif sign == b";":
                if self.ends():
                    self.text.append(line[kept:position])
                    self.finish(line[position:])
                    kept = position
            else:
                self.enter(sign, line, mark.start())
                if self.within is None and sign[:1] == b"$":
                    position = mark.start() + 1

    def enter(self, sign, line, start):
        before = line[:start]
        if sign == b"'":
            self.within = (b"'", self.escapes or ESCAPES.search(before) is not None)
            self.bare.append(b" ")
        elif sign == b'"':
            self.within = (b'"', False)
            self.bare.append(b" ")
        elif sign == b"/*":
            self.within = (b"/*", 1)
        elif sign == b"(":
            self.depth += 1
        elif sign == b")":
            self.depth -= 1
        elif not WORD.search(before):
            self.within = (sign, False)
            self.bare.append(b" ")

    def leave(self, line, position):
        sign, detail = self.within
        if sign == b"/*":
            for mark in NESTED.finditer(line, position):
                detail += 1 if mark.group() == b"/*" else -1
                if detail == 0:
                    self.within = None
                    return mark.end()
            self.within = (sign, detail)
            return -1
        if detail:
            mark = ESCAPED.match(line, position)
            end = -1 if mark is None else mark.end()
        else:
            found = line.find(sign, position)
            end = -1 if found < 0 else found + len(sign)
        if end >= 0:
            self.within = None
        return end

    def comment(self, text):
        if text.startswith(b"-- PostgreSQL database dump complete"):
            self.is_complete = True
        elif text.startswith(b"-- PostgreSQL database dump"):
            self.is_dump = True
        elif text.startswith(b"-- PostgreSQL database cluster dump"):
            stop(6, "It is a dump of a whole server.")

    def ends(self):
        if self.depth > 0:
            return False
        bare = b"".join(self.bare)
        if BODY.match(bare):
            opened = len(re.findall(rb"\b(?:BEGIN|CASE)\b", bare, re.I))
            return opened <= len(re.findall(rb"\bEND\b", bare, re.I))
        return True

    def finish(self, rest):
        if not self.is_dump:
            stop(6, "It does not begin as a dump does.")
        text, bare = b"".join(self.text), b"".join(self.bare)
        if re.match(rb"\s*SET\s+standard_conforming_strings\b", bare, re.I):
            self.escapes = re.search(rb"=\s*off\b|\bTO\s+off\b", bare, re.I) is not None
        if DATA.match(bare) and rest.strip():
            stop(3, "line %d: rows of a table begin on the line of their statement" % line_number)
        if not (LEFT_OUT.match(bare) or SETTING.match(bare) or re.match(rb"\s*SELECT\s+pg_catalog\.set_config\b", bare)):
            self.has_begun = True
        perform(text, bare, self.at)
        self.reset()

    def command(self, line, start):
        """Those that pg_dump writes itself: what guards psql, and the way to the database that the dump has made, which is here already."""
        words = line[start:].split()
        if not line[:start].strip() and not b"".join(self.bare).strip():
            if words[0] in (b"\\restrict", b"\\unrestrict") or words[0] == b"\\connect" and not self.has_begun:
                return self.pass_over()
        stop(5, "line %d: %s" % (line_number, line[start:start + 80].decode("utf-8", "replace").strip()))

    def pass_over(self):
        self.reset()
        self.bare.append(b"\n")
        return True


try:
    start()
except Refused as error:
    stop(2, error.message)
Reader().read()
send(b"X", b"")
`;
