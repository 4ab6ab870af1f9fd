"""Commands for history, differences, branches and merges."""

from __future__ import annotations

import json
import xml.dom.minidom
from pathlib import Path

import pytest

from irminpy.cli.rails import Rails
from irminpy.hash import Hash

from .command import Command


@pytest.fixture
def irminpy() -> Command:
    """A ledger: genesis, then alice pays on main while an audit writes a note on a branch."""
    command = Command()
    command("set", "accounts/alice/balance", "120", "-m", "open alice", "--date", "100")
    command("tag", "genesis")
    command("branch", "audit")
    command("set", "accounts/alice/balance", "100", "-m", "pay bob 20", "--date", "200")
    command("set", "accounts/bob/balance", "20", "-m", "bob is paid", "--date", "300")
    command("-b", "audit", "set", "accounts/alice/note", "checked", "-m", "a note", "--date", "250")
    return command


def hashes(irminpy: Command, *words: str) -> list[str]:
    return [row["commit"][:10] for row in irminpy.json("log", *words)]


def test_the_log_goes_from_the_head_to_the_first_commit(irminpy: Command) -> None:
    """CL-19."""
    messages = [row["message"] for row in irminpy.json("log")]
    assert messages == ["bob is paid", "pay bob 20", "open alice"]
    a, b, c = hashes(irminpy)
    assert irminpy("log", "--plain").splitlines() == [
        f"{a}  [main]  bob is paid   ann  1970-01-01T00:05:00Z",
        f"{b}  pay bob 20   ann  1970-01-01T00:03:20Z",
        f"{c}  [tag:genesis]  open alice   ann  1970-01-01T00:01:40Z",
    ]
    assert hashes(irminpy, "-n", "1", "--skip", "1") == [b]
    assert hashes(irminpy, "--reverse", "--max-count", "2") == [b, a]
    assert hashes(irminpy, "--path", "accounts/alice") == [b, c]
    assert hashes(irminpy, "--since", "200") == [a, b]
    assert hashes(irminpy, "--since", "1970-01-01T00:03:20Z") == [a, b]
    assert hashes(irminpy, "main~1") == [b, c]
    assert irminpy("-z", "log", "-n", "1").endswith("\0")
    assert f"parent {irminpy.json('log')[1]['commit']}" in irminpy("-v", "log", "-n", "1")
    irminpy.error("log", "nowhere", status=3)


def test_the_log_is_drawn(irminpy: Command) -> None:
    irminpy("merge", "audit", "--date", "400")
    shown = [(line[:3], line.split("   ")[0][15:].strip()) for line in irminpy("log", "--graph").splitlines()]
    assert shown == [
        ("*  ", "[main]  merge audit"),
        ("|\\", ""),
        ("* |", "bob is paid"),
        ("| *", "[audit]  a note"),
        ("* |", "pay bob 20"),
        ("|/", ""),
        ("*  ", "[tag:genesis]  open alice"),
    ]


def test_rails_follow_forks_joins_and_ends() -> None:
    def drawn(*commits: tuple[str, str]) -> list[str]:
        rails, lines = Rails(), list[str]()
        for name, parents in commits:
            before, below = rails.draw(Hash(name.encode()), [Hash(p.encode()) for p in parents])
            lines += [before, *below]
        assert not rails.waiting
        return lines

    assert drawn(("a", "b"), ("b", "")) == ["*", "*"]
    assert drawn(("m", "ab"), ("b", "c"), ("a", "c"), ("c", "")) == ["*", "|\\", "| *", "* |", "|/", "*"]
    # Two heads without anything in common.
    assert drawn(("a", "c"), ("b", "d"), ("c", ""), ("d", "")) == ["*", "| *", "* |", " /", "*"]
    # Three parents; the branch in the middle ends first.
    assert drawn(("m", "abc"), ("b", "d"), ("c", "d"), ("a", "d"), ("d", "")) == [
        *("*", "|\\", "|\\ \\"),
        *("| | *", "| * |", "| |/"),
        *("* |", "|/", "*"),
    ]
    # A merge with a branch that goes on: both stay.
    assert drawn(("x", "y"), ("m", "ay"), ("y", "z"), ("a", "z"), ("z", "")) == [
        "*",
        "| *",
        "|/|",
        "* |",
        "| *",
        "|/",
        "*",
    ]


def test_show_tells_a_commit_and_what_it_changed(irminpy: Command) -> None:
    lines = irminpy("show", "main~1").splitlines()
    assert lines[0].startswith("commit ")
    assert lines[1].startswith("parent ")
    assert lines[3:5] == ["author ann", "date   1970-01-01T00:03:20Z"]
    assert lines[6] == "    pay bob 20"
    assert lines[-1].split() == ["M", "accounts/alice/balance", "120", "→", "100"]
    commit, change = irminpy.json("show", "genesis")
    assert commit["refs"] == ["tag:genesis"]
    assert change == {"path": "accounts/alice/balance", "added": "120"}
    assert irminpy.json("show")[0]["refs"] == ["main"]


