"""Every kind of finding, from a store that was made to have it; and none on a store that is in order."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from irminpy import Hash, Repo
from irminpy.backend import Checking, RefUpdate
from irminpy.cli import main as command
from irminpy.errors import Corrupted, DanglingHash, DecodeError, NotAStore, SchemaMismatch
from irminpy.info import Info
from irminpy.objects import DIRECTORY, Inode, Kind, Objects, words_of
from irminpy.objects import Commit as CommitVal
from irminpy.schema import Schema
from irminpy_pack import Pack, word
from irminpy_pack.files import Files
from irminpy_pack.fsck import LEVELS, Report, fsck
from irminpy_pack.identity import Identity, Root
from irminpy_pack.index import Index
from irminpy_pack.traverse import Row

from .stores import SCHEMA, commits, last_segment, opened

CODEC = SCHEMA.codec


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


def faults(path: Path, level: str = "deep") -> set[str]:
    return {finding.fault for finding in Pack(str(path)).fsck(level=level).findings}


def written(path: Path, objects: Objects) -> None:
    """Write what no tree would, by the backend."""
    with opened(path) as repo:
        assert repo._opened.backend.write(objects)


@pytest.mark.parametrize("index", ["always", "minimal"])
@pytest.mark.parametrize("seal", [1 << 14, 1 << 28])
def test_a_store_that_was_used_at_random_has_no_finding(path: Path, index: str, seal: int) -> None:
    chosen = random.Random(7)
    with opened(path, index=index, seal=seal, durability="none") as repo:
        main = repo.main()
        for round_ in range(40):
            with main.edit(message=str(round_)) as ed:
                for _ in range(25):
                    ed[f"d/{chosen.randrange(300)}"] = chosen.randbytes(20)
            if round_ % 7 == 0:
                main.clone(f"b{round_}").set("x", b"%d" % round_, message="branch")
                main.merge_with_branch(f"b{round_}", message="merge", on_conflict="ours")
            if round_ % 11 == 0:
                repo.remove_branch(f"b{round_ - round_ % 7}")
    for level in LEVELS:
        report = fsck(str(path), SCHEMA, level)
        assert report.ok, str(report)
        assert report.status == 0
    assert report.frames["C"] > 40
    assert report.batches == report.frames["T"]


def test_levels_look_at_what_they_say(path: Path) -> None:
    commits(path, "a")
    value = CODEC.encode_contents([b"x"])[0]
    written(path, Objects(nodes={CODEC.digest(b"N?"): b"N?"}, contents={CODEC.digest(value): value}))
    assert faults(path, "hashes") == set()
    assert faults(path, "graph") == {"object"}


def test_an_object_that_is_not_canonical_is_found(path: Path) -> None:
    commits(path, "a")
    data = CODEC.encode_node(["b", "a"], b"\1\1", bytes(64), [])
    written(path, Objects(nodes={CODEC.digest(data): data}))
    report = fsck(str(path), SCHEMA, "graph")
    assert [(finding.fault, finding.hash) for finding in report.findings] == [
        ("object", CODEC.digest(data).hex())
    ]
    assert "ascending" in report.findings[0].reason
    assert report.status == 5


def test_a_child_that_is_not_there_is_found(path: Path) -> None:
    commits(path, "a")
    data = CODEC.encode_node(["a"], bytes([DIRECTORY]), bytes(range(32)), [])
    written(path, Objects(nodes={CODEC.digest(data): data}))
    assert faults(path) == {"dangling"}


def test_a_hint_that_leads_elsewhere_is_found(path: Path) -> None:
    commits(path, "a")
    values = [CODEC.encode_contents([value])[0] for value in (b"one", b"two")]
    one, two = (CODEC.digest(value) for value in values)
    objects = Objects(contents=dict(zip((one, two), values, strict=True)))
    written(path, objects)
    data = CODEC.encode_node(["a"], b"\1", one, [])
    written(
        path,
        Objects(
            nodes={CODEC.digest(data): data},
            words=words_of(Kind.CONTENTS, {one: objects.words[Kind.CONTENTS][two]}),
        ),
    )
    report = fsck(str(path), SCHEMA)
    assert [finding.fault for finding in report.findings] == ["hint"]
    with opened(path) as repo:
        # What is read is right all the same: the index is asked.
        found = repo._opened.home.stored(CODEC.digest(data), repo._opened.source, 0)
        assert found.record().hashes == one


def test_a_bucket_that_does_not_belong_is_found(path: Path) -> None:
    """A step name in the wrong bucket: upstream's own check accepts it."""
    with opened(path) as repo:
        with repo.main().edit(message="wide") as ed:
            for i in range(40):
                ed[f"k{i}"] = b"x"
        tree = repo.main().tree()
        inode = repo._opened.source.node(bytes(tree.hash()), repo.main().head().tree()._root.word)  # type: ignore[union-attr]
        swapped = CODEC.encode_inode(
            inode.depth,  # type: ignore[union-attr]
            inode.buckets,  # type: ignore[union-attr]
            list(reversed(inode.counts)),  # type: ignore[union-attr]
            b"".join(reversed([inode.hashes[i : i + 32] for i in range(0, len(inode.hashes), 32)])),
        )
    written(path, Objects(nodes={CODEC.digest(swapped): swapped}))
    report = fsck(str(path), SCHEMA, "graph")
    assert {finding.fault for finding in report.findings} == {"object"}
    assert any("bucket" in finding.reason for finding in report.findings)


