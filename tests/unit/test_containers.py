"""The mergeable containers: CO-01 to CO-06, and Irmin's test cases TC-111 to TC-119."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irminpy import Repo, Schema, Store, contents
from irminpy.containers import (
    BlobLog,
    BlobLogContents,
    Clock,
    Counter,
    LinkedLog,
    LinkedLogContents,
    LwwContents,
    LwwRegister,
    Stamped,
    machine_clock,
)
from irminpy.containers.linked_log import Heads, Item
from irminpy.contents import Contents, Msgpack, String
from irminpy.errors import Corrupted, DecodeError, MergeConflict, TooManyRetries
from irminpy.hash import Hash
from irminpy.merge import NO_ANCESTOR, Conflict
from irminpy_mem import Memory

T = TypeVar("T")
LWW = LwwContents(String())
BLOB = BlobLogContents(String())
LINKED = LinkedLogContents(String())


def ticks() -> Clock:
    """A clock that goes on by one each time it is looked at."""
    return iter(range(1, 10**9)).__next__


def void(result: object) -> None:
    """For lambdas that give nothing."""


def at(*moments: int) -> Clock:
    return iter(moments).__next__


def open_main(kind: Contents[T]) -> Store[T, None]:
    return Repo.open(Memory(), Schema(kind)).main()


Log = BlobLog[str] | LinkedLog[str]
MakeLog = Callable[[Store[Any, None], str, Clock], Log]


@pytest.fixture(params=["blob", "linked"])
def logs(request: pytest.FixtureRequest) -> Iterator[tuple[Store[Any, None], MakeLog]]:
    """A store and what makes a log of it: both logs give the same sequences."""
    main: Store[Any, None]
    if request.param == "blob":
        main = open_main(BLOB)
        yield main, lambda store, path, clock: BlobLog(store, path, clock=clock)
    else:
        main = open_main(LINKED)
        yield main, lambda store, path, clock: LinkedLog(store, path, clock=clock)


def both_ways(a: Store[T, None], b: Store[T, None]) -> None:
    a.merge_with_branch(b.name or "", message="into a", author="a")
    b.merge_with_branch(a.name or "", message="into b", author="b")


def run_together(*jobs: Callable[[], None]) -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], None]) -> None:
        start.wait()
        try:
            job()
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# -- counters


def test_a_counter_counts_up_and_down() -> None:
    """CO-01, TC-111."""
    counter = Counter(open_main(contents.Counter()), "c")
    assert counter.read() == 0
    counter.inc(message="one")
    assert counter.read() == 1
    counter.inc(2)
    assert counter.read() == 3
    counter.dec()
    assert counter.read() == 2
    counter.dec(2)
    assert counter.read() == 0
    counter.dec(5)
    assert counter.read() == -5
    assert counter.inc(0) is None


@pytest.mark.parametrize("first", ["main", "other"])
def test_counters_of_two_branches_add_up_in_either_order(first: str) -> None:
    """CO-01, TC-113."""
    main = open_main(contents.Counter())
    Counter(main, "c").inc(0)
    other = main.clone("other")
    Counter(main, "c").inc(5)
    Counter(other, "c").dec(2)
    both_ways(main, other) if first == "main" else both_ways(other, main)
    assert (Counter(main, "c").read(), Counter(other, "c").read()) == (3, 3)


def test_a_counter_has_64_bits() -> None:
    counter = Counter(open_main(contents.Counter()), "c")
    counter.inc((1 << 63) - 1)
    with pytest.raises(DecodeError):
        counter.inc()
    assert counter.read() == (1 << 63) - 1


def test_no_count_is_lost_between_threads() -> None:
    main = open_main(contents.Counter())

    def count() -> None:
        counter = Counter(main, "c")
        for _ in range(25):
            counter.inc()

    run_together(*[count] * 4)
    assert Counter(main, "c").read() == 100
    assert len(list(main.log())) == 100


def test_an_operation_gives_up_after_as_many_races_as_it_may_lose() -> None:
    main = open_main(LWW)

    def interrupted() -> int:
        main.set("x", Stamped("other", len(list(main.log()))))
        return 0

    with pytest.raises(TooManyRetries) as caught:
        LwwRegister(main, "x", clock=interrupted).write("mine", retries=2)
    assert caught.value.retries == 2
    assert LwwRegister(main, "x").read() == "other"
    assert len(list(main.log())) == 3


def test_a_container_needs_a_store_of_its_contents() -> None:
    store: Any = open_main(String())
    for kind in (Counter, LwwRegister, BlobLog, LinkedLog):
        with pytest.raises(TypeError, match="string/1"):
            kind(store, "x")


# -- registers


def test_a_register_reads_what_was_written_last() -> None:
    """CO-02, CO-05, TC-114."""
    register = LwwRegister(open_main(LWW), "r", clock=at(7, 9))
    assert register.read() is None
    register.write("a")
    register.write("b", message="again")
    assert register.read() == "b"
    assert register.find() == Stamped("b", 9)


def test_the_later_write_wins_in_either_order() -> None:
    """CO-02, TC-115."""
    for mine, yours, wins in ((5, 6, "yours"), (6, 5, "mine"), (5, 5, "yours")):
        main = open_main(LWW)
        LwwRegister(main, "r", clock=at(1)).write("start")
        other = main.clone("other")
        LwwRegister(main, "r", clock=at(mine)).write("mine")
        LwwRegister(other, "r", clock=at(yours)).write("yours")
        both_ways(main, other)
        assert LwwRegister(main, "r").read() == LwwRegister(other, "r").read() == wins


def test_a_write_counts_as_later_than_what_it_replaces() -> None:
    register = LwwRegister(open_main(LWW), "r", clock=at(10, 3))
    register.write("a")
    register.write("b")
    assert register.find() == Stamped("b", 11)


def test_a_register_merges_without_an_ancestor_and_keeps_apart_what_python_equals() -> None:
    kind = LwwContents(Msgpack())
    assert kind.merge(NO_ANCESTOR, Stamped(1, 5), Stamped(2, 4)) == Stamped(1, 5)
    merged = kind.merge(Stamped(1, 1), Stamped(True, 1), Stamped(1, 2))
    assert isinstance(merged, Stamped)
    assert merged.timestamp == 2
    assert isinstance(kind.merge(Stamped(1, 1), None, Stamped(1, 2)), Conflict)
    assert kind.merge(Stamped(1, 1), None, Stamped(1, 1)) is None


# -- logs


def test_a_log_reads_the_newest_first(logs: tuple[Store[Any, None], MakeLog]) -> None:
    """CO-03, CO-04, TC-116."""
    main, make = logs
    log = make(main, "log", ticks())
    assert log.read_all() == []
    log.append("1", message="first")
    log.append("2")
    log.append("2")
    assert log.read_all() == ["2", "2", "1"]


@pytest.mark.parametrize("first", ["main", "other"])
def test_logs_of_two_branches_merge_by_time_in_either_order(
    logs: tuple[Store[Any, None], MakeLog], first: str
) -> None:
    """CO-03, CO-04, TC-117, TC-119."""
    main, make = logs
    clock = ticks()
    make(main, "log", clock).append("start")
    other = main.clone("other")
    for name in ("m1", "o1", "m2", "o2", "o3"):
        make(main if name[0] == "m" else other, "log", clock).append(name)
    both_ways(main, other) if first == "main" else both_ways(other, main)
    for store in (main, other):
        log = make(store, "log", clock)
        assert log.read_all() == ["o3", "o2", "m2", "o1", "m1", "start"]
        log.append(f"more {store.name}")
    both_ways(main, other)
    for store in (main, other):
        read = make(store, "log", clock).read_all()
        assert read == ["more other", "more main", "o3", "o2", "m2", "o1", "m1", "start"]


def test_a_merge_after_a_merge_keeps_older_entries(logs: tuple[Store[Any, None], MakeLog]) -> None:
    """The ancestor's newest entry may be newer than entries that only one side has: they must not be lost."""
    main, make = logs
    clock = ticks()
    make(main, "log", clock).append("start")
    other = main.clone("other")
    make(main, "log", clock).append("m1")
    make(other, "log", clock).append("o1")
    main.merge_with_branch("other")
    make(other, "log", clock).append("o2")
    main.merge_with_branch("other")
    assert make(main, "log", clock).read_all() == ["o2", "o1", "m1", "start"]