def test_diff_tells_what_differs_and_how_much_was_read(irminpy: Command) -> None:
    lines = irminpy("diff", "genesis", "main", status=1).splitlines()
    assert lines[0].split() == ["M", "accounts/alice/balance", "120", "→", "100"]
    assert lines[1].split() == ["A", "accounts/bob/balance", "20"]
    assert lines[2].startswith("2 paths: 1 added, 1 changed, 0 removed      (read ")
    assert irminpy("diff", "main", status=0) == ""
    assert irminpy("diff", "genesis..main", status=1) == "\n".join(lines) + "\n"
    assert irminpy("diff", "genesis", "main", "--path", "accounts/bob", status=1).startswith(
        "A accounts/bob/bal"
    )
    assert (
        irminpy("-z", "diff", "main", "genesis", status=1) == "accounts/alice/balance\0accounts/bob/balance\0"
    )
    assert irminpy.json("diff", "main", "genesis", status=1) == [
        {"path": "accounts/alice/balance", "updated": ["100", "120"]},
        {"path": "accounts/bob/balance", "removed": "20"},
    ]


def test_diff_looks_into_texts_and_into_structured_values(irminpy: Command) -> None:
    irminpy("set", "text", "one\ntwo\nthree\n")
    irminpy("set", "text", "one\n2\nthree\n")
    assert irminpy("diff", "main~1", status=1).splitlines()[:6] == [
        "M text",
        "    @@ -1,3 +1,3 @@",
        "     one",
        "    -two",
        "    +2",
        "     three",
    ]
    assert irminpy("diff", "main~1", "--stat", status=1).splitlines()[0] == "M text"
    page = Command(None, "--contents", "json")
    page("set", "home", json.dumps({"title": "Home", "tags": ["a"], "old": 1}))
    page("set", "home", json.dumps({"title": "Start", "tags": ["a", "b"], "new": {"x": None}}))
    assert page("diff", "main~1", status=1).splitlines()[:5] == [
        "M home",
        "    D .old  1",
        '    A .tags[1]  "b"',
        '    M .title  "Home" → "Start"',
        '    A .new  {"x": null}',
    ]


def test_blame_finds_the_commit_of_each_value(irminpy: Command) -> None:
    irminpy("merge", "audit", "--date", "400")
    told = {row["path"]: row["message"] for row in irminpy.json("blame")}
    assert told == {
        "accounts/alice/balance": "pay bob 20",
        "accounts/alice/note": "a note",
        "accounts/bob/balance": "bob is paid",
    }
    assert [row["message"] for row in irminpy.json("blame", "audit:accounts")] == ["a note", "open alice"]
    assert "bob is paid" in irminpy("blame", "accounts/bob/balance")
    irminpy.error("blame", "absent", status=3)


def test_dot_prints_a_graph_or_writes_files(irminpy: Command, tmp_path: Path) -> None:
    """CL-14."""
    assert irminpy("dot").startswith("digraph")
    assert irminpy("dot", "--depth", "0").count("style=bold") == 3
    assert len(irminpy("dot", "--full")) > len(irminpy("dot"))
    xml.dom.minidom.parseString(irminpy("dot", "--svg"))
    base = tmp_path / "history"
    assert irminpy("dot", str(base), "--no-dot-call") == f"{base}.dot\n"
    assert (tmp_path / "history.dot").read_text(encoding="utf-8") == irminpy("dot")
    irminpy("dot", "--svg", str(base))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["history.dot", "history.svg"]


def test_the_reflog_tells_how_branches_moved(tmp_path: Path) -> None:
    irminpy = Command(f"pack:{tmp_path / 'store'}")
    irminpy("set", "a", "1")
    irminpy("set", "a", "2")
    irminpy("branch", "dev")
    irminpy("branch", "-d", "dev", "--yes")
    moves = irminpy.json("reflog")
    assert [(row["branch"], row["before"] is None, row["after"] is None) for row in moves] == [
        ("dev", False, True),
        ("dev", True, False),
        ("main", False, False),
        ("main", True, False),
    ]
    assert [line.split()[4] for line in irminpy("reflog", "main").splitlines()] == ["moved", "made"]
    assert len(irminpy.json("reflog", "-n", "1")) == 1
    assert "has no reflog" in Command().error("reflog", status=7)