def test_a_ref_whose_commit_is_not_there_is_found(path: Path) -> None:
    commits(path, "a")
    with opened(path) as repo:
        repo._opened.backend.write(Objects(), [RefUpdate("lost", Hash(bytes(32)))])
    assert faults(path) == {"dangling"}


def test_an_index_entry_that_leads_elsewhere_is_found_and_harms_nobody(path: Path) -> None:
    made = commits(path, "a", "b")
    root = Root(str(path))
    identity = Identity.read(Files(), root)
    index = Index.open(
        root.index(1, "always"), uuid=identity.uuid, generation=1, hash_size=32, readonly=False, files=Files()
    )
    index.add({b"\3" + made[0]: word.pack(64, 20, 3), b"\3" + bytes(32): word.pack(128, 20, 3)}, index.end)
    index.close()
    report = fsck(str(path), SCHEMA)
    assert {finding.fault for finding in report.findings} == {"index"}
    assert report.status == 1
    with opened(path) as repo:
        with pytest.raises(Corrupted):  # no answer is better than a wrong one
            repo.find_commit(Hash(bytes(32)))
        assert repo.find_commit(made[1]) is not None


def test_what_a_dead_process_left_is_found_and_heals(path: Path) -> None:
    commits(path, "a")
    (path / "pack" / "000099.pack").write_bytes(b"torn")
    with last_segment(path).with_name("000001.pack").open("ab") as file:
        file.write(bytes(100))
    (path / "HEAD").unlink()
    report = fsck(str(path), SCHEMA)
    assert {finding.fault for finding in report.findings} == {"stray", "tail", "head"}
    assert report.status == 1
    opened(path).close()
    assert fsck(str(path), SCHEMA).ok


