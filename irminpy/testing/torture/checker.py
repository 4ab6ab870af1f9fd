"""The checker of D1 to D8 (reliability.md 2.1): whether what a fault left behind is what was promised.

D1 acknowledged commits are there and readable; D2 refs are those after k acknowledged steps, or k and the one in
flight; D3 nothing points at missing or wrong bytes; D4 opening needs no help and little time; D5 opening again changes
nothing; D6 damage is reported with a type; D7 `lossy` stores may lose a suffix, never the middle; D8 no stray
lock or file stands in the way.
"""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from irminpy_pack.files import Files

from ...errors import IrminError, NotAStore
from ...hash import Hash
from ..model import bindings_of
from .program import Ledger, Repos, open_repo, refs_of
from .recording import tree_of
from .subject import Subject

__all__ = ["SLOW", "Promise", "Verdict", "check", "content"]

SLOW = 5.0
"""CPU seconds that opening a small store may take: more is a violation of D4."""

PROBE = "torture/probe"


@dataclass(frozen=True, slots=True)
class Promise:
    """The states that may stand: `low` to `high` of the ledger; a store need not be there if `low` is below 0."""

    low: int
    high: int

    @staticmethod
    def after(acknowledged: int, ledger: Ledger, *, lossy: bool = False) -> Promise:
        """What holds when `acknowledged` is the last acknowledged state (-1: not even the creation)."""
        high = min(acknowledged + 1, len(ledger.states) - 1)
        return Promise(min(acknowledged, 0) if lossy else acknowledged, high)


@dataclass(slots=True)
class Verdict:
    """Which states were found (by their numbers), and each violation, beginning with the promise that is broken."""

    states: list[int] = field(default_factory=list[int])
    violations: list[str] = field(default_factory=list[str])
    absent: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.violations


def check(
    subject: Subject, path: str, ledger: Ledger, promise: Promise, *, probe: bool = True, quiet: bool = True
) -> Verdict:
    """Open the store at `path` as a reader, as a writer and again, and compare it with `ledger`.

    `probe`: also write to it. `quiet`: no writer is alive, so the reader must see what the writer will, and must
    change nothing. The store is changed by this: recovery, and the probe.
    """
    verdict = Verdict()
    wrong = verdict.violations.append
    here = Path(path)
    if quiet and here.exists():
        before = _at_rest(here)
        _look(subject, path, ledger, promise, verdict, "a reader", readonly=True)
        if _at_rest(here) != before:
            wrong("D5: a reader changed files of the store")
        if verdict.violations:
            return verdict
    seen = verdict.states[-1:] or [-1]
    started = time.process_time()
    _look(subject, path, ledger, promise, verdict, "a writer", readonly=False)
    if time.process_time() - started > SLOW:
        wrong(f"D4: opening took more than {SLOW} seconds of CPU")
    if verdict.violations:
        return verdict
    if verdict.absent:
        return _create(subject, path, ledger, verdict)
    if quiet and verdict.states[-1] < seen[0]:
        wrong(f"D2: a reader saw state {seen[0]}, the writer after it state {verdict.states[-1]}")
    first = content(subject, path)
    _look(subject, path, ledger, promise, verdict, "a second opening", readonly=False, deep=True)
    if verdict.states[-1] != verdict.states[-2]:
        wrong(f"D5: opened twice, states {verdict.states[-2]} and {verdict.states[-1]}")
    if content(subject, path) != first:
        wrong("D5: opening again changed the truth of the store")
    if verdict.ok and probe:
        _probe(subject, path, ledger, verdict)
    if verdict.ok and subject.fsck is not None:
        verdict.violations += [f"D3: {problem}" for problem in subject.fsck(path)]
    return verdict


def _at_rest(path: Path) -> dict[str, bytes | None]:
    """The files at `path`, but for LMDB's table of readers."""
    return {name: data for name, data in tree_of(path).items() if not name.endswith("lock.mdb")}


def content(subject: Subject, path: str) -> dict[str, bytes | None]:
    """The files of the store that are its truth: all that is under `pack`, or all, for a store without that."""
    found = tree_of(Path(path))
    return {name: data for name, data in found.items() if name.startswith("pack")} or found


