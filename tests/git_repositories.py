"""Repositories of Git made of real files, the same each time, and a way to run git in them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

__all__ = ["git", "make", "odd"]

_NOBODY = {"NAME": "A U Thor", "EMAIL": "author@example.com"}


def environment(at: Path) -> dict[str, str]:
    """What git sees: nothing of whoever runs the tests."""
    names = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in _NOBODY.items()}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(at),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        **names,
    }


def git(at: Path, *arguments: str, data: bytes = b"", fails: bool = False) -> bytes:
    """What git writes in the directory `at`. It must succeed; or fail, if `fails`, and then what it complains of."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=at,
        input=data,
        capture_output=True,
        env=environment(at),
        check=False,
        timeout=300,
    )
    assert (done.returncode != 0) is fails, (arguments, done.returncode, done.stderr[-2000:])
    return done.stderr if fails else done.stdout


def make(folder: Path, name: str, scale: int = 100) -> Path:
    """A bare repository below `folder`: "versions", "project" or "mixed"; `scale` is per cent of its full size."""
    at = folder / f"{name}.git"
    git(folder, "init", "-q", "--bare", "-b", "main", str(at))
    stream = {"versions": _versions, "project": _project, "mixed": _mixed}[name]
    git(at, "fast-import", "--quiet", data=b"".join(_commits(stream(random.Random(name), scale))))
    return at


def odd(folder: Path) -> Path:
    """A bare repository below `folder` of objects that few make, and git takes: all of them reached by refs."""
    at = folder / "odd.git"
    git(folder, "init", "-q", "--bare", "-b", "main", str(at))

    def put(kind: str, data: bytes) -> bytes:
        return git(at, "hash-object", "-t", kind, "-w", "--stdin", "--literally", data=data).strip()

    def tree(*rows: tuple[bytes, bytes, bytes]) -> bytes:
        return put(
            "tree",
            b"".join(b"%b %b\0%b" % (mode, name, bytes.fromhex(id.decode())) for mode, name, id in rows),
        )

    def ref(name: str, id: bytes) -> None:
        git(at, "update-ref", name, id.decode())

    empty, large = put("blob", b""), put("blob", bytes(range(256)) * 5000)
    text = put("blob", "na\u00efve\r\n".encode("latin-1"))
    deep = tree((b"100644", b"x", text))
    for n in range(60):
        deep = tree((b"40000", b"d%d" % n, deep))
    root = tree(
        (b"100644", b"\x01\n\t", empty),
        (b"100755", b"-rf *", large),
        (b"100644", b"\xe9 latin", text),
        (b"100644", b"\xff\xfe", empty),
    )
    mixed = tree(
        (b"100664", b"a", text),
        (b"100644", b"a-b", text),
        (b"100644", b"a.b", text),
        (b"40000", b"a0", root),
        (b"160000", b"module", b"12" * 20),
        (b"40000", b"n" * 250, deep),
        (b"120000", b"nowhere", empty),
    )
    none = tree()
    who = b"A U Thor <author@example.com> 1700000000"

    def commit(body: bytes, tree: bytes = mixed, zone: bytes = b"+0000", message: bytes = b"m\n") -> bytes:
        head = b"tree %b\n" % tree
        rows = b"author %b %b\ncommitter %b -0730\n" % (who, zone, who)
        parents = b"".join(row + b"\n" for row in body.splitlines() if row.startswith(b"parent "))
        rest = b"".join(row + b"\n" for row in body.splitlines() if not row.startswith(b"parent "))
        return put("commit", head + parents + rows + rest + b"\n" + message)

    signed = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQEzBAABCAAdFiEE\n -----END PGP SIGNATURE-----"
    roots = [
        commit(b"", none, message=b""),
        commit(b"encoding ISO-8859-1", message=b"caf\xe9"),
        commit(signed, zone=b"-0000"),
        commit(b"x-own one\n two\n  three\nx-own again", message=b"\n\nlines before\n\n\n"),
        commit(b"encoding no-such-thing", message=b"\xff\xfe\n"),
        commit(b"gpgsig-sha256 x\nmergetag object y\n type commit", zone=b"+1400"),
        commit(b"", message=b"no end of line"),
        commit(b"", message=b"bytes \xc3\x28 that are no text\n"),
    ]
    octopus = commit(b"\n".join(b"parent " + id for id in roots), root)
    merge = commit(b"parent %b\nparent %b\n%b" % (octopus, roots[2], signed))
    ref("refs/heads/main", merge)
    for n, id in enumerate(roots):
        ref(f"refs/heads/root/{n}", id)
    tagger = b"tagger T <t@x> 1700000000 +0000\n\nmessage\n"
    tag = put("tag", b"object %b\ntype commit\ntag one\n" % merge + tagger)
    ref("refs/tags/one", tag)
    ref("refs/tags/of-a-tag", put("tag", b"object %b\ntype tag\ntag of-a-tag\n" % tag + tagger))
    ref("refs/tags/of-a-blob", put("tag", b"object %b\ntype blob\ntag of-a-blob\n" % large + tagger))
    ref("refs/tags/of-a-tree", put("tag", b"object %b\ntype tree\ntag of-a-tree\n" % root + tagger))
    ref("refs/notes/light", roots[1])
    return at