def test_after_damage_the_pass_goes_on(path: Path) -> None:
    commits(path, *"abcdefgh")
    segment = last_segment(path)
    data = bytearray(segment.read_bytes())
    for at in (len(data) // 3, 2 * len(data) // 3):
        data[at] ^= 0x55
    segment.write_bytes(data)
    report = fsck(str(path), SCHEMA, "frames")
    assert sum(finding.fault == "frame" for finding in report.findings) == 2
    assert report.batches >= 6


def test_a_store_that_cannot_be_put_together_is_a_finding(path: Path) -> None:
    """TC-153: integrity is checked."""
    commits(path, "a")
    last_segment(path).write_bytes(b"")
    report = fsck(str(path), SCHEMA)
    assert [finding.fault for finding in report.findings] == ["store"]
    assert report.status == 5


def test_what_is_no_store_of_this_schema_is_an_error(path: Path) -> None:
    with pytest.raises(NotAStore):
        fsck(str(path), SCHEMA)
    commits(path, "a")
    from irminpy.contents import String

    with pytest.raises(SchemaMismatch):
        fsck(str(path), Schema(String()))
    with pytest.raises(DecodeError, match="none of"):
        Pack(str(path)).fsck(level="thorough")
    assert isinstance(Pack(str(path)), Checking)


def test_a_report_is_json_and_text(path: Path) -> None:
    commits(path, "a")
    (path / "HEAD").unlink()
    report = fsck(str(path), SCHEMA)
    assert json.loads(json.dumps(report.to_json()))["findings"][0]["heals"] is True
    assert "findings: 1" in str(report)
    assert Report("frames").ok


def test_the_command_tells_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irminpy.cli.place.maker_of_uri", lambda uri: Pack(uri.removeprefix("pack:")))
    commits(path, "a")
    run = CliRunner().invoke
    done = run(command, ["--store", f"pack:{path}", "fsck", "--level", "frames"])
    assert (done.exit_code, "findings: 0" in done.output) == (0, True)
    (path / "HEAD").unlink()
    done = run(command, ["--store", f"pack:{path}", "--json", "fsck"])
    assert (done.exit_code, json.loads(done.output)["status"]) == (1, 1)
    assert run(command, ["fsck"]).exit_code == 2


def test_the_command_collects_garbage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irminpy.cli.place.maker_of_uri", lambda uri: Pack(uri.removeprefix("pack:")))
    made = commits(path, *"abcdef")
    run = CliRunner().invoke
    store = ["--store", f"pack:{path}"]
    tried = run(command, [*store, "--json", "gc", "--depth", "1", "--dry-run"])
    assert json.loads(tried.output)["commits"] == 2
    asked = run(command, [*store, "gc", "--depth", "1"], input="n\n")
    assert asked.exit_code == 1
    with opened(path) as repo:
        assert len(list(repo.main().log())) == 6
    done = run(command, [*store, "gc", "--depth", "1", "--yes", "--keep", made[0].hex()[:12]])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("kept")
    with opened(path) as repo:
        assert [commit.hash for commit in repo.main().log()] == [made[5], made[4]]
        assert repo.find_commit(made[0]) is not None
        assert repo.find_commit(made[2]) is None
    assert fsck(str(path), SCHEMA).ok


# -- the walk from above


def test_the_deepest_level_counts_what_the_branches_lead_to(path: Path) -> None:
    made = commits(path, "a", "b")
    with opened(path) as repo:
        repo.branch("gone").set("x", b"x", message="gone")
        repo.remove_branch("gone")
        repo.main().set("big", random.Random(3).randbytes(2 << 20), message="big")
        checked = repo.check()
    report = fsck(str(path), SCHEMA)
    chunks = Pack(str(path)).stats().chunks
    assert report.reached == {
        "commits": checked.commits,
        "nodes": checked.nodes,
        "contents": checked.contents + chunks,
    }
    assert report.frames["C"] == len(made) + 2
    assert "reached: 3 commits" in str(report)
    assert fsck(str(path), SCHEMA, "index").reached == {}


def test_a_directory_that_is_an_inner_node_is_found_from_above(path: Path) -> None:
    """Each frame is right by itself, so only the walk from above finds it, as `Repo.check` does."""
    with opened(path) as repo, repo.main().edit(message="wide") as ed:
        for i in range(600):
            ed[f"w/k{i}"] = b"x"
    rows = list(Pack(str(path)).traverse())
    with opened(path) as repo:
        store = repo._opened.backend
        deeper = _inner_node(repo, rows)
        node = CODEC.encode_node(["d"], bytes([DIRECTORY]), bytes.fromhex(deeper), [])
        root = Hash(CODEC.digest(node))
        commit = CODEC.encode_commit(CommitVal(root, (), Info(0, "a", "m")))
        head = Hash(CODEC.digest(commit))
        assert store.write(Objects(nodes={root: node}, commits={head: commit}), [RefUpdate("odd", head)])
        assert {problem.fault for problem in repo.check().problems} == {"wrong-bucket"}
    assert fsck(str(path), SCHEMA, "index").ok
    report = fsck(str(path), SCHEMA)
    assert [(finding.fault, finding.hash) for finding in report.findings] == [("object", deeper)]
    assert "names it as a directory" in report.findings[0].reason
    assert report.status == 5


def _inner_node(repo: Repo[bytes, None], rows: list[Row]) -> str:
    """The hash of an inner node below the first level."""
    for row in rows:
        if row.kind == "N" and row.hash is not None:
            data = repo._opened.backend.read(Kind.NODE, Hash.of_hex(row.hash))
            record = None if data is None else CODEC.decode_node(data)
            if type(record) is Inode and record.depth:
                return row.hash
    raise AssertionError("there is none")


def test_a_child_that_only_a_pass_over_all_frames_finds_is_lost_to_readers(path: Path) -> None:
    commits(path, "a", index="minimal")
    value = CODEC.encode_contents([b"x"])[0]
    hash_ = CODEC.digest(value)
    node = CODEC.encode_node(["x"], b"\1", hash_, [])
    root = Hash(CODEC.digest(node))
    commit = CODEC.encode_commit(CommitVal(root, (), Info(0, "a", "m")))
    head = Hash(CODEC.digest(commit))
    with opened(path) as repo:  # a handle with the other index writes hints of 0 where it knows no better
        backend = repo._opened.backend
        assert backend.write(Objects(nodes={root: node}))
        assert backend.write(Objects(contents={hash_: value}))
        assert backend.write(Objects(commits={head: commit}), [RefUpdate("odd", head)])
    shutil.rmtree(path / "index" / "1-always")
    assert fsck(str(path), SCHEMA, "index").ok
    report = fsck(str(path), SCHEMA)
    assert [(finding.fault, finding.missing) for finding in report.findings] == [("dangling", hash_.hex())]
    with opened(path, index="minimal", readonly=True) as repo, pytest.raises(DanglingHash):
        repo.branch("odd").get("x")


def test_what_is_damaged_is_told_once(path: Path) -> None:
    commits(path, *"abc")
    row = next(row for row in Pack(str(path)).traverse() if row.kind == "N")
    segment = last_segment(path)
    data = bytearray(segment.read_bytes())
    data[row.at + row.bytes - 9] ^= 1
    segment.write_bytes(data)
    shutil.rmtree(path / "index")
    graph, deep = (fsck(str(path), SCHEMA, level).findings for level in ("graph", "deep"))
    assert deep == graph