def _look(
    subject: Subject,
    path: str,
    ledger: Ledger,
    promise: Promise,
    verdict: Verdict,
    who: str,
    *,
    readonly: bool,
    deep: bool = False,
) -> None:
    wrong = verdict.violations.append
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            repo = open_repo(subject.maker(path, Files()), create=False, readonly=readonly, timeout=0.5)
        if not subject.lossy:
            # A torn batch that was in flight may look like damage, and be told. That something *synced* is gone
            # would be a false alarm after a crash, or a true one.
            alarms = [str(one.message) for one in told if "synced and are missing" in str(one.message)]
            verdict.violations += [f"D6: {who} is told of a loss: {one}" for one in alarms]
    except NotAStore as e:
        if promise.low >= 0:
            wrong(f"D1: {who} finds no store: {e}")
        verdict.absent = True
        return
    except IrminError as e:
        wrong(f"D4: {who} cannot open the store: {type(e).__name__}: {e}")
        return
    try:
        state = _compare(repo, ledger, promise, verdict, who)
        if state is None:
            return
        verdict.states.append(state)
        if readonly or deep:
            _heads(repo, ledger, verdict, who)
        if deep and verdict.ok:
            _closure(repo, ledger, state, verdict, who)
    except IrminError as e:
        wrong(f"D3: {who} cannot read: {type(e).__name__}: {e}")
    finally:
        repo.close()


def _compare(repo: Repos, ledger: Ledger, promise: Promise, verdict: Verdict, who: str) -> int | None:
    refs = refs_of(repo)
    # The latest one: steps that change nothing leave equal states.
    for number in range(promise.high, max(promise.low, 0) - 1, -1):
        if ledger.states[number].refs == refs:
            return number
    older = [i for i in range(max(0, promise.low)) if ledger.states[i].refs == refs]
    what = f"state {older[-1]}, which is older" if older else "no state there ever was"
    shown = {name: hash_.hex()[:8] for name, hash_ in refs.items()}
    promised = f"{promise.low} to {promise.high}"
    verdict.violations.append(f"D2: {who} finds {what}; promised is {promised}; refs {shown}")
    return None


def _heads(repo: Repos, ledger: Ledger, verdict: Verdict, who: str) -> None:
    for name in repo.branches():
        head = repo.branch(name).head()
        if bindings_of(head.tree()) != ledger.bindings[bytes(head.hash)]:
            verdict.violations.append(f"D1: {who} reads other bindings on {name}")


def _closure(repo: Repos, ledger: Ledger, state: int, verdict: Verdict, who: str) -> None:
    heads = [Hash(commit) for commit in sorted(ledger.states[state].commits)]
    report = repo.check(heads)
    verdict.violations += [f"D3: {who}: {problem}" for problem in report.problems]
    if report.commits < len(heads) and not report.problems:
        verdict.violations.append(f"D1: {who}: {len(heads)} commits are promised, {report.commits} found")


def _create(subject: Subject, path: str, ledger: Ledger, verdict: Verdict) -> Verdict:
    """A store that never came to be can be made now, whatever an earlier attempt left."""
    try:
        with open_repo(subject.maker(path, Files()), timeout=0.5) as repo:
            if refs_of(repo):
                verdict.violations.append("D2: a new store has refs")
    except IrminError as e:
        verdict.violations.append(f"D8: the store cannot be made again: {type(e).__name__}: {e}")
        return verdict
    verdict.states.append(0)
    _probe(subject, path, ledger, verdict)
    return verdict


def _probe(subject: Subject, path: str, ledger: Ledger, verdict: Verdict) -> None:
    """The store takes a commit, and has it when it is opened again."""
    wanted = dict(ledger.states[verdict.states[-1]].refs)
    try:
        with open_repo(subject.maker(path, Files()), create=False, timeout=0.5) as repo:
            value = os.urandom(8)
            commit = repo.branch(PROBE).set("probe", value)
            if commit is None:
                verdict.violations.append("D4: the probe made no commit")
                return
            wanted[PROBE] = bytes(commit.hash)
        with open_repo(subject.maker(path, Files()), create=False, timeout=0.5) as repo:
            if refs_of(repo) != wanted or repo.branch(PROBE).get("probe") != value:
                verdict.violations.append("D1: the first commit after recovery is gone")
    except IrminError as e:
        verdict.violations.append(f"D4: no commit after recovery: {type(e).__name__}: {e}")