def test_criss_cross_merges_lose_and_double_nothing(logs: tuple[Store[Any, None], MakeLog]) -> None:
    main, make = logs
    clock = ticks()
    make(main, "log", clock).append("start")
    other = main.clone("other")
    make(main, "log", clock).append("m1")
    make(other, "log", clock).append("o1")
    before = main.head()
    main.merge_with_branch("other", message="there")
    other.merge_with_commit(before, message="here")
    make(main, "log", clock).append("m2")
    make(other, "log", clock).append("o2")
    both_ways(main, other)
    for store in (main, other):
        assert make(store, "log", clock).read_all() == ["o2", "m2", "o1", "m1", "start"]


def test_logs_without_an_ancestor_merge_to_everything(logs: tuple[Store[Any, None], MakeLog]) -> None:
    """CO-03, CO-04."""
    main, make = logs
    clock = ticks()
    repo = Repo.open(Memory(), main.tree().schema)
    here, apart = repo.branch("here"), repo.branch("apart")
    make(here, "log", clock).append("a")
    make(apart, "log", clock).append("b")
    here.merge_with_branch("apart")
    assert make(here, "log", clock).read_all() == ["b", "a"]


def test_the_order_of_a_log_does_not_need_a_clock_that_goes_on(
    logs: tuple[Store[Any, None], MakeLog],
) -> None:
    """CO-05."""
    main, make = logs
    log = make(main, "log", at(50, 50, 20))
    for entry in ("a", "b", "c"):
        log.append(entry)
    assert log.read_all() == ["c", "b", "a"]


