"""The REST routes: answers and their twins in JSON, entity tags, conditions, batches, proofs, slices, watches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

import irminpy
from irminpy import Proof, Schema, contents, errors, verify_proof
from irminpy.errors import MergeConflict
from irminpy.proof import Absence, Page, Read, StreamProof
from irminpy.proof.verify import verify_stream
from irminpy.server import Limits
from irminpy.server.routes import ROUTES, UPSTREAM
from irminpy.slice import Slice
from tests.http.served import Plain, served

ABSENT = "0" * 64


@pytest.fixture
def plain() -> Iterator[Plain]:
    with served() as found:
        yield found


def ok(response: httpx2.Response) -> Any:
    assert response.is_success, response.text
    return response.json()


def refused(response: httpx2.Response, status: int, kind: str) -> dict[str, Any]:
    told: dict[str, Any] = response.json()
    assert (response.status_code, told["error"]) == (status, kind), response.text
    assert response.headers["content-type"] == "application/problem+json"
    return told


def test_the_root_says_what_is_served(plain: Plain) -> None:
    told = ok(plain.http.get("/"))
    assert told["schema"] == Schema().describe()
    assert told["identity"] == Schema().identity.hex()
    assert told["readonly"] is False


def test_a_value_is_its_bytes_and_in_json_its_text_or_base64(plain: Plain) -> None:
    main = plain.repo.main()
    main.set("theme/name", "größe".encode())
    main.set("theme/raw", b"\xff\0")
    answer = plain.http.get("/trees/main/theme/name")
    assert answer.content == "größe".encode()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"
    told = ok(plain.http.get("/trees.json/main/theme/name"))
    assert (told["kind"], told["text"]) == ("contents", "größe")
    assert ok(plain.http.get("/trees.json/main/theme/raw"))["base64"] == "/wA="
    refused(plain.http.get("/trees/main/theme/nothing"), 404, "not-found")
    refused(plain.http.get("/trees/nothing/theme"), 404, "not-found")


def test_a_directory_is_a_page_of_its_entries(plain: Plain) -> None:
    with plain.repo.main().edit("d") as edit:
        for i in range(40):
            edit[f"{i:02}"] = b"%d" % i
    told = ok(plain.http.get("/trees/main/d?offset=35&length=10"))
    assert (told["kind"], told["length"], told["offset"], len(told["entries"])) == ("node", 40, 35, 5)
    listed = [step for step, _ in plain.repo.main().tree().list("d")]
    assert [entry["step"] for entry in told["entries"]] == listed[35:]
    assert ok(plain.http.get("/trees.json/main/d?offset=35&length=10")) == told
    assert ok(plain.http.get("/trees/main"))["entries"][0]["kind"] == "node"
    assert len(ok(plain.http.get("/trees/main/d"))["entries"]) == 40
    refused(plain.http.get("/trees/main/d?length=1001"), 400, "query")


def test_a_value_of_any_length_goes_in_and_out_in_pieces(plain: Plain) -> None:
    value = bytes(range(256)) * 12_000
    made = ok(plain.http.put("/trees/main/large?message=big", content=iter([value[:1000], value[1000:]])))
    assert plain.repo.main().get("large") == value
    assert plain.repo.main().head().info.message == "big"
    assert made["commit"] == plain.head()
    with plain.http.stream("GET", "/trees/main/large") as answer:
        assert b"".join(answer.iter_bytes()) == value
        assert answer.headers["content-length"] == str(len(value))


@pytest.mark.parametrize("kind", [contents.Bytes(), contents.Json()], ids=["bytes", "json"])
def test_a_value_that_is_too_large_for_json_is_its_bytes_only(kind: Any) -> None:
    large: Any = b"\0" * 1001 if isinstance(kind, contents.Bytes) else ["x" * 1001]
    with served(Schema(kind), limits=Limits(answer=1000)) as plain:
        plain.repo.main().set("a", large)
        told = refused(plain.http.get("/trees.json/main/a"), 413, "answer")
        assert "1000 bytes" in told["detail"]
        assert plain.http.get("/trees/main/a").content == kind.encode(large)


def test_a_page_of_differences_ends_with_the_one_that_fills_the_answer() -> None:
    with served(limits=Limits(answer=1000)) as plain:
        plain.repo.main().set("a", b"1")
        with plain.repo.main().edit("d") as edit:
            for i in range(5):
                edit[str(i)] = b"x" * 400
        pages, skip = list[list[str]](), 0
        while True:
            told = ok(plain.http.get(f"/diff/main~1/main?skip={skip}"))
            pages.append([change["path"][-1] for change in told["changes"]])
            skip += len(told["changes"])
            if not told["more"]:
                break
        assert pages == [["0", "1", "2"], ["3", "4"]]


def test_a_write_that_lost_all_races_is_told_to_come_again(
    plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.repo.main().set("a", b"1")
    backend = plain.repo._opened.backend
    write = type(backend).write
    monkeypatch.setattr("irminpy.server.batches._RETRIES", 3)
    monkeypatch.setattr(
        type(backend), "write", lambda self, objects, updates=(): not updates and write(self, objects)
    )
    refused(plain.http.put("/trees/main/a", content=b"2"), 503, "too-many-retries")


def test_what_never_changes_may_be_kept_and_a_tag_that_is_known_is_not_sent_again(plain: Plain) -> None:
    plain.repo.main().set("a", b"1")
    head = plain.head()
    for path, forever in (
        (f"/trees/{head}/a", True),
        ("/trees/main/a", False),
        (f"/commits/{head}", True),
        ("/branches/main", False),
    ):
        answer = plain.http.get(path)
        assert ("immutable" in answer.headers["cache-control"]) is forever
    for path in (f"/trees/{head}/a", "/trees/main/a", "/trees/main", "/branches/main"):
        tag = plain.http.get(path).headers["etag"]
        again = plain.http.get(path, headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert plain.http.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_a_branch_moves_only_for_who_says_which_head_he_saw(plain: Plain) -> None:
    one = plain.repo.main().set("a", b"1")
    two = plain.repo.main().set("a", b"2")
    assert one is not None
    assert two is not None
    path, body = "/branches/dev", {"commit": one.hash.hex()}
    refused(plain.http.put(path, json=body), 428, "condition")
    refused(plain.http.put(path, json=body, headers={"if-match": f'"{two.hash.hex()}"'}), 412, "stale")
    refused(plain.http.put(path, json=body, headers={"if-match": "*"}), 412, "stale")
    made = plain.http.put(path, json=body, headers={"if-none-match": "*"})
    assert (made.status_code, made.headers["etag"]) == (201, f'"{one.hash.hex()}"')
    stale = plain.http.put(path, json=body, headers={"if-none-match": "*"})
    assert one.hash.hex() in refused(stale, 412, "stale")["detail"]
    assert stale.headers["etag"] == f'"{one.hash.hex()}"'
    moved = plain.http.put(path, json={"commit": two.hash.hex()}, headers={"if-match": made.headers["etag"]})
    assert moved.status_code == 200
    assert plain.repo.branch("dev").head() == two
    assert plain.http.put(path, json=body, headers={"if-match": "*"}).status_code == 200
    absent = plain.http.put(path, json={"commit": ABSENT}, headers={"if-match": "*"})
    refused(absent, 422, "dangling-hash")
    refused(plain.http.delete(path), 428, "condition")
    refused(plain.http.delete(path, headers={"if-match": moved.headers["etag"]}), 412, "stale")
    assert plain.http.delete(path, headers={"if-match": made.headers["etag"]}).status_code == 204
    refused(plain.http.get(path), 404, "not-found")


def test_branches_with_slashes_are_one_segment(plain: Plain) -> None:
    plain.repo.branch("feature/x").set("a/b", b"1")
    assert ok(plain.http.get("/branches/feature%2Fx"))["branch"] == "feature/x"
    assert plain.http.get("/trees/feature%2Fx/a/b").content == b"1"
    assert ok(plain.http.get("/branches"))["branches"] == {"feature/x": plain.head("feature/x")}
    refused(plain.http.get("/branches/feature/x"), 404, "not-found")


def test_a_batch_is_one_commit_or_nothing(plain: Plain) -> None:
    changes: list[dict[str, Any]] = [
        {"path": "a/b", "text": "1"},
        {"path": ["a", "c"], "base64": "/w=="},
        {"path": "gone", "remove": True},
    ]
    made = ok(
        plain.http.patch(
            "/trees/main", json={"message": "first", "author": "me", "date": 7, "changes": changes}
        )
    )
    commit = plain.repo.main().head()
    assert (made["commit"], made["changed"]) == (commit.hash.hex(), True)
    assert (commit.info.message, commit.info.author, commit.info.date) == ("first", "me", 7)
    assert (plain.repo.main().get("a/b"), plain.repo.main().get("a/c")) == (b"1", b"\xff")
    assert ok(plain.http.patch("/trees/main", json={"changes": changes}))["changed"] is False
    bad = [{"path": "a/b", "text": "2"}, {"path": "a/c", "test": {"text": "no"}, "text": "3"}]
    refused(plain.http.patch("/trees/main", json={"changes": bad}), 412, "test-was")
    for wrong in (
        [{"path": "a"}],
        [{"text": "x"}],
        [{"path": "x", "text": 1}],
        [{"path": "", "text": "x"}],
        [{"path": "x", "text": "x", "more": 1}],
        [{"path": ["a", 1], "text": "x"}],
        [{"path": "x", "base64": "?"}],
        [{"path": "x", "value": 1}],
        ["x"],
        "x",
    ):
        refused(plain.http.patch("/trees/main", json={"changes": wrong}), 400, "decode")
    assert plain.repo.main().head() == commit


def test_a_write_on_a_head_that_has_moved_is_refused(plain: Plain) -> None:
    first = ok(plain.http.put("/trees/main/a", content=b"1", headers={"if-none-match": "*"}))
    refused(plain.http.put("/trees/main/a", content=b"2", headers={"if-none-match": "*"}), 412, "stale")
    tag = {"if-match": f'"{first["commit"]}"'}
    assert plain.http.put("/trees/main/a", content=b"2", headers=tag).status_code == 201
    for answer in (
        plain.http.put("/trees/main/a", content=b"3", headers=tag),
        plain.http.delete("/trees/main/a", headers=tag),
        plain.http.patch("/trees/main", json={"changes": []}, headers=tag),
    ):
        refused(answer, 412, "stale")
    assert plain.repo.main().get("a") == b"2"
    assert plain.http.delete("/trees/main/a?message=away").status_code == 201
    refused(plain.http.delete("/trees/main/a"), 404, "not-found")
    assert plain.repo.main().head().info.message == "away"


def test_json_contents_are_values() -> None:
    with served(Schema(contents.Json())) as plain:
        change = {"path": "a", "value": {"x": [1, None]}}
        ok(plain.http.patch("/trees/main", json={"changes": [change]}))
        assert plain.repo.main().get("a") == {"x": [1, None]}
        assert ok(plain.http.get("/trees.json/main/a"))["value"] == {"x": [1, None]}
        assert plain.http.get("/trees/main/a").json() == {"x": [1, None]}
        ok(plain.http.put("/trees/main/b", content=b"[1]"))
        assert plain.repo.main().get("b") == [1]
        refused(plain.http.put("/trees/main/b", content=b"[1 "), 400, "decode")
    with served(Schema(contents.Counter())) as plain:
        ok(plain.http.patch("/trees/main", json={"changes": [{"path": "n", "value": 3}]}))
        assert ok(plain.http.get("/trees.json/main/n"))["value"] == 3
        for wrong in ("3", None, 1.5, [3]):
            bad: dict[str, Any] = {"path": "n", "value": wrong}
            refused(plain.http.patch("/trees/main", json={"changes": [bad]}), 400, "decode")


def test_commits_logs_and_differences_are_told(plain: Plain) -> None:
    main = plain.repo.main()
    made = [main.set(f"k{i % 2}/v", b"%d" % i, message=f"m{i}") for i in range(5)]
    assert all(made)
    head = ok(plain.http.get("/commits/main"))
    assert head == main.head().to_json()
    assert ok(plain.http.get("/commits/main~1"))["info"]["message"] == "m3"
    found = ok(plain.http.get(f"/commits?prefix={head['hash'][:6]}"))["commits"]
    assert found == [head["hash"]]
    told = ok(plain.http.get("/log/main?n=2&skip=1"))["commits"]
    assert [commit["info"]["message"] for commit in told] == ["m3", "m2"]
    told = ok(plain.http.get("/log/main?path=k1/v"))["commits"]
    assert [commit["info"]["message"] for commit in told] == ["m3", "m1"]
    told = ok(plain.http.get("/diff/main~4/main"))
    assert told["more"] is False
    assert told["changes"] == [
        {"path": ["k0", "v"], "updated": [{"text": "0"}, {"text": "4"}]},
        {"path": ["k1", "v"], "added": {"text": "3"}},
    ]
    told = ok(plain.http.get("/diff/main~4/main?n=1"))
    assert (len(told["changes"]), told["more"]) == (1, True)
    told = ok(plain.http.get("/diff/main~4/main?path=k1"))
    assert told["changes"] == [{"path": ["v"], "added": {"text": "3"}}]


def test_branches_are_merged_and_conflicts_have_all_sides(plain: Plain) -> None:
    main = plain.repo.main()
    main.set("a", b"0")
    dev = main.clone("dev")
    dev.set("b", b"1")
    body = {"into": "main", "from": "dev", "message": "merge", "author": "me"}
    assert ok(plain.http.post("/merge", json=body))["commit"] == dev.head().hash.hex()
    assert ok(plain.http.post("/merge", json=body))["changed"] is False
    main.set("a", b"ours")
    dev.set("a", b"theirs")
    error = errors.from_json(refused(plain.http.post("/merge", json=body), 409, "merge-conflict"))
    assert isinstance(error, MergeConflict)
    assert error.conflicts[0].path == ("a",)
    assert (error.conflicts[0].ours, error.conflicts[0].theirs) == (b"ours".hex(), b"theirs".hex())
    ok(plain.http.post("/merge", json={**body, "on_conflict": "theirs"}))
    assert main.get("a") == b"theirs"
    assert main.head().info.message == "merge"
    for wrong in ({"into": "main"}, {**body, "on_conflict": "mine"}, {**body, "message": 3}):
        refused(plain.http.post("/merge", json=wrong), 400, "decode")
    refused(plain.http.post("/merge", json={**body, "from": "nobody"}), 404, "not-found")


def test_proofs_are_checked_by_whoever_knows_the_root(plain: Plain) -> None:
    with plain.repo.main().edit("accounts") as edit:
        for i in range(200):
            edit[f"{i:03}"] = b"%d" % i
    schema = Schema()
    root = plain.repo.main().head().tree_hash
    answer = plain.http.get("/proof/main?path=accounts/007&path=accounts/none")
    assert answer.headers["content-type"] == "application/vnd.irmin.proof+msgpack"
    job = Read(["accounts/007", "accounts/none"])
    _, result = verify_proof(Proof.from_bytes(answer.content, schema), job, schema, root=root)
    assert result == {("accounts", "007"): b"7", ("accounts", "none"): None}
    for path in ("/proof.json/main?path=accounts/007", "/proof/main?path=accounts/007"):
        told = ok(plain.http.get(path, headers={"accept": "application/json"}))
        verify_proof(Proof.from_json(told, schema), Read(["accounts/007"]), schema, root=root)
    absent = plain.http.get("/proof/main?job=absence&path=accounts/none").content
    assert verify_proof(Proof.from_bytes(absent, schema), Absence(["accounts/none"]), schema, root=root)[1]
    page = plain.http.get("/proof/main?job=page&path=accounts&offset=190&length=20").content
    found = verify_proof(Proof.from_bytes(page, schema), Page("accounts", 190, 20), schema, root=root)[1]
    assert (found[0], len(found[1])) == (200, 10)
    stream = plain.http.get(f"/proof/{root.hex()}?path=accounts/007&stream=1").content
    proof = StreamProof.from_bytes(stream, schema)
    assert verify_stream(proof, Read(["accounts/007"]), schema, root=root)[1] == {("accounts", "007"): b"7"}
    refused(plain.http.get("/proof/main"), 400, "decode")
    refused(plain.http.get("/proof/main?job=all&path=a"), 400, "decode")


def test_a_slice_goes_out_and_in(plain: Plain) -> None:
    main = plain.repo.main()
    for i in range(3):
        main.set("a", b"%d" % i)
    raw = plain.http.get("/slice/main?min=main~1").content
    found = Slice.from_bytes(raw, Schema())
    assert found.heads == (main.head().hash,)
    whole = plain.http.get("/slice/main").content
    with served() as other:
        headers = {"content-type": "application/vnd.irmin.slice"}
        refused(other.http.post("/slice", content=raw, headers=headers), 422, "dangling-hash")
        told = ok(other.http.post("/slice", content=whole, headers=headers))
        assert told["heads"] == [main.head().hash.hex()]
        assert told["objects"] == len(Slice.from_bytes(whole, Schema()))
        assert other.repo.find_commit(main.head().hash) is not None
        assert other.repo.branches() == []
        refused(other.http.post("/slice", content=whole[:-1], headers=headers), 400, "decode")
        refused(other.http.post("/slice", content=whole), 415, "media-type")


def test_one_object_is_its_canonical_bytes(plain: Plain) -> None:
    plain.repo.main().set("a", b"1")
    head = plain.repo.main().head()
    answer = plain.http.get(f"/objects/commit/{head.hash.hex()}")
    assert answer.content == head.to_bytes()
    assert irminpy.verify_commit(answer.content, Schema(), hash=head.hash).tree_hash == head.tree_hash
    refused(plain.http.get(f"/objects/node/{head.hash.hex()}"), 404, "not-found")
    refused(plain.http.get(f"/objects/thing/{head.hash.hex()}"), 404, "not-found")
    refused(plain.http.get("/objects/commit/xyz"), 400, "invalid-hash")


def events(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    """(name, position, data) of each event of a stream."""
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(": ")
        if colon and name:
            fields[name] = value
        elif not line and fields:
            yield fields["event"], fields["id"], json.loads(fields["data"])
            fields = {}


def test_a_watch_tells_all_branches_and_then_each_change(plain: Plain) -> None:
    main = plain.repo.main()
    one = main.set("a", b"1")
    assert one is not None
    with plain.http.stream("GET", "/watch") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = events(answer.iter_lines())
        assert next(told)[2] == {"refs": {"main": one.hash.hex()}}
        two = main.set("a", b"2")
        assert two is not None
        kind, position, data = next(told)
        assert (kind, data) == (
            "change",
            {"branch": "main", "before": one.hash.hex(), "after": two.hash.hex()},
        )
    main.clone("dev")
    plain.repo.remove_branch("dev")
    with plain.http.stream("GET", "/watch", headers={"last-event-id": position}) as answer:
        told = events(answer.iter_lines())
        assert [next(told)[2]["after"] for _ in range(2)] == [two.hash.hex(), None]
    for unknown in ("other-1", "x", f"{position}999"):
        with plain.http.stream("GET", "/watch?branch=main", headers={"last-event-id": unknown}) as answer:
            assert next(events(answer.iter_lines()))[2] == {"refs": {"main": two.hash.hex()}}


def test_a_watch_of_one_branch_hears_of_no_other(plain: Plain) -> None:
    with plain.http.stream("GET", "/watch?branch=dev") as answer:
        told = events(answer.iter_lines())
        assert next(told)[2] == {"refs": {}}
        plain.repo.main().set("a", b"1")
        dev = plain.repo.branch("dev").set("a", b"2")
        assert dev is not None
        assert next(told)[2] == {"branch": "dev", "before": None, "after": dev.hash.hex()}


def test_the_description_has_every_route_and_every_route_an_answer(plain: Plain) -> None:
    told = ok(plain.http.get("/openapi.json"))
    described = {(method.upper(), path) for path, item in told["paths"].items() for method in item}
    routed = {(route.method, route.pattern.replace("*}", "}")) for route in ROUTES if not route.endless}
    assert described == routed | {("GET", "/"), ("GET", "/openapi.json")}
    plain.repo.main().set("a", b"1")
    known = {
        "{branch}": "main",
        "{rev}": "main",
        "{other}": "main",
        "{path*}": "a",
        "{kind}": "node",
        "{hash}": ABSENT,
    }
    for route in (*ROUTES, *UPSTREAM):
        if route.endless:
            continue
        path = route.pattern
        for name, value in known.items():
            path = path.replace(name, value)
        answer = plain.http.request(route.method, path)
        assert answer.status_code not in (405, 500), (route.method, path, answer.text)
        assert "no such route" not in answer.text


def test_head_answers_as_get_without_a_body(plain: Plain) -> None:
    plain.repo.main().set("a", b"12345")
    for path in ("/", "/branches", "/trees/main/a", "/commits/main", "/watch"):
        answer = plain.http.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
    assert plain.http.head("/trees/main/a").headers["content-length"] == "5"


def test_a_method_that_a_route_does_not_have_is_told_from_a_route_that_is_not_there(plain: Plain) -> None:
    answer = plain.http.post("/branches", json={})
    refused(answer, 405, "method")
    assert answer.headers["allow"] == "GET, HEAD"
    assert plain.http.post("/trees/main/a").headers["allow"] == "DELETE, GET, HEAD, PUT"
    assert plain.http.get("/merge").headers["allow"] == "POST"
    refused(plain.http.get("/nothing"), 404, "not-found")
    refused(plain.http.get("/irmin.json/branches"), 404, "not-found")


def test_a_page_is_bounded_by_the_limits() -> None:
    with served(limits=Limits(page=2)) as plain:
        for i in range(4):
            plain.repo.main().set(f"k{i}", b"1")
        assert len(ok(plain.http.get("/log/main"))["commits"]) == 2
        assert len(ok(plain.http.get("/trees/main"))["entries"]) == 2
        refused(plain.http.get("/log/main?n=3"), 400, "query")
