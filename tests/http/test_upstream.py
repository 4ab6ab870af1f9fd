"""The routes of irmin-http under /irmin/, each as curl asks for it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from irminpy import Schema, contents
from irminpy.server.hub import Subscriber
from tests.http.served import Plain, served

pytestmark = pytest.mark.needs("curl")

ABSENT = "0" * 64


@pytest.fixture
def plain() -> Iterator[Plain]:
    with served(Schema(contents.String())) as found:
        yield found


class Curl:
    """What curl says of one path: the status, the headers and the body."""

    def __init__(self, program: str, url: str) -> None:
        self._program = program
        self._url = url

    def __call__(self, path: str, *options: str, data: object = None) -> tuple[int, str]:
        command = [self._program, "-sS", "-m", "60", "-w", "\n%{http_code}", *options]
        if data is not None:
            text = data if isinstance(data, str) else json.dumps(data)
            command += ["-H", "content-type: application/json", "--data-binary", text]
        done = subprocess.run(
            [*command, f"{self._url}irmin/{path}"], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    def json(self, path: str, *options: str, data: object = None) -> Any:
        status, body = self(path, *options, data=data)
        assert status == 200, body
        return json.loads(body)


@pytest.fixture
def curl(plain: Plain, tool_path: dict[str, str]) -> Curl:
    return Curl(tool_path["curl"], plain.url)


def blob(curl: Curl, text: str) -> str:
    status, hash_ = curl("blobs", data=text)
    assert status == 200, hash_
    return hash_


def test_contents_are_stored_and_read(plain: Plain, curl: Curl) -> None:
    """HT-01, HT-02."""
    hash_ = blob(curl, "some text")
    assert curl(f"blob/{hash_}") == (200, "some text")
    status, head = curl(f"blob/{hash_}", "--head")
    assert status == 200
    assert "x-irminversion: 3.7.2" in head.lower()
    assert curl(f"blob/{ABSENT}") == (404, "Not found")
    assert curl("blob/nothing") == (404, "Not found")
    plain.repo.main().set("a", "some text")
    kinded = plain.repo.main().hash("a")
    assert kinded is not None
    assert kinded.hash.hex() == hash_


def test_contents_of_another_type_are_a_parse_error(tool_path: dict[str, str]) -> None:
    """HT-01."""
    with served(Schema(contents.Json())) as plain:
        curl = Curl(tool_path["curl"], plain.url)
        status, body = curl("blobs", data="{")
        assert (status, json.loads(body)["error"]) == (400, "decode")
        assert curl(f"blob/{blob(curl, '{}')}") == (200, "{}")


def test_directories_are_stored_and_read(plain: Plain, curl: Curl) -> None:
    """HT-03, HT-04: large ones are lists of entries as well, however they are stored."""
    one = blob(curl, "1")
    entries = [{"Contents": {"name": "a", "contents": one}}]
    _, inner = curl("trees", data=entries)
    status, outer = curl("trees", data=[{"Node": {"name": "d", "node": inner}}, *entries])
    assert status == 200
    found = curl.json(f"tree/{outer}")
    assert found == [*entries, {"Node": {"name": "d", "node": inner}}]
    plain.repo.main().set_tree((), plain.repo.empty_tree().add("a", "1").add("d/a", "1"))
    assert plain.repo.main().tree().hash().hex() == outer
    assert curl(f"tree/{outer}", "--head")[0] == 200
    assert curl(f"tree/{ABSENT}")[0] == 404
    many = [{"Contents": {"name": f"{i:03}", "contents": one}} for i in range(100)]
    _, large = curl("trees", data=many)
    assert curl.json(f"tree/{large}") == many
    status, body = curl("trees", data=[{"Node": {"name": "x", "node": ABSENT}}])
    assert (status, json.loads(body)["error"]) == (422, "dangling-hash")
    bad: list[object] = [{}, [{"Node": {"name": "x"}}], [{"Other": {}}], [3]]
    for wrong in bad:
        assert curl("trees", data=wrong)[0] == 400


def test_directories_are_merged_by_the_server(curl: Curl) -> None:
    """HT-05."""
    one, two = blob(curl, "1"), blob(curl, "2")

    def tree(**entries: str) -> str:
        return curl("trees", data=[{"Contents": {"name": n, "contents": h}} for n, h in entries.items()])[1]

    old, left, right = tree(a=one), tree(a=one, b=two), tree(a=two)
    merged = curl.json("trees/merge", data={"old": old, "left": left, "right": right})
    assert merged == {"ok": {"some": tree(a=two, b=two)}}
    assert curl.json("trees/merge", data={"old": {"some": old}, "left": None, "right": None}) == {"ok": None}
    clash = curl.json("trees/merge", data={"left": tree(a=one), "right": tree(a=two)})
    assert "conflict" in clash
    assert curl("trees/merge", data={"left": ABSENT})[0] == 422


def test_commits_are_stored_and_read(plain: Plain, curl: Curl) -> None:
    """HT-06, HT-07."""
    _, node = curl("trees", data=[{"Contents": {"name": "a", "contents": blob(curl, "1")}}])
    info = {"date": 7, "author": "me", "message": "first"}
    _, one = curl("commits", data={"node": node, "parents": [], "info": info})
    _, two = curl("commits", data={"node": node, "parents": [one], "info": info})
    assert curl.json(f"commit/{two}") == {"node": node, "parents": [one], "info": info}
    assert curl(f"commit/{two}", "--head")[0] == 200
    assert curl(f"commit/{ABSENT}")[0] == 404
    assert plain.repo.at(two).get("a") == "1"
    assert curl("commits", data={"node": ABSENT, "parents": [], "info": info})[0] == 422
    assert curl("commits", data={"node": node, "parents": [ABSENT], "info": info})[0] == 422
    assert curl("commits", data={"node": node})[0] == 400


def test_nothing_is_stored_under_a_hash_that_it_does_not_have(curl: Curl) -> None:
    """HT-08, and decision 078."""
    one = blob(curl, "1")
    assert curl(f"unsafe/blobs/{one}", data="1") == (200, "")
    assert curl(f"unsafe/blobs/{one}", data="2")[0] == 400
    entries = [{"Contents": {"name": "a", "contents": one}}]
    _, node = curl("trees", data=entries)
    assert curl(f"unsafe/trees/{node}", data=entries) == (200, "")
    assert curl(f"unsafe/trees/{one}", data=entries)[0] == 400
    commit = {"node": node, "parents": [], "info": {"date": 0, "author": "", "message": ""}}
    _, hash_ = curl("commits", data=commit)
    assert curl(f"unsafe/commits/{hash_}", data=commit) == (200, "")
    assert curl(f"unsafe/commits/{one}", data=commit)[0] == 400


def test_branches_are_listed_set_and_removed(plain: Plain, curl: Curl) -> None:
    """HT-09 to HT-12: names hold slashes; a test that fails makes the answer a failure."""
    one = plain.repo.main().set("a", "1")
    two = plain.repo.main().set("a", "2")
    assert one is not None
    assert two is not None
    assert curl.json("branches") == ["main"]
    assert curl("branches", "--head")[0] == 200
    assert curl("branch/main") == (200, two.hash.hex())
    assert curl("branch/main", "--head")[0] == 200
    put = ("-X", "PUT")
    name = "branch/feature/x"
    assert curl(name) == (404, "Not found")
    assert curl.json(name, *put, data={"v": one.hash.hex()}) == {"status": "ok"}
    assert curl(name) == (200, one.hash.hex())
    set_ = {"test": one.hash.hex(), "set": two.hash.hex()}
    assert curl.json(name, *put, data=set_) == {"status": "true"}
    assert curl(name, *put, data=set_) == (412, '{"status": "false"}')
    assert curl.json(name, *put, data={"test": two.hash.hex()}) == {"status": "true"}
    assert curl(name)[0] == 404
    assert curl.json(name, *put, data={"set": one.hash.hex()}) == {"status": "true"}
    assert curl.json(name, "-X", "DELETE") == {"status": "ok"}
    assert curl.json(name, "-X", "DELETE") == {"status": "ok"}
    assert curl.json("branches") == ["main"]
    assert curl(name, *put, data={"v": ABSENT})[0] == 422
    assert curl(name, *put, data={"v": one.hash.hex(), "set": None})[0] == 400
    assert curl("branch/a%20b", *put, data={"v": one.hash.hex()})[0] == 400


def lines(plain: Plain, program: str, *options: str) -> subprocess.Popen[str]:
    command = [program, "-sSN", "-m", "60", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> Any:
    """The next event of an endless array."""
    assert process.stdout is not None
    text = ""
    while True:
        one = process.stdout.read(1)
        assert one, f"it ended after {text!r}"
        text += one
        if text.strip() in ("", "["):
            text = "" if text.strip() else text
            continue
        if text.endswith(","):
            try:
                return json.loads(text[:-1])
            except json.JSONDecodeError:
                continue


def test_changes_are_an_endless_array(plain: Plain, tool_path: dict[str, str]) -> None:
    """HT-13, HT-14: of all branches and of one; a POST says what is known, and is told what has happened since."""
    one = plain.repo.main().set("a", "1")
    two = plain.repo.main().set("a", "2")
    assert one is not None
    assert two is not None
    first, second = one.hash.hex(), two.hash.hex()
    post = ("-H", "content-type: application/json", "--data-binary")
    known = json.dumps([{"branch": "main", "commit": first}])
    url = f"{plain.url}irmin"
    updated = {"branch": "main", "diff": {"updated": [first, second]}}
    program = tool_path["curl"]
    with (
        lines(plain, program, *post, known, f"{url}/watches") as every,
        lines(plain, program, *post, json.dumps(first), f"{url}/watch/main") as single,
        lines(plain, program, f"{url}/watches") as later,
        lines(plain, program, f"{url}/watch/dev/x") as other,
    ):
        assert told(every) == told(single) == updated
        for process in (later, other):  # each has begun once the array has
            assert process.stdout is not None
            assert process.stdout.read(1) == "["
        plain.repo.branch("dev/x").set_head(one)
        added = {"branch": "dev/x", "diff": {"added": first}}
        assert told(every) == told(later) == told(other) == added
        plain.repo.remove_branch("dev/x")
        plain.repo.main().set_head(one)
        assert told(other) == {"branch": "dev/x", "diff": {"removed": first}}
        assert told(every) == {"branch": "dev/x", "diff": {"removed": first}}
        assert told(single) == told(every) == {"branch": "main", "diff": {"updated": [second, first]}}
        for process in (every, single, later, other):
            process.kill()


def test_who_says_nothing_of_what_is_known_is_told_what_was_there_before(
    plain: Plain, tool_path: dict[str, str]
) -> None:
    """HT-13, HT-14."""
    one = plain.repo.main().set("a", "1")
    two = plain.repo.main().set("a", "2")
    assert one is not None
    assert two is not None
    first, second = one.hash.hex(), two.hash.hex()
    program, url = tool_path["curl"], f"{plain.url}irmin"
    with (
        lines(plain, program, f"{url}/watches") as every,
        lines(plain, program, f"{url}/watch/main") as single,
    ):
        for process in (every, single):
            assert process.stdout is not None
            assert process.stdout.read(1) == "["
        plain.repo.main().set_head(one)
        assert told(every) == told(single) == {"branch": "main", "diff": {"updated": [second, first]}}
        plain.repo.remove_branch("main")
        assert told(every) == told(single) == {"branch": "main", "diff": {"removed": first}}
        plain.repo.main().set_head(two)
        assert told(every) == told(single) == {"branch": "main", "diff": {"added": second}}
        for process in (every, single):
            process.kill()
    with lines(plain, program, f"{url}/watch/main") as single:
        assert single.stdout is not None
        assert single.stdout.read(1) == "["
        plain.repo.remove_branch("main")
        assert told(single) == {"branch": "main", "diff": {"removed": second}}
        single.kill()


def test_what_changes_once_the_array_has_begun_is_told(
    plain: Plain, tool_path: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HT-13: also what changes before the watch is first asked what there is."""
    take, changed = Subscriber.take, threading.Event()

    async def late(self: Subscriber, timeout: float) -> Any:
        while not changed.is_set():
            await asyncio.sleep(0.01)
        return await take(self, timeout)

    monkeypatch.setattr(Subscriber, "take", late)
    one = plain.repo.main().set("a", "1")
    assert one is not None
    with lines(plain, tool_path["curl"], f"{plain.url}irmin/watches") as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == "["
        plain.repo.branch("dev").set_head(one)
        changed.set()
        plain.repo.branch("end").set_head(one)
        assert told(process) == {"branch": "dev", "diff": {"added": one.hash.hex()}}
        process.kill()


def test_nothing_is_cleared_and_nothing_else_is_there(curl: Curl) -> None:
    """HT-15, HT-17: clearing went with Irmin 3, and the pack of a server is cleared by nobody."""
    for path in ("clear/blobs", "clear/trees", "clear/commits", "clear/branches", "nothing", ""):
        status, _ = curl(path, data="")
        assert status == 404
    assert curl("graphql")[0] == 404