def test_no_entry_is_lost_between_threads(logs: tuple[Store[Any, None], MakeLog]) -> None:
    main, make = logs

    def append() -> None:
        log = make(main, "log", lambda: 0)
        for _ in range(15):
            log.append("same")

    run_together(*[append] * 4)
    assert make(main, "log", machine_clock).read_all() == ["same"] * 60


def test_a_log_that_is_removed_here_and_longer_there_conflicts(
    logs: tuple[Store[Any, None], MakeLog],
) -> None:
    main, make = logs
    make(main, "log", ticks()).append("a")
    other = main.clone("other")
    make(other, "log", machine_clock).append("b")
    main.remove("log")
    with pytest.raises(MergeConflict):
        main.merge_with_branch("other")


def test_a_cursor_reads_page_by_page() -> None:
    """CO-04, TC-118."""
    main = open_main(LINKED)
    log: LinkedLog[str] = LinkedLog(main, "log", clock=ticks())
    assert log.read(1, log.cursor())[0] == []
    log.append("main.1")
    log.append("main.2")
    cursor = log.cursor()
    log.append("later")
    seen: list[list[str]] = []
    for _ in range(3):
        page, cursor = log.read(1, cursor)
        seen.append(page)
    assert seen == [["main.2"], ["main.1"], []]
    assert log.read(10, log.cursor())[0] == ["later", "main.2", "main.1"]
    assert log.read(0, log.cursor())[0] == []
    assert log.read_stamped(1, log.cursor())[0] == [Stamped("later", 3)]
    with pytest.raises(DecodeError):
        log.read(-1, log.cursor())


def test_an_append_to_a_linked_log_writes_the_same_however_long_it_is() -> None:
    """CO-04."""
    repo = Repo.open(Memory(), Schema(LINKED))
    log: LinkedLog[str] = LinkedLog(repo.main(), "log", clock=ticks())
    costs: list[int] = []
    for i in range(300):
        repo.counters.reset()
        log.append(str(i))
        costs.append(repo.counters.contents_add + repo.counters.node_add)
    assert sum(costs[-100:]) <= 800
    assert max(costs) <= 24  # a directory of items that splits


def test_a_linked_log_with_an_item_missing_is_told() -> None:
    main = open_main(LINKED)
    LinkedLog(main, "log").append("a")
    main.remove("log/items")
    with pytest.raises(Corrupted):
        LinkedLog(main, "log").read_all()


def test_a_container_replaces_nothing_that_is_not_its_own(logs: tuple[Store[Any, None], MakeLog]) -> None:
    main, make = logs
    make(main, "a/b/log", machine_clock).append("x")
    head = main.head()
    wrong = "a" if isinstance(make(main, "a", machine_clock), BlobLog) else "a/b/log/head"
    with pytest.raises(DecodeError, match="there is a"):
        make(main, wrong, machine_clock).append("y")
    assert main.head() == head


# -- any order of writes and merges

STEPS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=25)


def play(
    steps: list[tuple[int, int]], store: Store[T, None], write: Callable[[Store[T, None], str], None]
) -> tuple[list[Store[T, None]], list[list[str]]]:
    """Three branches after `steps` (a branch writes, or takes in another one), and what each should hold."""
    branches = [store, store.clone("b"), store.clone("c")]
    held: list[set[int]] = [set(), set(), set()]
    for number, (into, other) in enumerate(steps):
        if into == other:
            write(branches[into], str(number))
            held[into].add(number)
        elif branches[other].find_head() is not None:
            branches[into].merge_with_branch(branches[other].name or "", message=f"merge {number}")
            held[into] |= held[other]
    return branches, [[str(number) for number in sorted(entries, reverse=True)] for entries in held]


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_counters_count_each_write_once_however_branches_meet(steps: list[tuple[int, int]]) -> None:
    def write(store: Store[int, None], text: str) -> None:
        Counter(store, "c").inc(message=text)

    branches, held = play(steps, open_main(contents.Counter()), write)
    assert [Counter(store, "c").read() for store in branches] == [len(entries) for entries in held]


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_blob_logs_hold_each_write_once_however_branches_meet(steps: list[tuple[int, int]]) -> None:
    clock = ticks()
    branches, held = play(
        steps,
        open_main(BLOB),
        lambda store, text: void(BlobLog(store, "log", clock=clock).append(text, message=text)),
    )
    assert [BlobLog(store, "log").read_all() for store in branches] == held


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_linked_logs_hold_each_write_once_however_branches_meet(steps: list[tuple[int, int]]) -> None:
    clock = ticks()
    branches, held = play(
        steps,
        open_main(LINKED),
        lambda store, text: void(LinkedLog(store, "log", clock=clock).append(text, message=text)),
    )
    assert [LinkedLog(store, "log").read_all() for store in branches] == held


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_registers_hold_the_last_write_however_branches_meet(steps: list[tuple[int, int]]) -> None:
    clock = ticks()
    branches, held = play(
        steps,
        open_main(LWW),
        lambda store, text: void(LwwRegister(store, "r", clock=clock).write(text, message=text)),
    )
    assert [LwwRegister(store, "r").read() for store in branches] == [next(iter(h), None) for h in held]


