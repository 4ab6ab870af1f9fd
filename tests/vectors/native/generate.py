"""Writes the vectors of the native format, from a sketch of it that shares no code with irminpy.

    python tests/vectors/native/generate.py            write all files again
    python tests/vectors/native/generate.py --check    exit with 1 and say which files would change

The sketch follows docs/formats/native.md and nothing else: it writes and reads MessagePack by hand, rebuilds
a directory as a whole for every edit, and its only import beside the standard library is the BLAKE3 function.
It is slow and short on purpose. What it and irminpy agree on is likely what the document says.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

from blake3 import blake3

HERE = Path(__file__).parent
HashOf: TypeAlias = Callable[[bytes], bytes]
# step to (kind, hash, metadata); metadata is empty but for kind 2
Entries: TypeAlias = dict[str, tuple[int, bytes, bytes]]


def b3(data: bytes) -> bytes:
    return blake3(data).digest()


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


HASHES: dict[str, HashOf] = {"blake3-256": b3, "sha256": sha256}


# --- MessagePack ----------------------------------------------------------------------------------


def pack(item: Any) -> bytes:
    """The shortest form of a list, str, bytes or int: all that objects are made of."""
    if type(item) is list:
        return _head(len(item), 0x90, 15, None, 0xDC, 0xDD) + b"".join(map(pack, item))
    if type(item) is str:
        text = item.encode()
        return _head(len(text), 0xA0, 31, 0xD9, 0xDA, 0xDB) + text
    if type(item) is bytes:
        return _head(len(item), None, -1, 0xC4, 0xC5, 0xC6) + item
    if type(item) is int:
        return _pack_int(item)
    raise TypeError(type(item))


def _head(n: int, fix: int | None, most: int, one: int | None, two: int, four: int) -> bytes:
    if fix is not None and n <= most:
        return bytes([fix | n])
    if one is not None and n < 1 << 8:
        return bytes([one, n])
    return bytes([two]) + n.to_bytes(2, "big") if n < 1 << 16 else bytes([four]) + n.to_bytes(4, "big")


def _pack_int(n: int) -> bytes:
    if n >= 0:
        if n < 128:
            return bytes([n])
        for code, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
            if n < 1 << (8 * size):
                return bytes([code]) + n.to_bytes(size, "big")
    else:
        if n >= -32:
            return bytes([256 + n])
        for code, size in ((0xD0, 1), (0xD1, 2), (0xD2, 4), (0xD3, 8)):
            if n >= -(1 << (8 * size - 1)):
                return bytes([code]) + n.to_bytes(size, "big", signed=True)
    raise OverflowError(n)


class Refused(Exception):
    """The bytes are no object."""


def unpack(data: bytes) -> Any:
    """The item that `data` is the only legal spelling of."""
    item, at = _unpack(data, 0, 0)
    if at != len(data):
        raise Refused("trailing bytes")
    return item


def _take(data: bytes, at: int, n: int) -> tuple[bytes, int]:
    if at + n > len(data):
        raise Refused("truncated")
    return data[at : at + n], at + n


def _unpack(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    head, at = _take(data, at, 1)
    code = head[0]
    if code < 0x80:
        return code, at
    if code >= 0xE0:
        return code - 256, at
    sizes = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
    sizes |= {0xD9: 1, 0xDA: 2, 0xDB: 4, 0xC4: 1, 0xC5: 2, 0xC6: 4, 0xDC: 2, 0xDD: 4}
    if 0x90 <= code < 0xA0:
        n, family, spelled = code & 15, "array", b""
    elif 0xA0 <= code < 0xC0:
        n, family, spelled = code & 31, "str", b""
    elif code in sizes:
        spelled, at = _take(data, at, sizes[code])
        signed = 0xD0 <= code <= 0xD3
        n = int.from_bytes(spelled, "big", signed=signed)
        family = "int" if code in range(0xCC, 0xD4) else "str" if code in (0xD9, 0xDA, 0xDB) else "array"
        family = "bin" if code in (0xC4, 0xC5, 0xC6) else family
    else:
        raise Refused("nil, bool, float, map or ext")
    item: Any
    if family == "int":
        if pack(n) != head + spelled:
            raise Refused("not the shortest integer")
        return n, at
    if family == "array":
        if depth == 2 or _head(n, 0x90, 15, None, 0xDC, 0xDD) != head + spelled:
            raise Refused("not the shortest array, or too deep")
        item = []
        for _ in range(n):
            below, at = _unpack(data, at, depth + 1)
            item.append(below)
        return item, at
    raw, at = _take(data, at, n)
    try:
        item = raw if family == "bin" else raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("no UTF-8") from None
    if pack(item) != head + spelled + raw:
        raise Refused("not the shortest header")
    return item, at


# --- Directories ----------------------------------------------------------------------------------


class Shape:
    """Directories under one hash, fan-out and leaf limit; `objects` collects what they are made of."""

    def __init__(self, fanout: int = 16, leaf: int = 32, hash: HashOf = b3) -> None:
        self.fanout, self.leaf, self.hash = fanout, leaf, hash
        self.width = {2**w: w for w in range(1, 9)}[fanout]
        self.levels = 256 // self.width
        self.empty = hash(b"N" + pack([[], b"", b""]))
        self.objects: dict[bytes, bytes] = {}

    def digit(self, step: str, depth: int) -> int:
        bits = "".join(f"{byte:08b}" for byte in self.hash(step.encode()))
        return int(bits[depth * self.width : (depth + 1) * self.width], 2)

    def put(self, data: bytes) -> bytes:
        self.objects[self.hash(data)] = data
        return self.hash(data)

    def contents(self, data: bytes) -> bytes:
        return self.hash(b"B" + data)

    def root(self, entries: Entries) -> bytes:
        return self._shape(entries, 0)

    def _parts(self, entries: Entries, depth: int) -> dict[int, Entries]:
        parts: dict[int, Entries] = {}
        for step, entry in entries.items():
            parts.setdefault(self.digit(step, depth), {})[step] = entry
        return {digit: parts[digit] for digit in sorted(parts)}

    def _shape(self, entries: Entries, depth: int) -> bytes:
        if len(entries) <= self.leaf:
            steps = sorted(entries, key=str.encode)
            row: list[Any] = [steps, bytes(entries[s][0] for s in steps)]
            row.append(b"".join(entries[s][1] for s in steps))
            metadata = [entries[s][2] for s in steps if entries[s][0] == 2]
            return self.put(b"N" + pack([*row, metadata] if metadata else row))
        parts = self._parts(entries, depth)
        row = [self.fanout, self.leaf, depth, bytes(parts), [len(part) for part in parts.values()]]
        return self.put(b"I" + pack([*row, b"".join(self._shape(p, depth + 1) for p in parts.values())]))

    def order(self, entries: Entries, depth: int = 0) -> list[str]:
        if len(entries) <= self.leaf:
            return sorted(entries, key=str.encode)
        return [s for part in self._parts(entries, depth).values() for s in self.order(part, depth + 1)]

    # The reading side: every rule that one object can break by itself.

    def check_directory(self, data: bytes) -> None:
        if data[:1] == b"N":
            self._check_node(unpack(data[1:]))
        elif data[:1] == b"I":
            self._check_inode(unpack(data[1:]))
        else:
            raise Refused("domain byte")

    def _check_node(self, row: Any) -> None:
        _need(type(row) is list and len(row) in (3, 4), "array of 3 or 4")
        steps, kinds, hashes = row[:3]
        _need(type(steps) is list and type(kinds) is bytes and type(hashes) is bytes, "types")
        n = len(steps)
        _need(n <= self.leaf and len(kinds) == n and len(hashes) == 32 * n, "lengths")
        _need(all(type(step) is str for step in steps), "steps are str")
        raw = [step.encode() for step in steps]
        _need(all(a < b for a, b in pairwise(raw)), "ascending")
        _need(all(1 <= len(s) <= 4096 and b"/" not in s and b"\0" not in s for s in raw), "steps")
        _need(all(kind <= 2 for kind in kinds), "kinds")
        _need((len(row) == 4) == (2 in kinds), "metadata column")
        if len(row) == 4:
            _need(type(row[3]) is list and len(row[3]) == kinds.count(2), "metadata")
            _need(all(type(item) is bytes for item in row[3]), "metadata")
        _need(all(kinds[i] or hashes[32 * i : 32 * i + 32] != self.empty for i in range(n)), "empty child")

    def _check_inode(self, row: Any) -> None:
        _need(type(row) is list and len(row) == 6, "array of 6")
        fanout, leaf, depth, buckets, counts, hashes = row
        _need(fanout == self.fanout and leaf == self.leaf, "parameters")
        _need(type(depth) is int and 0 <= depth < self.levels, "depth")
        _need(type(buckets) is bytes and type(counts) is list and type(hashes) is bytes, "types")
        k = len(buckets)
        _need(k >= 1 and len(counts) == k and len(hashes) == 32 * k, "lengths")
        _need(all(a < b for a, b in pairwise(buckets)), "ascending")
        _need(buckets[-1] < self.fanout, "digit")
        _need(all(type(count) is int and count >= 1 for count in counts), "counts")
        _need(self.leaf < sum(counts) < 1 << 63, "sum")
        _need(all(hashes[32 * i : 32 * i + 32] != self.empty for i in range(k)), "empty bucket")


def _need(holds: bool, rule: str) -> None:
    if not holds:
        raise Refused(rule)


def check_commit(data: bytes) -> None:
    _need(len(data) <= 16 * 1024 * 1024 and data[:1] == b"C", "size or domain byte")
    row = unpack(data[1:])
    _need(type(row) is list and len(row) in (5, 6), "array of 5 or 6")
    node, parents, date, author, message = row[:5]
    _need(type(node) is bytes and len(node) == 32, "node")
    _need(type(parents) is bytes and len(parents) % 32 == 0, "parents")
    each = [parents[i : i + 32] for i in range(0, len(parents), 32)]
    _need(len(each) <= 65535 and len(set(each)) == len(each), "parents")
    _need(type(date) is int and -(1 << 63) <= date < 1 << 63, "date")
    _need(type(author) is str and type(message) is str, "texts")
    if len(row) == 6:
        extra = row[5]
        _need(type(extra) is list and bool(extra) and len(extra) % 2 == 0, "extra")
        _need(all(type(k) is str and k for k in extra[::2]), "keys of extra")
        _need(all(type(v) is bytes for v in extra[1::2]), "values of extra")
        keys = [key.encode() for key in extra[::2]]
        _need(all(a < b for a, b in pairwise(keys)), "keys of extra")


def commit(node: bytes, parents: list[bytes], date: int, author: str, message: str, extra: Any) -> bytes:
    row: list[Any] = [node, b"".join(parents), date, author, message]
    if extra:
        row.append([part for key in sorted(extra, key=str.encode) for part in (key, extra[key])])
    return b"C" + pack(row)


# --- Contents -------------------------------------------------------------------------------------


def json_text(value: Any) -> str:
    if value is None or type(value) is bool:
        return {None: "null", True: "true", False: "false"}[value]
    if type(value) is int:
        return str(value)
    if type(value) is float:
        return _float_text(value)
    if type(value) is str:
        return _json_string(value)
    if type(value) is list:
        return "[" + ",".join(map(json_text, value)) + "]"
    keys = sorted(value, key=str.encode)
    return "{" + ",".join(f"{_json_string(key)}:{json_text(value[key])}" for key in keys) + "}"


def _json_string(text: str) -> str:
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(short.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def _float_text(value: float) -> str:
    # The shortest digits that read back, d.ddd * 10^e; with a point for -4 <= e < 16, else with an exponent.
    sign, value = ("-", -value) if struct.pack(">d", value)[0] & 128 else ("", value)
    digits, e = "0", 0
    if value:
        for n in range(17):
            mantissa, _, exponent = f"{value:.{n}e}".partition("e")
            if float(f"{mantissa}e{exponent}") == value:
                break
        digits, e = mantissa.replace(".", ""), int(exponent)
    if -4 <= e < 0:
        return f"{sign}0.{'0' * (-e - 1)}{digits}"
    if 0 <= e < 16:
        digits = digits.ljust(e + 2, "0")
        return f"{sign}{digits[: e + 1]}.{digits[e + 1 :]}"
    point = "." if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}{digits[1:]}e{'-' if e < 0 else '+'}{abs(e):02d}"


def msgpack_bytes(value: Any) -> bytes:
    if value is None or type(value) is bool:
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if type(value) is float:
        return b"\xcb" + struct.pack(">d", value)
    if type(value) is list:
        return _head(len(value), 0x90, 15, None, 0xDC, 0xDD) + b"".join(map(msgpack_bytes, value))
    if type(value) is dict:
        rank = {int: 0, str: 1, bytes: 2}
        keys = sorted(value, key=lambda k: (rank[type(k)], k.encode() if type(k) is str else k))
        pairs = [msgpack_bytes(key) + msgpack_bytes(value[key]) for key in keys]
        return _head(len(value), 0x80, 15, None, 0xDE, 0xDF) + b"".join(pairs)
    return pack(value)


ENCODE: dict[str, Callable[[Any], bytes]] = {
    "bytes": lambda value: value,
    "string/1": lambda value: value.encode(),
    "json/1": lambda value: json_text(value).encode(),
    "json-object/1": lambda value: json_text(value).encode(),
    "msgpack/1": msgpack_bytes,
    "counter/1": lambda value: value.to_bytes(8, "big", signed=True),
}


def tagged(value: Any) -> Any:
    """`value` in JSON that keeps every type apart."""
    if value is None:
        return ["nil"]
    if type(value) is bool:
        return ["bool", value]
    if type(value) is int:
        return ["int", str(value)]
    if type(value) is float:
        return ["float", struct.pack(">d", value).hex()]
    if type(value) is str:
        return ["str", value]
    if type(value) is bytes:
        return ["bin", value.hex()]
    if type(value) is list:
        return ["list", [tagged(item) for item in value]]
    return ["map", [[tagged(key), tagged(below)] for key, below in value.items()]]


# --- The files ------------------------------------------------------------------------------------


def bindings(shape: Shape, n: int, prefix: str = "k") -> Entries:
    return {f"{prefix}{i}": (1, shape.contents(b"v%d" % i), b"") for i in range(n)}


def first() -> Any:
    shape, small = Shape(), Shape(2, 2)
    thirty_three = shape.root(bindings(shape, 33))
    empty_commit = commit(shape.empty, [], 0, "", "", {})
    rows = {
        "contents of no bytes": shape.contents(b""),
        "the empty directory": shape.empty,
        "k0 to k31": shape.root(bindings(shape, 32)),
        "k0 to k32": thirty_three,
        "k0 to k2, fan-out 2, leaf limit 2": small.root(bindings(small, 3)),
        "commit of the empty directory, no parents, date 0, empty author and message": b3(empty_commit),
        "identity of the default schema": b3(
            b"S" + pack(["native", 1, "blake3-256", 16, 32, "bytes", "none", b""])
        ),
    }
    return {
        "hashes": {name: hash.hex() for name, hash in rows.items()},
        "bytes of the object of k0 to k32": len(shape.objects[thirty_three]),
    }


def contents() -> Any:
    texts = [
        "",
        "a",
        "é",
        "e\u0301",
        "日本",
        "\U0001f600",
        "a\0b",
        "\ufffd",
        '"\\/\b\f\n\r\t\x01\x1f\x7f\u2028',
    ]
    floats = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        0.1,
        1e-4,
        1.5e-5,
        123456.789,
        1e15,
        1e16,
        1.25e22,
        5e-324,
        1.7976931348623157e308,
    ]
    floats += [9007199254740993.0, 1e-7, 0.1 + 0.2, 2.0**70, 9999999999999998.0]
    scalars: list[Any] = [None, True, False, 0, -1, 1, 2**53 + 1, -(2**63), 2**64, 10**40, *floats, *texts]
    nested = {
        "b": [1, 1.0, True, None],
        "a": {"z": {}, "": []},
        "é": "x",
        "B": -0.0,
        "\U0001f600": 1,
        "\uffff": 2,
    }
    ints = [0, 1, 31, 32, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63, 2**64 - 1]
    ints += [-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**63)]
    blobs = [b"", b"\0", b"v0", bytes(range(256)), b"x" * 65536]
    sized = ["s" * n for n in (31, 32, 255, 256, 65535, 65536)] + [b"b" * n for n in (255, 256, 65535, 65536)]
    listed = [[0] * n for n in (15, 16, 65535, 65536)] + [dict.fromkeys(range(n)) for n in (15, 16)]
    mixed = {"b": 1, "a": 2, b"a": 3, 5: 4, -1: 5, 200: 6, "é": {b"": [[]]}, "\U0001f600": 0, "\uffff": 0}
    infinite = [float("inf"), float("-inf")]
    values: dict[str, list[Any]] = {
        "bytes": blobs,
        "string/1": texts,
        "json/1": [*scalars, [], {}, [[]], nested, [None] * 3],
        "json-object/1": [{}, {"a": 1}, nested],
        "msgpack/1": [
            None,
            True,
            False,
            *ints,
            *floats,
            *infinite,
            *texts,
            *blobs[:4],
            *sized,
            *listed,
            mixed,
            [],
            {},
        ],
        "counter/1": [0, 1, -1, 2**63 - 1, -(2**63), 1000],
    }
    rows = []
    for kind, items in values.items():
        for value in items:
            data = ENCODE[kind](value)
            row: dict[str, Any] = {"type": kind, "hash": b3(b"B" + data).hex()}
            # What is long says so by its length; the hash tells the rest.
            if len(data) <= 1024:
                row |= {"value": tagged(value), "bytes": data.hex()}
            else:
                head = value[:1] if type(value) is not bytes else bytes(value[:1])
                repeated = not (type(value) is bytes and value == bytes(range(256)))
                assert repeated
                assert type(value) in (str, bytes, list)
                row |= {"repeated": tagged(head), "times": len(value), "size": len(data)}
            rows.append(row)
    return {"contents": rows}


def directory(
    name: str, shape: Shape, entries: Entries, generated: int | None = None, full: bool = True
) -> Any:
    """One case: the entries, the root, every object, listing order and some pages."""
    shape.objects.clear()
    root = shape.root(entries)
    order = shape.order(entries)
    case: dict[str, Any] = {"name": name, "fanout": shape.fanout, "leaf": shape.leaf}
    case["hash"] = next(known for known, of in HASHES.items() if of is shape.hash)
    if generated is None:
        case["entries"] = [[s, kind, hash.hex(), meta.hex()] for s, (kind, hash, meta) in entries.items()]
    else:
        case["generated"] = generated
    case |= {"root": root.hex(), "length": len(entries)}
    for data in shape.objects.values():
        shape.check_directory(data)
    if full:
        case["objects"] = {hash.hex(): data.hex() for hash, data in shape.objects.items()}
    else:
        case["objects"] = sorted(hash.hex() for hash in shape.objects)
    case["order"] = order
    n = len(order)
    spans = [(0, 1), (0, n), (n // 2, 5), (max(0, n - 3), 10), (n, 1)]
    case["pages"] = [[offset, length, order[offset : offset + length][:10]] for offset, length in spans]
    return case


def nodes() -> Any:
    cases = []
    for n in (0, 1, 2, 31, 32, 33, 100, 1000):
        shape = Shape()
        cases.append(directory(f"{n} entries", shape, bindings(shape, n), n, full=n <= 100))
    shape = Shape()
    c, d = shape.contents(b"x"), shape.root(bindings(shape, 2))
    cases += [
        directory("all kinds", shape, {"c": (1, c, b""), "a": (0, d, b""), "b": (2, c, b"\x01")}),
        directory("metadata twice", shape, {"b": (2, c, b""), "a": (2, c, b"\xff" * 300), "c": (1, c, b"")}),
        directory("empty metadata of an entry", shape, {"a": (2, c, b"")}),
        directory(
            "unicode steps",
            shape,
            dict.fromkeys(["é", "é", "z", "Z", "😀", "\uffff", " ", ".", "..", "\x01", "日本"], (1, c, b"")),
        ),
        directory("a step of 4096 bytes", shape, {"é" * 2048: (1, c, b""), "a" * 4096: (1, c, b"")}),
        directory("steps around header sizes", shape, {"s" * n: (1, c, b"") for n in (31, 32, 255, 256)}),
        directory(
            "metadata in a large directory",
            shape,
            {f"k{i}": ((1, c, b""), (2, c, b"m%d" % i), (0, d, b""))[i % 3] for i in range(40)},
        ),
    ]
    sha = Shape(hash=sha256)
    cases.append(directory("another hash of 32 bytes", sha, bindings(sha, 40), 40))
    return {"directories": cases}


def inodes() -> Any:
    cases = []
    parameters = [(16, 32), (2, 2), (4, 3), (256, 256), (32, 5), (8, 2), (64, 7), (128, 2), (16, 2), (2, 256)]
    for fanout, leaf in parameters:
        for n in sorted({3, leaf, leaf + 1, 4 * leaf + 3, 300}):
            shape = Shape(fanout, leaf)
            cases.append(directory(f"{n} entries", shape, bindings(shape, n), n, full=n <= 30))
    return {"directories": cases}


def digits() -> Any:
    rows = []
    for step in ["a", "k0", "é", "日本", "x" * 4096]:
        row: dict[str, Any] = {"step": step, "hash": b3(step.encode()).hex(), "digits": {}}
        for fanout in (2, 4, 8, 16, 32, 64, 128, 256):
            shape = Shape(fanout, 2)
            row["digits"][str(fanout)] = [shape.digit(step, depth) for depth in range(shape.levels)]
        rows.append(row)
    return {"digits": rows}


def nested() -> Any:
    shape = Shape()
    paths = {"a/b/c": b"1", "a/b/d": b"2", "a/e": b"3", "f": b"", "g/h/i/j/k": b"deep", "é/ü": b"u"}
    paths |= {f"many/k{i}": b"v%d" % i for i in range(33)} | {
        f"many/deep/k{i}": b"v%d" % i for i in range(40)
    }

    def build(below: dict[tuple[str, ...], bytes]) -> bytes:
        parts: dict[str, dict[tuple[str, ...], bytes]] = {}
        for path, data in below.items():
            parts.setdefault(path[0], {})[path[1:]] = data
        return shape.root(
            {
                step: (1, shape.contents(part[()]), b"") if () in part else (0, build(part), b"")
                for step, part in parts.items()
            }
        )

    root = build({tuple(path.split("/")): data for path, data in paths.items()})
    return {
        "paths": {path: data.hex() for path, data in paths.items()},
        "root": root.hex(),
        "objects": {hash.hex(): data.hex() for hash, data in shape.objects.items()},
    }


def edits() -> Any:
    cases = []
    for fanout, leaf, n in [(16, 32, 36), (2, 2, 9), (4, 3, 12), (256, 256, 258), (32, 5, 12)]:
        shape = Shape(fanout, leaf)
        entries: Entries = {}
        states = []
        everything = bindings(shape, n)
        start = max(0, leaf - 2) if leaf > 8 else 0
        for i in range(start):
            entries[f"k{i}"] = everything[f"k{i}"]
        adding = list(range(start, n))
        moves = [("add", i) for i in adding] + [("remove", (7 * i) % n) for i in range(n) if n % 7]
        for move, i in moves:
            if move == "add":
                entries[f"k{i}"] = everything[f"k{i}"]
            else:
                del entries[f"k{i}"]
            states.append([move, f"k{i}", shape.root(entries).hex(), len(entries)])
        cases.append({"fanout": fanout, "leaf": leaf, "start": start, "edits": states})
    return {"sequences": cases}


def commits() -> Any:
    shape = Shape()
    e, other = shape.empty, shape.root(bindings(shape, 3))
    p = [b3(b"C%d" % i) for i in range(40)]
    rows: list[tuple[str, bytes, list[bytes], int, str, str, dict[str, bytes]]] = [
        ("of the empty directory", e, [], 0, "", "", {}),
        ("one parent", other, p[:1], 1, "a", "b", {}),
        ("parents keep their order", other, [p[2], p[0], p[1]], 1700000000, "A <a@b>", "merge\n", {}),
        ("many parents", other, p, 1, "", "", {}),
        ("dates before 1970", other, [], -1, "", "", {}),
        ("the earliest date", other, [], -(1 << 63), "", "", {}),
        ("the latest date", other, [], (1 << 63) - 1, "", "", {}),
        ("unicode, not normalised", other, p[:1], 5, "e\u0301\u00e9", "日本\0\U0001f600", {}),
        ("a long message", other, p[:1], 5, "a" * 32, "m" * 300, {}),
        ("extra", other, p[:1], 5, "a", "b", {"signature": b"\x01" * 64}),
        (
            "extra is sorted by bytes",
            other,
            [],
            5,
            "a",
            "b",
            {"é": b"", "z": b"1", "\U0001f600": b"3", "\uffff": b"2"},
        ),
        ("extra of eight keys", other, [], 5, "", "", {f"k{i}": b"v" * i for i in range(8)}),
    ]
    out = []
    for name, node, parents, date, author, message, extra in rows:
        data = commit(node, parents, date, author, message, extra)
        check_commit(data)
        row: dict[str, Any] = {"name": name, "node": node.hex(), "parents": [q.hex() for q in parents]}
        row |= {"date": str(date), "author": author, "message": message}
        row |= {
            "extra": {key: value.hex() for key, value in extra.items()},
            "bytes": data.hex(),
            "hash": b3(data).hex(),
        }
        out.append(row)
    return {"commits": out}


def schemas() -> Any:
    rows = []
    cases: list[tuple[str, str, list[int], str, str, bytes]] = [
        ("native", "blake3-256", [16, 32], "bytes", "none", b""),
        *[("native", "blake3-256", [16, 32], id, "none", b"") for id in list(ENCODE)[1:]],
        ("native", "sha256", [16, 32], "bytes", "none", b""),
        ("native", "blake2b-256", [16, 32], "json/1", "none", b""),
        ("native", "blake3-256", [2, 2], "bytes", "none", b""),
        ("native", "blake3-256", [256, 256], "string/1", "none", b""),
        ("native", "blake3-256", [32, 5], "invoice/7", "mode/1", b"\x01\xa4"),
        ("native", "mine-256", [16, 32], "größe/1", "none", b""),
        ("native-flat", "blake3-256", [], "bytes", "none", b""),
    ]
    hashes = HASHES | {
        "blake2b-256": lambda d: hashlib.blake2b(d, digest_size=32).digest(),
        "mine-256": sha256,
    }
    for format, name, parameters, contents, metadata, default in cases:
        data = pack([format, 1, name, *parameters, contents, metadata, default])
        row: dict[str, Any] = {"format": format, "version": 1, "hash": name, "parameters": parameters}
        row |= {"contents": contents, "metadata": metadata, "default": default.hex()}
        row |= {"bytes": "53" + data.hex(), "identity": hashes[name](b"S" + data).hex()}
        rows.append(row)
    note = "the hash mine-256 is SHA-256 under a name of the caller's"
    return {"note": note, "schemas": rows}


def refused() -> Any:
    """Bytes that look like objects and are none, with the rule they break."""
    rows: list[dict[str, Any]] = []
    shape = Shape(4, 3)
    h = [b3(b"h%d" % i) for i in range(8)]

    def directory(rule: str, data: bytes) -> None:
        try:
            shape.check_directory(data)
        except Refused:
            rows.append({"what": "directory", "fanout": 4, "leaf": 3, "bytes": data.hex(), "rule": rule})
        else:
            raise AssertionError(rule)

    def node(rule: str, *row: Any) -> None:
        directory(rule, b"N" + pack(list(row)))

    def inode(rule: str, *row: Any) -> None:
        directory(rule, b"I" + pack(list(row)))

    def bad_commit(rule: str, data: bytes) -> None:
        try:
            check_commit(data)
        except Refused:
            rows.append({"what": "commit", "bytes": data.hex(), "rule": rule})
        else:
            raise AssertionError(rule)

    good = b"N" + pack([["a", "b"], b"\1\0", h[0] + h[1]])
    shape.check_directory(good)
    directory("domain", b"")
    directory("domain", good[1:])
    for domain in b"BCSXn\0":
        directory("domain", bytes([domain]) + good[1:])
    directory("truncated", b"N")
    directory("truncated", b"I")
    for end in (2, 3, 5, 10, len(good) - 1):
        directory("truncated", good[:end])
    directory("trailing", good + b"\0")
    directory("trailing", good + b"\xc0")
    directory("trailing", good + good)
    for item in (
        b"\xc0",
        b"\xc2",
        b"\x01",
        b"\xa1a",
        b"\xc4\0",
        b"\x80",
        b"\xca\0\0\0\0",
        b"\xd4\0\0",
        b"\xc1",
    ):
        directory("not an array", b"N" + item)
    node("array length", ["a"], b"\1")
    node("array length")
    node("array length", ["a"], b"\1", h[0], [], [])
    node("type", b"", b"", b"")
    node("type", [], "", b"")
    node("type", [], b"", "")
    node("type", [], [], b"")
    node("type", [1], b"\1", h[0])
    node("type", [b"a"], b"\1", h[0])
    node("type", [["a"]], b"\1", h[0])
    node("limit", ["a", "b", "c", "d"], b"\1\1\1\1", b"".join(h[:4]))
    node("columns", ["a"], b"", h[0])
    node("columns", ["a"], b"\1\1", h[0])
    node("columns", ["a"], b"\1", b"")
    node("columns", ["a"], b"\1", h[0][:31])
    node("columns", ["a"], b"\1", h[0] + b"\0")
    node("columns", [], b"", h[0])
    node("order", ["b", "a"], b"\1\1", h[0] + h[1])
    node("order", ["a", "a"], b"\1\1", h[0] + h[0])
    node("order", ["\U0001f600", "\uffff"], b"\1\1", h[0] + h[1])
    for step in ("", "a/b", "/", "a\0", "\0", "a" * 4097, "é" * 2048 + "a"):
        node("step", [step], b"\1", h[0])
    node("kind", ["a"], b"\3", h[0])
    node("kind", ["a"], b"\xff", h[0])
    node("metadata", ["a"], b"\2", h[0])
    node("metadata", ["a"], b"\2", h[0], [])
    node("metadata", ["a"], b"\2", h[0], [b"", b""])
    node("metadata", ["a"], b"\1", h[0], [])
    node("metadata", ["a"], b"\1", h[0], [b""])
    node("metadata", [], b"", b"", [])
    node("metadata", ["a"], b"\2", h[0], ["m"])
    node("metadata", ["a"], b"\2", h[0], b"m")
    node("empty directory", ["a"], b"\0", shape.empty)
    node("empty directory", ["a", "b"], b"\1\0", h[0] + shape.empty)
    tail = pack(b"\1") + pack(h[0])
    for rule, steps in (
        ("utf-8", b"\x91\xa1\xff"),
        ("utf-8", b"\x91\xa2\xc0\xaf"),
        ("utf-8", b"\x91\xa3\xed\xa0\x80"),
        ("utf-8", b"\x91\xa2\xc3"),
        ("shortest", b"\x91\xd9\x01a"),
        ("shortest", b"\x91\xda\0\x01a"),
        ("shortest", b"\x91\xdb\0\0\0\x01a"),
        ("shortest", b"\xdc\0\x01\xa1a"),
        ("shortest", b"\xdd\0\0\0\x01\xa1a"),
        ("type", b"\x91\xc0"),
        ("type", b"\x91\xc3"),
        ("type", b"\x81\xa1a\xc0"),
        ("truncated", b"\xdd\xff\xff\xff\xff"),
        ("truncated", b"\x91\xdb\xff\xff\xff\xff"),
    ):
        directory(rule, b"N\x93" + steps + tail)
    directory("shortest", b"N\xdc\0\x03" + pack(["a"]) + tail)
    directory("shortest", b"N\x93" + pack(["a"]) + b"\xc5\0\x01\1" + pack(h[0]))
    directory("shortest", b"N\x93" + pack(["a"]) + pack(b"\1") + b"\xc6\0\0\0\x20" + h[0])
    directory("truncated", b"N\x93" + pack(["a"]) + pack(b"\1") + b"\xc6\xff\xff\xff\xff")
    directory("truncated", b"N\xdd\xff\xff\xff\xff")
    directory("truncated", b"N\xdf\xff\xff\xff\xff")
    directory("nesting", b"N" + b"\x91" * 300 + b"\xc0")
    directory("nesting", b"N" + b"\x91" * 5000)
    directory("ext", b"N\x93" + b"\xd6\xff\0\0\0\0" + tail)

    ok = (4, 3, 0, b"\0\2", [2, 2], h[0] + h[1])
    shape.check_directory(b"I" + pack(list(ok)))
    inode("array length", *ok[:5])
    inode("array length", *ok, [])
    inode("parameters", 16, *ok[1:])
    inode("parameters", 4, 4, *ok[2:])
    inode("depth", 4, 3, 128, *ok[3:])
    inode("depth", 4, 3, -1, *ok[3:])
    inode("type", 4, 3, "0", *ok[3:])
    inode("type", 4, 3, 0, [0, 2], *ok[4:])
    inode("type", 4, 3, 0, b"\0\2", b"\2\2", h[0] + h[1])
    inode("type", 4, 3, 0, b"\0\2", ["2", 2], h[0] + h[1])
    inode("columns", 4, 3, 0, b"", [], b"")
    inode("columns", 4, 3, 0, b"\0", [2, 2], h[0] + h[1])
    inode("columns", 4, 3, 0, b"\0\2", [4], h[0] + h[1])
    inode("columns", 4, 3, 0, b"\0\2", [2, 2], h[0])
    inode("order", 4, 3, 0, b"\2\0", [2, 2], h[0] + h[1])
    inode("order", 4, 3, 0, b"\2\2", [2, 2], h[0] + h[1])
    inode("digit", 4, 3, 0, b"\0\4", [2, 2], h[0] + h[1])
    inode("count", 4, 3, 0, b"\0\2", [4, 0], h[0] + h[1])
    inode("count", 4, 3, 0, b"\0\2", [5, -1], h[0] + h[1])
    inode("count", 4, 3, 0, b"\0\2", [1, 2], h[0] + h[1])
    inode("count", 4, 3, 0, b"\0\2", [1 << 62, 1 << 62], h[0] + h[1])
    inode("count", 4, 3, 0, b"\0\2", [(1 << 64) - 1, 1], h[0] + h[1])
    inode("empty bucket", 4, 3, 0, b"\0\2", [2, 2], h[0] + shape.empty)
    head = b"I\x96\x04\x03"
    rest = pack(b"\0\2") + pack([2, 2]) + pack(h[0] + h[1])
    for rule, depth in (
        ("shortest", b"\xcc\0"),
        ("shortest", b"\xd0\0"),
        ("type", b"\xc2"),
        ("type", b"\xca\0\0\0\0"),
        ("type", b"\xcb" + bytes(8)),
        ("type", b"\xc0"),
    ):
        directory(rule, head + depth + rest)
    for rule, counts in (
        ("type", b"\x92\xc3\x03"),
        ("type", b"\x92\xcb" + struct.pack(">d", 2.0) + b"\x02"),
        ("shortest", b"\x92\xcd\0\x02\x02"),
        ("shortest", b"\x92\xd0\x02\x02"),
    ):
        directory(rule, head + b"\0" + pack(b"\0\2") + counts + pack(h[0] + h[1]))

    n, p = h[0], h[1]
    fine: list[Any] = [n, p, 0, "", ""]
    check_commit(b"C" + pack(fine))
    for other in (b"", b"N", b"c"):
        bad_commit("domain", other + pack(fine))
    bad_commit("trailing", b"C" + pack(fine) + b"\0")
    bad_commit("truncated", b"C" + pack(fine)[:-1])
    rules: list[tuple[str, list[Any]]] = [
        ("array length", fine[:4]),
        ("array length", [*fine, ["k", b""], []]),
        ("node", [b"", *fine[1:]]),
        ("node", [n[:31], *fine[1:]]),
        ("node", ["a" * 32, *fine[1:]]),
        ("parents", [n, p[:31], 0, "", ""]),
        ("parents", [n, p + p, 0, "", ""]),
        ("parents", [n, [p], 0, "", ""]),
        ("date", [n, p, "0", "", ""]),
        ("date", [n, p, 1 << 63, "", ""]),
        ("type", [n, p, 0, b"", ""]),
        ("type", [n, p, 0, "", b""]),
        ("extra", [*fine, []]),
        ("extra", [*fine, ["k"]]),
        ("extra", [*fine, ["", b""]]),
        ("extra", [*fine, ["k", "v"]]),
        ("extra", [*fine, [b"k", b"v"]]),
        ("extra", [*fine, ["b", b"", "a", b""]]),
        ("extra", [*fine, ["a", b"", "a", b""]]),
        ("extra", [*fine, b""]),
    ]
    for rule, row in rules:
        bad_commit(rule, b"C" + pack(row))
    start = b"C\x95" + pack(n) + pack(p)
    for rule, date in (
        ("shortest", b"\xd0\0"),
        ("shortest", b"\xd3" + bytes(8)),
        ("shortest", b"\xd1\xff\xff"),
        ("type", b"\xc2"),
        ("type", b"\xcb" + bytes(8)),
        ("type", b"\xc0"),
    ):
        bad_commit(rule, start + date + b"\xa0\xa0")
    bad_commit("utf-8", start + b"\0\xa0\xa1\xff")
    bad_commit("utf-8", start + b"\0\xa3\xed\xb0\x80\xa0")

    def bad_contents(kind: str, rule: str, *items: bytes) -> None:
        rows.extend({"what": "contents", "type": kind, "bytes": data.hex(), "rule": rule} for data in items)

    bad_contents("string/1", "utf-8", b"\xff", b"a\xc0\xaf", b"\xed\xa0\x80", b"\xc3")
    bad_contents("counter/1", "size", b"", b"\0" * 7, b"\0" * 9)
    bad_contents(
        "json/1", "syntax", b"", b"{", b"[1,]", b"nul", b"01", b"1.", b"'a'", b"[1]x", b'"\n"', b"\xff"
    )
    bad_contents("json/1", "spaces", b" 1", b"1 ", b"1\n", b"[1, 2]", b'{"a": 1}', b"\xef\xbb\xbf1")
    bad_contents("json/1", "keys", b'{"b":1,"a":2}', b'{"a":1,"a":1}', b'{"a":1,"a":2}')
    bad_contents(
        "json/1", "number", b"1e2", b"1E400", b"-0", b"1.00", b"1e+5", b"1.0e16", b"1e16", b"0.00001", b"+1"
    )
    bad_contents("json/1", "number", b"NaN", b"Infinity", b"-Infinity", b"1e999", b"100000000000000000000.0")
    bad_contents(
        "json/1", "string", b'"\\u0061"', b'"\\/"', b'"\\u000A"', b'"\\u000a"', b'"\\u001F"', b'"\\ud800"'
    )
    bad_contents("json/1", "string", b'"\\ud83d\\ude00"', b'"\xed\xa0\x80"')
    bad_contents("json/1", "nesting", b"[" * 129 + b"]" * 129, b"[" * 2000)
    bad_contents("json-object/1", "no object", b"1", b"[]", b"null", b'"a"')
    bad_contents(
        "msgpack/1",
        "truncated",
        b"",
        b"\xa1",
        b"\xcb\0",
        b"\x91",
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    )
    bad_contents(
        "msgpack/1", "shortest", b"\xcc\x01", b"\xd0\x01", b"\xd0\xff", b"\xd9\x01a", b"\xc5\0\0", b"\xdc\0\0"
    )
    bad_contents("msgpack/1", "shortest", b"\xde\0\0", b"\xcd\0\xff", b"\xd3" + bytes(8), b"\xca\0\0\0\0")
    bad_contents("msgpack/1", "ext", b"\xd4\0\0", b"\xd6\xff\0\0\0\0", b"\xc7\0\0", b"\xc1")
    bad_contents(
        "msgpack/1",
        "keys",
        b"\x82\x02\0\x01\0",
        b"\x82\x01\0\x01\0",
        b"\x81\xc0\0",
        b"\x81\xc3\0",
        b"\x81\x90\0",
    )
    bad_contents("msgpack/1", "keys", b"\x82\xa1a\0\x01\0", b"\x82\xc4\x01a\0\xa1a\0", b"\x81\xcb" + bytes(9))
    bad_contents(
        "msgpack/1",
        "nan",
        b"\xcb\x7f\xf8" + bytes(6),
        b"\xcb\xff\xf8" + bytes(6),
        b"\xcb\x7f\xf0" + bytes(5) + b"\1",
    )
    bad_contents("msgpack/1", "utf-8", b"\xa1\xff", b"\xa3\xed\xa0\x80")
    bad_contents("msgpack/1", "trailing", b"\0\0", b"\xc0\xc0")
    bad_contents("msgpack/1", "nesting", b"\x91" * 129 + b"\xc0", b"\x91" * 2000)
    return {"refused": rows}


FILES: dict[str, Callable[[], Any]] = {
    "first.json": first,
    "contents.json": contents,
    "nodes.json": nodes,
    "inodes.json": inodes,
    "digits.json": digits,
    "nested.json": nested,
    "edits.json": edits,
    "commits.json": commits,
    "schemas.json": schemas,
    "refused.json": refused,
}


def text_of(value: Any) -> str:
    """`value` as a file: JSON in ASCII, one item of its lists to a line."""
    if not isinstance(value, dict):
        raise TypeError(type(value))
    lines = []
    for key, below in value.items():
        if isinstance(below, list):
            items = ",\n".join("  " + json.dumps(item) for item in below)
            lines.append(f" {json.dumps(key)}: [\n{items}\n ]")
        elif isinstance(below, dict):
            items = ",\n".join(f"  {json.dumps(k)}: {json.dumps(item)}" for k, item in below.items())
            lines.append(f" {json.dumps(key)}: {{\n{items}\n }}")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(below)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(arguments: list[str]) -> int:
    checking = "--check" in arguments
    wrong = []
    for name, make in FILES.items():
        text = text_of(make())
        path = HERE / name
        if not checking:
            path.write_text(text, encoding="ascii")
        elif not path.exists() or path.read_text(encoding="ascii") != text:
            wrong.append(name)
    for name in wrong:
        print(f"{name} is not what the sketch of the format gives")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
