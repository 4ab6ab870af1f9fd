"""Crash images: all that the disk may hold if the power goes at some moment of a recording.

At each moment there are operations that no sync has made durable. Up to eight of them: every subset. More: none,
all, each alone, all but each, and random ones. Besides, with all others there, each write cut short, its tail or its
head zeroes, at borders of 512 bytes, which is what a disk writes as a whole.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Literal, NamedTuple

from blake3 import blake3

from .recording import Event, Tree

__all__ = ["Image", "Variant", "fingerprint", "images"]

SECTOR = 512
EXHAUSTIVE = 8  # operations whose subsets are all tried
RANDOM = 128  # subsets where there are more
CUTS = 12  # places at which one write is torn

Variant = Literal["all", "none", "subset", "torn", "zeros", "head", "hole", "length"]


class Image(NamedTuple):
    """What the disk holds after event number `at`; `acknowledged` is the last state the user was told of."""

    at: int
    event: Event
    variant: Variant
    detail: str
    acknowledged: int
    tree: dict[str, bytes | None]

    def __str__(self) -> str:
        where = f"{self.event.phase}: {self.event.op} {self.event.path}"
        return f"event {self.at} ({where}), {self.variant} {self.detail}"


def fingerprint(tree: dict[str, bytes | None]) -> bytes:
    """16 bytes that tell one image from another."""
    state = blake3()
    for name in sorted(tree):
        data = tree[name]
        head = f"{name}\0{-1 if data is None else len(data)}\0"
        state.update(head.encode(errors="surrogateescape"))
        state.update(data or b"")
    return state.digest(16)


def images(start: Tree, events: Sequence[Event], seed: int = 0, *, limit: int = 1 << 30) -> Iterator[Image]:
    """The images of a recording, at most `limit` for each moment, the likeliest first; each has been there once.

    Equal images of one moment are given once; equal ones of different moments are the caller's business, since
    what must hold of them may differ.
    """
    durable = start.copy()
    pending: list[tuple[int, Event]] = []
    acknowledged = -1
    draw = random.Random(seed)
    for at, event in enumerate(events):
        match event.op:
            case "mark":
                acknowledged = event.offset
            case "sync":
                kept: list[tuple[int, Event]] = []
                for number, one in pending:
                    if one.target == event.target and number < event.offset:
                        durable.apply(one)
                    else:
                        kept.append((number, one))
                pending = kept
            case "failed-sync":
                # Entries of directories go through the journal, whose failure stops the file system instead.
                if event.target in durable.files:
                    pending = [
                        (n, one) for n, one in pending if one.target != event.target or n >= event.offset
                    ]
            case _:
                if event.op == "create":
                    durable.files.setdefault(
                        event.other, bytearray()
                    )  # a number, not a name: nothing leads to it
                pending.append((at, event))
        seen: set[bytes] = set()
        count = 0
        for variant, detail, chosen in _choices([one for _, one in pending], draw):
            tree = durable.copy()
            for one in chosen:
                tree.apply(one)
            image = Image(at, event, variant, detail, acknowledged, tree.walk())
            mark = fingerprint(image.tree)
            if mark not in seen:
                seen.add(mark)
                yield image
                count += 1
            if count >= limit:
                break


Choice = tuple[Variant, str, list[Event]]


def _choices(pending: list[Event], draw: random.Random) -> Iterator[Choice]:
    yield "all", "", pending
    yield "none", "", []
    writes = [i for i in reversed(range(len(pending))) if pending[i].op == "write"]
    for i in writes:
        for variant, detail, torn in _torn(pending[i], draw):
            yield variant, f"write {i}: {detail}", [*pending[:i], *torn, *pending[i + 1 :]]
    count = len(pending)
    if count <= EXHAUSTIVE:
        masks = list(product((True, False), repeat=count))
        draw.shuffle(masks)
    else:
        one = [tuple(i == j for i in range(count)) for j in range(count)]
        masks = [*one, *(tuple(not bit for bit in mask) for mask in one)]
        masks += [tuple(draw.random() < 0.5 for _ in range(count)) for _ in range(RANDOM)]
    for mask in masks:
        chosen = [event for event, there in zip(pending, mask, strict=True) if there]
        yield "subset", "".join("01"[there] for there in mask), chosen


def _torn(event: Event, draw: random.Random) -> Iterator[tuple[Variant, str, list[Event]]]:
    """`event` as a disk may have done a part of it.

    Bytes that were there before keep their old values where the write did not reach them; beyond the old end of the
    file they are zeroes, since the length may be durable before the data.
    """
    data, size = event.data, len(event.data)
    length = event._replace(op="extend", offset=event.offset + size, data=b"")
    yield "zeros", "its length only", [length]
    if size > 1:
        cut = draw.randrange(1, size)
        yield "length", f"a length of {cut} of {size} bytes", [event._replace(data=data[:cut])]
    # Sector borders of the file, not of the write.
    cuts = list(range(SECTOR - event.offset % SECTOR, size, SECTOR))
    if len(cuts) > CUTS:
        cuts = sorted(draw.sample(cuts, CUTS))
    if len(cuts) > 1:
        middle = (len(cuts) - 1) // 2
        for first, last in ((cuts[middle], cuts[middle + 1]), sorted(draw.sample(cuts, 2))):
            back = event._replace(offset=event.offset + last, data=data[last:])
            yield "hole", f"all but bytes {first} to {last}", [event._replace(data=data[:first]), back]
    for cut in cuts:
        front = event._replace(data=data[:cut])
        yield "torn", f"{cut} of {size} bytes", [front]
        yield "zeros", f"{cut} of {size} bytes, then zeroes", [front, length]
        yield "head", f"all from byte {cut}", [event._replace(offset=event.offset + cut, data=data[cut:])]