# -- bytes

ENTRY = st.builds(Stamped, st.text(max_size=5), st.integers(-(2**63), 2**63 - 1))
HASHES = st.sets(st.binary(min_size=32, max_size=32), max_size=3).map(
    lambda rows: tuple([Hash(row) for row in sorted(rows)])
)


def in_order(entries: list[Stamped[str]]) -> tuple[Stamped[str], ...]:
    return tuple(sorted(entries, key=lambda e: (e.timestamp, e.value.encode()), reverse=True))


@given(ENTRY, st.lists(ENTRY, max_size=4).map(in_order), st.builds(Item[str], st.text(), st.just(3), HASHES))
def test_bytes_are_read_back(entry: Stamped[str], entries: tuple[Stamped[str], ...], item: Item[str]) -> None:
    assert LWW.decode(LWW.encode(entry)) == entry
    assert BLOB.decode(BLOB.encode(entries)) == entries
    assert LINKED.decode(LINKED.encode(item)) == item
    assert LINKED.decode(LINKED.encode(Heads(item.prev))) == Heads(item.prev)


@given(st.binary(max_size=40))
@settings(max_examples=300)
def test_other_bytes_are_refused(data: bytes) -> None:
    kinds: tuple[Contents[Any], ...] = (LWW, BLOB, LINKED)
    for kind in kinds:
        try:
            value = kind.decode(data)
        except DecodeError:
            continue
        assert kind.encode(value) == data


@pytest.mark.parametrize(
    "value",
    [0, None, [], [1], [[1]], [[b"x", b"x"]], [[], 1], [[], b"", 1], [[], True, b""], [[b"b", b"a"]], {}],
)
def test_msgpack_of_another_form_is_refused(value: object) -> None:
    data = Msgpack().encode(value)
    with pytest.raises(DecodeError):
        LINKED.decode(data)
    if value != []:
        with pytest.raises(DecodeError):
            BLOB.decode(data)


def test_values_that_have_no_bytes_are_refused() -> None:
    anything: Any = "text"
    for kind in (LWW, BLOB, LINKED):
        with pytest.raises(TypeError):
            kind.encode(anything)
    with pytest.raises(DecodeError, match="in order"):
        BLOB.encode((Stamped("a", 1), Stamped("b", 2)))
    with pytest.raises(DecodeError, match="64-bit"):
        LWW.encode(Stamped("a", 1 << 63))
    with pytest.raises(TypeError):
        LWW.encode(Stamped("a", True))
    with pytest.raises(DecodeError, match="twice"):
        LINKED.encode(Heads((Hash(b"x" * 32),) * 2))


def test_ids_name_the_type_of_the_entries() -> None:
    """CO-06: any type of contents, in any backend."""
    assert [kind.id for kind in (LWW, BLOB, LINKED)] == [
        "lww(string/1)/1",
        "blob-log(string/1)/1",
        "linked-log(string/1)/1",
    ]
    assert Schema(LWW) == Schema(LwwContents(String()))
    assert Schema(LWW) != Schema(LwwContents(Msgpack()))


def test_merges_of_contents_commute() -> None:
    """Items and heads of a linked log, without and with an ancestor."""
    a, b, c = (Hash(bytes([n]) * 32) for n in (1, 2, 3))
    assert LINKED.merge(NO_ANCESTOR, Heads((a,)), Heads((b,))) == Heads((a, b))
    assert LINKED.merge(Heads((a,)), Heads((c,)), Heads((b,))) == Heads((b, c))
    assert LINKED.merge(NO_ANCESTOR, Item("x", 1, ()), Item("x", 1, ())) == Item("x", 1, ())
    assert isinstance(LINKED.merge(NO_ANCESTOR, Item("x", 1, ()), Item("y", 1, ())), Conflict)
    assert isinstance(LINKED.merge(NO_ANCESTOR, Item("x", 1, ()), Heads(())), Conflict)
