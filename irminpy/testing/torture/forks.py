"""Functions run in forked children under an alarm: what they return, or how they died.

An experiment may hang, be killed or take a SIGBUS; the parent goes on and reports it. Answers are JSON values.
"""

from __future__ import annotations

import json
import os
import select
import signal
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar, cast

__all__ = ["Died", "Raised", "call", "cpus", "spread", "start"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Died:
    """The child ended without an answer: by `signal`, or with the exit code `code`."""

    signal: int = 0
    code: int = 0

    def __str__(self) -> str:
        if self.signal == signal.SIGALRM:
            return "hung: the alarm ended it"
        return f"killed by {signal.Signals(self.signal).name}" if self.signal else f"exit code {self.code}"


@dataclass(frozen=True, slots=True)
class Raised:
    """The function raised; `text` is the traceback."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class Child(Generic[R]):
    """A forked child, and the pipe on which its answers come."""

    pid: int
    pipe: int
    buffer: bytearray

    def answers(self, *, timeout: float | None = None) -> list[R]:
        """The answers that are there, after waiting at most `timeout` seconds; none at the end of the pipe too."""
        ready, _, _ = select.select([self.pipe], [], [], timeout)
        if ready:
            data = os.read(self.pipe, 1 << 20)
            self.buffer += data
        out: list[R] = []
        while len(self.buffer) >= 4:
            size = int.from_bytes(self.buffer[:4], "little")
            if len(self.buffer) < 4 + size:
                break
            out.append(cast("R", json.loads(self.buffer[4 : 4 + size])))
            del self.buffer[: 4 + size]
        return out

    def rest(self) -> list[R]:
        """All answers until the child closes the pipe."""
        out: list[R] = []
        while True:
            data = os.read(self.pipe, 1 << 20)
            if not data:
                return out + self.answers(timeout=0)
            self.buffer += data
            out += self.answers(timeout=0)

    def wait(self) -> Died:
        """How it ended."""
        os.close(self.pipe)
        _, status = os.waitpid(self.pid, 0)
        return _died(status)


def _died(status: int) -> Died:
    if os.WIFSIGNALED(status):
        return Died(signal=os.WTERMSIG(status))
    return Died(code=os.WEXITSTATUS(status))


def start(body: Callable[[Callable[[R], None]], None], timeout: float) -> Child[R]:
    """Run `body(send)` in a child that an alarm ends after `timeout` seconds; `send` hands an answer to the parent."""
    out, into = os.pipe()
    pid = os.fork()
    if pid:
        os.close(into)
        return Child(pid, out, bytearray())
    # INVARIANT: the child never returns into the parent's code.
    code = 70
    try:
        os.close(out)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, timeout)
        warnings.simplefilter("ignore")  # what a store warns of is the checker's to judge

        def send(answer: R) -> None:
            data = json.dumps(answer).encode()
            view = memoryview(len(data).to_bytes(4, "little") + data)
            try:
                while view:
                    view = view[os.write(into, view) :]
            except BrokenPipeError:
                os._exit(code)  # the parent has all that it wants; no store under test is to see this error

        body(send)
        code = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def call(function: Callable[[], R], timeout: float) -> R | Died | Raised:
    """What `function` returns, run in a child; Died if it does not return, Raised if it raises."""
    child: Child[Any] = start(lambda send: send(_tried(function)), timeout)
    answers = child.rest()
    died = child.wait()
    return _answer(answers[0]) if answers else died


def _tried(function: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"answer": function()}
    except BaseException:
        return {"raised": traceback.format_exc()}


def _answer(message: dict[str, Any]) -> Any:
    return Raised(message["raised"]) if "raised" in message else message["answer"]


def cpus() -> int:
    """How many children are worth running at once."""
    return len(os.sched_getaffinity(0))


def spread(
    function: Callable[[T], R], items: Iterable[T], *, timeout: float, batch: int = 25, width: int = 0
) -> Iterator[tuple[T, R | Died | Raised]]:
    """Each item with what `function` makes of it, in no order, `width` children at a time (0: one a processor).

    A child takes `batch` items, with an alarm of `timeout` seconds for each of them; one that dies has its item
    reported as Died and the rest of its batch run in another.
    """
    source = iter(items)
    waiting: list[list[T]] = []
    running: dict[int, tuple[Child[Any], list[T], int]] = {}
    width = width or cpus()
    try:
        while True:
            while len(running) < width:
                todo = waiting.pop() if waiting else list(islice(source, batch))
                if not todo:
                    break
                child: Child[Any] = start(_batch(function, todo, timeout), timeout)
                running[child.pipe] = (child, todo, 0)
            if not running:
                return
            ready, _, _ = select.select(list(running), [], [])
            for pipe in ready:
                child, todo, at = running[pipe]
                before = len(child.buffer)
                answers = child.answers(timeout=0)
                ended = not answers and len(child.buffer) == before
                for answer in answers:
                    yield todo[at], _answer(answer)
                    at += 1
                running[pipe] = (child, todo, at)
                if ended:
                    del running[pipe]
                    died = child.wait()
                    if at < len(todo):
                        yield todo[at], died
                        if todo[at + 1 :]:
                            waiting.append(todo[at + 1 :])
    finally:  # the caller has seen enough
        for child, _, _ in running.values():
            os.kill(child.pid, signal.SIGKILL)
            child.wait()


def _batch(
    function: Callable[[T], R], todo: Sequence[T], timeout: float
) -> Callable[[Callable[[Any], None]], None]:
    def body(send: Callable[[Any], None]) -> None:
        for item in todo:
            signal.setitimer(signal.ITIMER_REAL, timeout)
            send(_tried(partial(function, item)))

    return body
