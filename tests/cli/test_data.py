"""Commands that read and write values."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from .command import Command


@pytest.fixture
def irminpy() -> Command:
    """A ledger with two accounts."""
    command = Command()
    command("set", "accounts/alice/balance", "120", "-m", "open alice")
    command("set", "accounts/bob/balance", "20", "-m", "open bob")
    return command


def test_a_store_is_made_once_and_opened_again() -> None:
    """CL-01."""
    irminpy = Command()
    assert "native/1 blake3-256 16 32 bytes none" in irminpy("init")
    assert irminpy("ls") == ""


def test_get_prints_the_bytes_and_nothing_else(irminpy: Command) -> None:
    """CL-02; what is absent is an error with status 3, and not the text <none>."""
    assert irminpy.raw("get", "accounts/alice/balance") == b"120"
    assert irminpy.raw("get", "main:/accounts/alice/balance/") == b"120"
    assert irminpy.raw("get", "main~1:accounts/alice/balance") == b"120"
    assert irminpy.json("get", "accounts/alice/balance") == [
        {"path": "accounts/alice/balance", "value": "120"}
    ]
    assert irminpy("get", "accounts/alice/balance", "--as", "hex") == "313230"
    assert irminpy("get", "accounts/alice/balance", "--as", "json") == '"120"'
    irminpy.error("get", "main~1:accounts/bob/balance", status=3)
    assert "did you mean 'accounts/alice/balance'?" in irminpy.error("get", "accounts/alce/balance", status=3)
    assert "is a directory" in irminpy.error("get", "accounts/alice", status=3)
    assert "it is a revision" in irminpy.error("get", "main", status=3)
    assert "did you mean 'main'?" in irminpy.error("-b", "mian", "get", "x", status=3)
    assert "did you mean 'main'?" in irminpy.error("get", "mian~2:x", status=3)


def test_set_takes_an_argument_stdin_or_a_file(irminpy: Command, tmp_path: Path) -> None:
    """CL-03."""
    (tmp_path / "file").write_bytes(b"\0from a file\xff")
    assert "main" in irminpy("set", "/a/b/", "-", input=b"from stdin")
    assert irminpy.raw("get", "a/b") == b"from stdin"
    irminpy("set", "a/b", f"@{tmp_path / 'file'}", "-m", "why", "--author", "bob", "--date", "2026-11-22")
    assert irminpy.raw("get", "a/b") == b"\0from a file\xff"
    irminpy("set", "a/c", "@@home")
    assert irminpy.raw("get", "a/c") == b"@home"
    irminpy("set", "a/d", os.fsdecode(b"\xff\xfe"))
    assert irminpy.raw("get", "a/d") == b"\xff\xfe"
    assert irminpy.json("get", "a/d")[0]["value"] == {"hex": "fffe"}
    irminpy("set", "a/e", "00ff", "--as", "hex")
    assert irminpy.raw("get", "a/e") == b"\0\xff"
    commit = irminpy.json("log", "-n", "1", "--path", "a/b")[0]
    assert (commit["message"], commit["author"], commit["date"]) == ("why", "bob", "2026-11-22T00:00:00Z")
    assert irminpy.json("log", "-n", "1")[0]["message"] == "set"
    irminpy.error("set", "a/f", f"@{tmp_path / 'absent'}", status=3)
    irminpy.error("set", "//", "x", status=2)


def test_a_write_tells_the_new_head_and_a_repeated_one_makes_no_commit(irminpy: Command) -> None:
    told = irminpy("set", "x", "1", "-m", "new")
    head = irminpy.json("log", "-n", "1")[0]["commit"]
    assert told == f"main  {head[:10]}   new   1 added\n"
    assert irminpy("set", "x", "2").endswith("1 changed\n")
    assert irminpy("set", "x", "2").endswith("nothing changed\n")
    assert [row["changed"] for row in irminpy.json("set", "x", "2")] == [False]
    assert len(irminpy.json("log")) == 4


def test_a_write_goes_to_the_branch_that_is_named(irminpy: Command) -> None:
    assert "irminpy branch dev makes it" in irminpy.error("-b", "dev", "set", "x", "1", status=3)
    irminpy("branch", "dev")
    irminpy("-b", "dev", "set", "x", "1")
    irminpy("set", "dev:y", "2")
    assert irminpy("-b", "dev", "ls") == "accounts/\nx\ny\n"
    other = Command()
    other("-b", "first", "set", "x", "1")
    assert other("branch") == "first\n"
    irminpy("set", ":a:b", "with a colon")
    assert irminpy.raw("get", ":a:b") == b"with a colon"
    assert ":a:b if the path has a colon" in irminpy.error("set", "a:a:b", "x", status=3)
    irminpy.error("--commit", "main", "set", "x", "1", status=2)
    irminpy.error("set", "x", "1", "--date", "yesterday", status=2)
    irminpy.error("set", "x", "1", "-m", os.fsdecode(b"\xff"), status=2)


def test_rm_removes_values_and_asks_for_r_to_remove_directories(irminpy: Command) -> None:
    """CL-04."""
    assert "would remove 2 values" in irminpy("rm", "-n", "-r", "accounts")
    assert "is a directory" in irminpy.error("rm", "accounts", status=2)
    irminpy.error("rm", "accounts/alice/balance", "accounts/carol", status=3)
    assert irminpy("rm", "accounts/alice/balance").endswith("1 removed\n")
    assert irminpy.json("log", "-n", "1")[0]["message"] == "remove accounts/alice/balance"
    assert irminpy("ls", "accounts") == "bob/\n"
    assert irminpy("rm", "-r", "accounts").endswith("1 removed\n")
    assert irminpy("ls") == ""
    irminpy("cp", "main~1:accounts", ":accounts")
    assert irminpy("ls", "accounts") == "bob/\n"


def test_ls_lists_entries_of_a_directory(irminpy: Command) -> None:
    """CL-05; directories end with a slash, and of what is absent it is an error with status 3."""
    irminpy("set", "z", "12345")
    assert irminpy("ls") == "accounts/\nz\n"
    assert irminpy("ls", "accounts/") == "alice/\nbob/\n"
    assert irminpy("ls", "z") == "z\n"
    assert irminpy("-z", "ls") == "accounts/\0z\0"
    rows = irminpy.json("ls", "-l")
    assert [(row["name"], row["kind"]) for row in rows] == [("accounts", "node"), ("z", "contents")]
    assert (rows[0]["entries"], rows[1]["size"]) == (2, 5)
    assert "2 entries" in irminpy("ls", "-l")
    irminpy.error("ls", "absent", status=3)


def test_tree_draws_every_path_and_value(irminpy: Command) -> None:
    """CL-06."""
    irminpy("set", "meta/version", "1.0")
    head = irminpy.json("log", "-n", "1")[0]["commit"][:10]
    assert irminpy("tree").splitlines() == [
        f"main @ {head}",
        "├── accounts/                     2 entries",
        "│   ├── alice/                    1 entry",
        "│   │   └── balance               120",
        "│   └── bob/                      1 entry",
        "│       └── balance               20",
        "└── meta/                         1 entry",
        '    └── version                   "1.0"',
    ]
    assert len(irminpy("tree", "--depth", "1").splitlines()) == 3
    assert irminpy("tree", "main~1:accounts/bob").splitlines()[1].startswith("└── balance")
    assert irminpy.json("tree", "accounts/bob") == [{"path": "balance", "value": "20"}]
    assert irminpy("-z", "tree", "accounts") == "alice/balance\0bob/balance\0"


def test_find_prints_paths_that_look_like_a_pattern(irminpy: Command) -> None:
    assert irminpy("find", "**/balance") == "accounts/alice/balance\naccounts/bob/balance\n"
    assert irminpy("find", "accounts/a*") == "accounts/alice/\n"
    assert irminpy("find", "main~1:**", "--type", "contents") == "accounts/alice/balance\n"
    assert irminpy.json("find", "accounts/?ob") == [{"path": "accounts/bob", "kind": "node"}]
    assert irminpy("find", "nothing*", status=1) == ""


def test_mv_and_cp_move_whole_directories(irminpy: Command) -> None:
    irminpy("mv", "accounts/alice", "people/alice")
    assert irminpy("find", "**", "--type", "contents") == "accounts/bob/balance\npeople/alice/balance\n"
    irminpy("cp", "people/alice", "people/carol")
    assert irminpy.raw("get", "people/carol/balance") == b"120"
    irminpy.error("cp", "people/alice", "people/carol", status=4)
    irminpy("cp", "-f", "accounts/bob", "people/carol")
    assert irminpy.raw("get", "people/carol/balance") == b"20"
    irminpy.error("mv", "people", "people/inside", status=2)
    irminpy.error("mv", "absent", "x", status=3)
    assert "the root is a directory" in irminpy.error("cp", "people/alice/balance", "/", status=2)
    assert "something is at /" in irminpy.error("cp", "people", "/", status=4)
    irminpy("cp", "-f", "people", "/")
    assert irminpy("ls") == "alice/\ncarol/\n"
    irminpy("cp", "-f", "main~1:", "/")
    assert irminpy("ls") == "accounts/\npeople/\n"
    assert irminpy.json("log", "main~2", "-n", "1")[0]["message"] == "copy accounts/bob to people/carol"


def test_apply_makes_many_changes_in_one_commit(irminpy: Command) -> None:
    changes = b"""{"path": "a", "set": "1"}