def test_branches_are_listed_made_moved_and_removed(irminpy: Command) -> None:
    """CL-18."""
    assert irminpy("branch") == "audit\nmain\n"
    assert irminpy("branch", "old", "main~1").startswith("old is at ")
    assert irminpy("branch", "old", "main~1")  # it is there already
    irminpy.error("branch", "old", "main", status=4)
    assert "would be at" in irminpy("branch", "-n", "-f", "old", "main")
    irminpy("branch", "-f", "old", "main")
    assert hashes(irminpy, "old") == hashes(irminpy, "main")
    assert "would remove old" in irminpy("branch", "-n", "-d", "old")
    irminpy("branch", "-d", "old", status=1, input=b"n\n")
    assert [row["name"] for row in irminpy.json("branch")] == ["audit", "main", "old"]
    assert irminpy("branch", "-d", "old", "-y").startswith("removed old, which was at ")
    assert irminpy("-z", "branch") == "audit\0main\0"
    irminpy.error("branch", "-d", "old", "-y", status=3)
    irminpy.error("branch", "-d", status=2)
    irminpy.error("branch", "not valid", status=2)


def test_a_tag_is_a_name_for_a_commit_that_nothing_moves(irminpy: Command) -> None:
    assert irminpy("tag") == "genesis\n"
    assert irminpy.raw("get", "genesis:accounts/alice/balance") == b"120"
    irminpy.error("tag", "genesis", "main", status=4)
    irminpy("branch", "genesis", "main")  # a branch wins
    assert irminpy.raw("get", "genesis:accounts/alice/balance") == b"100"
    assert irminpy.raw("get", "tags/genesis:accounts/alice/balance") == b"120"
    irminpy("tag", "-d", "genesis", "-y")
    assert irminpy("tag") == ""
    assert irminpy("branch") == "audit\ngenesis\nmain\n"


def test_a_merge_makes_a_commit_with_two_parents(irminpy: Command) -> None:
    """CL-11."""
    assert "without a conflict" in irminpy("merge", "-n", "audit")
    assert irminpy("ls", "accounts/alice") == "balance\n"
    assert irminpy("merge", "audit", "-m", "take the note").startswith("main  ")
    head = irminpy.json("log", "-n", "1")[0]
    assert (head["message"], len(head["parents"])) == ("take the note", 2)
    assert irminpy("ls", "accounts/alice") == "balance\nnote\n"
    assert irminpy("merge", "audit").endswith("nothing changed\n")
    assert "has all of it already" in irminpy("merge", "-n", "audit")
    assert "would move there" in irminpy("-b", "audit", "merge", "-n", "main")
    irminpy("-b", "audit", "merge", "main")
    assert hashes(irminpy, "audit") == hashes(irminpy, "main")
    irminpy.error("merge", "nowhere", status=3)


def test_a_conflict_is_told_with_all_three_sides_and_nothing_is_written(irminpy: Command) -> None:
    """CL-11."""
    irminpy("-b", "audit", "set", "accounts/alice/balance", "90")
    before = hashes(irminpy)
    out, err = irminpy.run("merge", "audit", status=4)
    assert out.splitlines()[0] == "conflict in 1 path; nothing was written"
    assert out.splitlines()[1].split() == [
        "accounts/alice/balance",
        *("base", "120", "ours", "100", "theirs", "90"),
    ]
    assert "  try: irminpy merge audit --strategy ours|theirs" in err
    assert irminpy.json("merge", "audit", status=4) == [
        {
            "path": "accounts/alice/balance",
            "reason": "both sides changed it",
            "base": {"value": "120"},
            "ours": {"value": "100"},
            "theirs": {"value": "90"},
        }
    ]
    irminpy("merge", "-n", "audit", status=4)
    assert hashes(irminpy) == before
    irminpy("branch", "mine")
    irminpy("merge", "audit", "--strategy", "theirs")
    assert irminpy.raw("get", "accounts/alice/balance") == b"90"
    irminpy("-b", "mine", "merge", "audit", "--strategy", "ours")
    assert irminpy.raw("get", "mine:accounts/alice/balance") == b"100"


def test_a_file_against_a_directory_is_a_conflict_with_a_directory_on_one_side(irminpy: Command) -> None:
    irminpy("set", "x", "a file")
    irminpy("-b", "audit", "set", "x/y", "below")
    out, _ = irminpy.run("merge", "audit", status=4)
    assert "a directory" in out
    assert "tree" in irminpy.json("merge", "audit", status=4)[0]["theirs"]


def test_the_least_common_ancestor_is_shown(irminpy: Command) -> None:
    genesis = irminpy.json("log", "genesis")[0]["commit"]
    assert irminpy("lca", "main", "audit") == f"{genesis}  open alice\n"
    assert irminpy.json("lca", "main", "main~1")[0]["message"] == "pay bob 20"
    assert irminpy.json("lca", "main", "audit", "--max-depth", "9")[0]["commit"] == genesis
    irminpy.error("lca", "main", "audit", "--max-depth", "0", status=4)
