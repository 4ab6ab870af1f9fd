"""Decision 056: the compiled core gives what the core in Python gives, result for result and error for error.

Without a compiled core there is nothing to compare, and one line of the summary says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from irminpy import _core, core

ccore: Any = pytest.importorskip("irminpy._ccore", reason="the compiled core was not built here")

EMPTY = b"\xee" * 32
TWINS = sorted(
    name
    for name in _core.__all__
    if callable(getattr(_core, name)) and getattr(ccore, name, None) is not None
)


def outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, object]:
    """What the call gives, or the type and text of what it raises; a dict in its order."""
    try:
        found = function(*arguments)
    except Exception as e:
        return type(e).__name__, str(e)
    items = (
        [list(item.items()) if type(item) is dict else item for item in found]
        if type(found) is tuple
        else found
    )
    return type(found).__name__, (repr(items), items)


def same(name: str, *arguments: Any) -> None:
    assert outcome(getattr(ccore, name), arguments) == outcome(getattr(_core, name), arguments), name


def test_the_switch_takes_every_twin() -> None:
    compiled = {name for name in dir(ccore) if callable(getattr(ccore, name)) and not name.startswith("_")}
    assert compiled == set(TWINS) <= set(core.__all__)
    for name in core.__all__:
        if name != "CORE" and core.CORE == "c":
            assert getattr(core, name) is getattr(ccore if name in compiled else _core, name)


# -- what functions are asked ------------------------------------------------------------------------------------

texts = st.one_of(
    st.text("ab/\0é\u20ac\U0001f600", max_size=4), st.text(max_size=40), st.sampled_from(["\ud800"])
)
steps = st.one_of(
    st.text("abcdé\U0001f600", min_size=1, max_size=6),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=300),
)
hashes = st.one_of(st.just(EMPTY), st.binary(min_size=32, max_size=32))
entries = st.dictionaries(
    steps, st.tuples(st.sampled_from([0, 1, 1, 1, 2, 3]), hashes, st.binary(max_size=3)), max_size=40
)
numbers = st.one_of(st.integers(0, 300), st.integers(-(2**70), 2**70), st.integers(2**31, 2**64))
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.binary(max_size=40),
    texts,
    numbers,
    st.lists(texts, max_size=2),
)


def node(found: dict[str, tuple[int, bytes, bytes]], *, ordered: bool = True) -> bytes:
    names = sorted(found) if ordered else list(found)
    kinds = bytes([found[step][0] for step in names])
    joined = b"".join([found[step][1] for step in names])
    return _core.encode_node(names, kinds, joined, [found[step][2] for step in names if found[step][0] == 2])


nodes = st.builds(node, entries, ordered=st.booleans())
buckets = st.dictionaries(
    st.integers(0, 17),
    st.tuples(st.one_of(st.integers(0, 40), numbers.filter(lambda n: n < 2**64)), hashes),
    max_size=18,
)


def inode(found: dict[int, tuple[int, bytes]], fanout: int, leaf: int, depth: int, ordered: bool) -> bytes:
    digits = sorted(found) if ordered else list(found)
    counts = [max(0, found[digit][0]) for digit in digits]
    return _core.encode_inode(
        fanout, leaf, depth, bytes(digits), counts, b"".join([found[digit][1] for digit in digits])
    )


inodes = st.builds(
    inode,
    buckets,
    st.sampled_from([16, 16, 16, 4, 256, 1000]),
    st.sampled_from([3, 3, 32, 70000]),
    st.integers(0, 70),
    st.booleans(),
)


@st.composite
def mutated(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Honest bytes, mostly with a few bytes changed, put in, cut out or cut off."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        change = draw(st.sampled_from(["set", "head", "insert", "delete", "cut", "append"]))
        if change == "set" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif change == "head" and data:
            data[min(at, len(data) - 1)] = draw(
                st.sampled_from(b"\x90\x91\xa0\xbf\xc4\xc5\xc6\xcc\xcd\xce\xcf\xd9\xda\xdb\xdc\xdd\xd0")
            )
        elif change == "insert":
            data[at:at] = draw(st.binary(max_size=5))
        elif change == "delete":
            del data[at : at + draw(st.integers(1, 5))]
        elif change == "cut":
            del data[at:]
        else:
            data += draw(st.binary(max_size=3))
    return bytes(data)


objects = st.one_of(mutated(nodes), mutated(inodes), st.binary(max_size=80))
sizes = st.sampled_from([32, 32, 32, 32, 31, 1, 0, -1, 64, 2**70])
leaves = st.sampled_from([32, 32, 32, 3, 3, 40, 256, 300, 1 << 63, 0, -1])
fanouts = st.sampled_from([16, 16, 16, 4, 256, 1000, -1])


@given(st.one_of(st.binary(max_size=5000), st.integers(0, 9000).map(bytes), odd))
def test_digest(data: Any) -> None:
    same("digest", data)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 128, 1023, 1024, 1025, 2047, 2048, 2049, 3072, 70000])
def test_digest_at_the_borders_of_blocks_and_chunks(size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    same("digest", data)
    same("digest", bytearray(data))
    same("digest_many", [data, data[:-1], data[1:]])


@given(st.one_of(st.lists(st.binary(max_size=300), max_size=20), st.lists(odd, max_size=3), odd))
def test_digest_many(items: Any) -> None:
    same("digest_many", items)


@given(
    st.one_of(st.lists(texts, max_size=40), odd),
    st.one_of(st.binary(max_size=40), odd),
    st.one_of(st.binary(max_size=1400), odd),
    st.one_of(st.just([]), st.lists(st.binary(max_size=3), max_size=2), odd),
)
def test_encode_node(names: Any, kinds: Any, joined: Any, metadata: Any) -> None:
    same("encode_node", names, kinds, joined, metadata)


@given(st.lists(st.lists(texts, max_size=5), max_size=5), st.booleans(), st.data())
def test_encode_nodes(names: Any, fitting: bool, data: st.DataObject) -> None:
    n = sum(map(len, names)) if fitting else data.draw(st.integers(0, 10))
    kinds = data.draw(st.binary(min_size=n, max_size=n))
    joined = data.draw(st.lists(st.binary(min_size=31, max_size=33), min_size=n, max_size=n))
    metadata = data.draw(st.one_of(st.just({}), st.dictionaries(texts, st.binary(max_size=3), max_size=3)))
    same("encode_nodes", names, kinds, joined, metadata)


@given(
    st.one_of(numbers, odd),
    numbers,
    numbers,
    st.one_of(st.binary(max_size=300), odd),
    st.one_of(st.lists(numbers, max_size=20), odd),
    st.binary(max_size=300),
)
def test_encode_inode(fanout: Any, leaf: Any, depth: Any, digits: Any, counts: Any, joined: Any) -> None:
    same("encode_inode", fanout, leaf, depth, digits, counts, joined)


@given(objects, sizes, leaves, st.one_of(st.just(EMPTY), st.binary(max_size=33)))
@example(b"N\x93\x90\xc4\x00\xc4\x00", 32, 32, EMPTY)
def test_nodes_decoded_and_loaded(data: bytes, size: int, leaf: int, empty: bytes) -> None:
    same("decode_node", data, size, leaf, empty)
    same("load_node", data, size, leaf, empty)


@given(
    objects,
    sizes,
    fanouts,
    leaves,
    st.sampled_from([64, 64, 128, 32, 0]),
    st.one_of(st.just(EMPTY), st.binary(max_size=33)),
)
def test_inodes_decoded_and_loaded(
    data: bytes, size: int, fanout: int, leaf: int, digits: int, empty: bytes
) -> None:
    same("decode_inode", data, size, fanout, leaf, digits, empty)
    same("load_inode", data, size, fanout, leaf, digits, empty)


@given(entries, st.data())
def test_a_step_sought(found: dict[str, tuple[int, bytes, bytes]], data: st.DataObject) -> None:
    encoded = data.draw(mutated(st.just(node(found))))
    asked = data.draw(st.sampled_from(sorted(found)) if found else steps)
    for step in (asked, data.draw(st.one_of(texts, odd))):
        same("seek_node", encoded, data.draw(sizes), data.draw(leaves), step)


@given(
    objects, sizes, fanouts, leaves, st.integers(-1, 70), st.one_of(st.integers(0, 17), st.integers(-1, 300))
)
def test_a_digit_sought(data: bytes, size: int, fanout: int, leaf: int, depth: int, digit: int) -> None:
    same("seek_inode", data, size, fanout, leaf, depth, digit)
    if data[:2] == b"I\x96" and len(data) > 5:
        same("seek_inode", data, 32, data[2], data[3], data[4], digit)


@given(objects, st.sampled_from([32, 32, 32, 1, 20, 64, 0, -1, 2**70]))
def test_children(data: bytes, size: int) -> None:
    same("children", data, size)


@given(st.binary(max_size=200), st.one_of(st.integers(1, 40), st.integers(-3, 2**65)), st.data())
def test_patch_column(column: bytes, size: int, data: st.DataObject) -> None:
    fitting = st.binary(min_size=min(40, abs(size)), max_size=min(40, abs(size)))
    most = max(1, len(column) // max(1, abs(size)))
    changes = data.draw(
        st.lists(
            st.tuples(
                st.one_of(st.integers(0, most), st.integers(-3, 300)),
                st.one_of(fitting, st.binary(max_size=3)),
            ),
            max_size=4,
        )
    )
    same("patch_column", column, size, changes)
    same("patch_column", column[:1], 1, changes)


@given(st.sampled_from(TWINS), st.lists(odd, max_size=7))
def test_arguments_of_any_number_and_type(name: str, arguments: list[Any]) -> None:
    # A wrong number is a TypeError of either, in words of its own.
    function, twin = getattr(ccore, name), getattr(_core, name)
    assert outcome(function, tuple(arguments)) == outcome(twin, tuple(arguments))


# -- the choice ---------------------------------------------------------------------------------------------------


def chosen(wanted: str | None, script: str = "import irminpy.core as c; print(c.CORE)") -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if name != "IRMINPY_CORE"}
    if wanted is not None:
        environment["IRMINPY_CORE"] = wanted
    place = os.path.dirname(os.path.dirname(core.__file__))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, "PYTHONPATH": place},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def test_the_environment_chooses_the_core() -> None:
    assert chosen(None) == chosen("c") == (0, "c")
    assert chosen("python") == (0, "python")
    status, told = chosen("rust")
    assert status == 1
    assert told.endswith("ImportError: IRMINPY_CORE='rust': the cores are c and python")


def test_a_core_that_is_not_there_is_an_error_only_if_it_is_asked_for() -> None:
    hidden = "import sys; sys.modules['irminpy._ccore'] = None; import irminpy.core as c; print(c.CORE)"
    assert chosen(None, hidden) == (0, "python")
    status, told = chosen("c", hidden)
    assert status == 1
    assert "ImportError: IRMINPY_CORE=c, and the compiled core was not built" in told


def test_a_core_of_other_sources_is_not_used() -> None:
    stale = (
        "import sys, types; twin = types.ModuleType('irminpy._ccore'); twin.SEAM = 0; twin.__file__ = 'old.so'; "
        "sys.modules['irminpy._ccore'] = twin; import irminpy.core as c; print(c.CORE)"
    )
    status, told = chosen(None, stale)
    assert status == 0
    assert "old.so was built from other sources than these" in told
    assert told.startswith("python")
    assert chosen("c", stale)[0] == 1