_Change = dict[str, bytes | None]


def _commits(changes: Iterator[_Change]) -> Iterator[bytes]:
    """A stream for `git fast-import`."""
    for n, change in enumerate(changes):
        message = b"change %d\n\nof %d files\n" % (n, len(change))
        yield b"commit refs/heads/main\n"
        yield b"committer A U Thor <author@example.com> %d +0100\n" % (1_600_000_000 + 3600 * n)
        yield b"data %d\n%b\n" % (len(message), message)
        for path, data in change.items():
            if data is None:
                yield f"D {path}\n".encode()
            else:
                mode = "100755" if path.endswith(".sh") else "100644"
                yield f"M {mode} inline {path}\ndata {len(data)}\n".encode() + data + b"\n"


def _sources(limit: int, pattern: str = "*.py") -> list[tuple[str, bytes]]:
    """Files of the standard library, which are wherever Python is."""
    root = Path(sysconfig.get_path("stdlib"))
    found: list[tuple[str, bytes]] = []
    for file in sorted(root.rglob(pattern)):
        parts = file.relative_to(root).parts
        if parts[0] in ("site-packages", "dist-packages", "test") or "__pycache__" in parts:
            continue
        found.append(("/".join(parts), file.read_bytes()))
        if len(found) == limit:
            break
    return found


def _edited(rng: random.Random, data: bytes, pool: list[bytes]) -> bytes:
    """`data` after one to four edits as people make them: lines changed, added, removed, moved, a name replaced."""
    lines = data.splitlines(keepends=True) or [b"\n"]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(lines))
        match rng.randrange(6):
            case 0:
                lines[at] = lines[at].replace(b"self", b"this", 1).rstrip() + b"  # %d\n" % rng.randrange(
                    1000
                )
            case 1:
                lines[at:at] = [rng.choice(pool) for _ in range(rng.randint(1, 12))]
            case 2:
                del lines[at : at + rng.randint(1, 8)]
                lines = lines or [b"\n"]
            case 3:
                lines[at:at] = [b"def added_%d(value):\n" % rng.randrange(9999), b"    return value\n", b"\n"]
            case 4:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                lines[at] = lines[at][: len(lines[at]) // 2] + b"%x\n" % rng.getrandbits(40)
    return b"".join(lines)


def _versions(rng: random.Random, scale: int) -> Iterator[_Change]:
    """Twenty large modules with hundreds of versions each, as in a library that is worked on."""
    files = dict(sorted(_sources(400), key=lambda row: -len(row[1]))[:20])
    pool = [line for data in files.values() for line in data.splitlines(keepends=True)]
    yield dict(files)
    for _ in range(4 * scale):
        paths = rng.sample(sorted(files), rng.randint(1, 3))
        for path in paths:
            files[path] = _edited(rng, files[path], pool)
        yield {path: files[path] for path in paths}


def _project(rng: random.Random, scale: int) -> Iterator[_Change]:
    """Many small files in a deep tree, thousands of commits, renames and removals."""
    files = {f"src/{path[:-3]}.d/{path}": data[:6000] for path, data in _sources(5 * scale)}
    pool = [line for data in files.values() for line in data.splitlines(keepends=True)][:20000]
    yield dict(files)
    for n in range(15 * scale):
        path = rng.choice(sorted(files))
        change: _Change = {}
        if n % 11 == 0:
            change[path] = None
            new = path.replace("src/", f"src/moved{n % 5}/", 1)
            files[new] = change[new] = files.pop(path)
        else:
            files[path] = change[path] = _edited(rng, files[path], pool)
        yield change


def _mixed(rng: random.Random, scale: int) -> Iterator[_Change]:
    """Tables that grow, one-line JSON, compiled modules, executables and text in one repository."""
    sources = _sources(scale)
    rows = [b"id;name;value\n"] + [
        b"%d;name %d;%d\n" % (i, i % 97, rng.getrandbits(30)) for i in range(20 * scale)
    ]
    state = {f"k{i}": rng.getrandbits(64) for i in range(5 * scale)}
    binaries = [compile(data, path, "exec").co_code for path, data in sources if len(data) < 60000]
    pool = [line for _, data in sources for line in data.splitlines(keepends=True)]
    texts = dict(sources)
    yield {**texts, "run.sh": b"#!/bin/sh\nexec python -m x\n"}
    for n in range(3 * scale):
        change: _Change = {}
        for _ in range(5):
            rows[rng.randrange(1, len(rows))] = b"%d;changed;%d\n" % (n, rng.getrandbits(30))
        rows.append(b"%d;new;%d\n" % (len(rows), rng.getrandbits(30)))
        state[f"k{rng.randrange(5 * scale)}"] = n
        if n % 3 == 0:
            change["data/table.csv"] = b"".join(rows)
        if n % 3 == 1:
            change["data/state.json"] = repr(state).replace("'", '"').encode()
        if n % 7 == 0 and binaries:
            binary = bytearray(rng.choice(binaries))
            binary[len(binary) // 2 : len(binary) // 2] = rng.randbytes(16)
            change[f"bin/{n % 9}.bin"] = bytes(binary)
        path = rng.choice(sorted(texts))
        texts[path] = change[path] = _edited(rng, texts[path], pool)
        yield change


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 100))