{"path": "accounts/bob", "remove": true}
{"path": "b", "set": {"hex": "ff"}}
"""
    assert "would change 3 paths" in irminpy("apply", "-n", "-", input=changes)
    assert "3 changes" in irminpy("apply", "-", "-m", "all of it", input=changes)
    assert irminpy.raw("get", "b") == b"\xff"
    assert [row["message"] for row in irminpy.json("log")] == ["all of it", "open bob", "open alice"]


def test_apply_takes_what_diff_prints_and_compares_first(irminpy: Command) -> None:
    irminpy("set", "accounts/bob/balance", "30")
    irminpy("rm", "accounts/alice/balance")
    forth = irminpy("--json", "diff", "main~2", "main", status=1).encode()
    irminpy("branch", "other", "main~2")
    irminpy("-b", "other", "apply", "-", input=forth)
    assert irminpy("diff", "other", "main") == ""
    _, err = irminpy.run("-b", "other", "apply", "-", input=forth, status=4)
    assert "is not what the change expects" in err


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b'{"path": 1, "set": "x"}', b'{"path": "a"}', b'{"path": "a", "set": 1}', b"[" * 100_000],
)
def test_a_line_that_is_no_change_is_refused_and_nothing_done(irminpy: Command, line: bytes) -> None:
    _, err = irminpy.run("apply", "-", input=b'{"path": "a", "set": "1"}\n' + line, status=2)
    assert "line 2 is no change" in err
    assert irminpy("ls") == "accounts/\n"


def test_snapshot_tells_the_head_and_revert_goes_back_to_it(irminpy: Command) -> None:
    """CL-12."""
    head = irminpy("snapshot").strip()
    irminpy("set", "x", "1")
    assert "would move main" in irminpy("revert", "-n", head)
    assert irminpy("ls") == "accounts/\nx\n"
    irminpy("revert", head, status=1, input=b"n\n")
    irminpy("revert", head, "--yes")
    assert irminpy("ls") == "accounts/\n"
    assert irminpy("snapshot").strip() == head
    Command().error("snapshot", status=3)


@pytest.mark.parametrize(
    ("contents", "given", "shown", "bad"),
    [
        ("string", "text", '"text"', None),
        ("json", '{"b": 1, "a": [true, null]}', '{"a":[true,null],"b":1}', "[1]"),
        ("json-value", "[1, 2.5]", "[1,2.5]", "{nope"),
        ("msgpack", '{"a": 1}', '{"a":1}', "{nope"),
        ("counter", "-42", "-42", "4.5"),
    ],
)
def test_each_type_of_contents_is_written_and_read(
    contents: str, given: str, shown: str, bad: str | None
) -> None:
    irminpy = Command(None, "--contents", contents)
    irminpy("set", "v", "--", given)
    assert irminpy("get", "v", "--as", "json").replace(" ", "") == shown.replace(" ", "")
    if bad is not None:
        assert "irminpy help values" in irminpy.error("set", "v", "--", bad, status=2)
    for form in ("raw", "hex", "msgpack"):
        data = irminpy.raw("get", "v", "--as", form)
        irminpy("rm", "v")
        irminpy("set", "v", "-", "--as", form, input=data)
        assert irminpy("get", "v", "--as", "json").replace(" ", "") == shown.replace(" ", "")


def test_a_value_from_stdin_is_not_held_in_memory(irminpy: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    read = io.BytesIO.read

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(-1 if size is None else size)
            return read(self, size)

    monkeypatch.setattr(io, "BytesIO", Watched)
    irminpy("set", "big", "x" * 3_000_000)
    assert irminpy.raw("get", "big") == b"x" * 3_000_000
