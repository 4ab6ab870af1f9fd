"""The commands of proofs: prove, verify, proof show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import irminpy
from irminpy import BadProof, Hash, Schema
from irminpy.cli import main
from irminpy.proof import ProofFile, Question


class Place:
    """A store in a directory, and what a client trusts of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with irminpy.open(f"pack:{folder}/store", author="server", clock=lambda: 0) as repo:
            with repo.main().edit(message="all") as editor:
                for i in range(100):
                    editor[f"dir/{i}"] = b"v%d" % i
                editor["binary"] = b"\xff"
            head = repo.main().head()
        self.root, self.commit = str(head.tree_hash), str(head.hash)

    def run(self, *args: str) -> Result:
        found = CliRunner().invoke(main, ["--store", f"pack:{self.folder}/store", *args])
        assert not isinstance(found.exception, Exception) or isinstance(found.exception, SystemExit)
        return found

    def prove(self, *args: str) -> str:
        file = str(self.folder / "proof")
        made = self.run("prove", "main", *args, "-o", file, "-y")
        assert made.exit_code == 0, made.output
        assert self.root in made.output
        assert self.commit in made.output
        return file

    def answer(self, file: str) -> Any:
        return json.loads(self.run("--json", "verify", file, "--commit", self.commit).output)["answer"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("proofs"))


def test_a_proof_goes_from_the_store_to_whoever_trusts_the_root_or_the_commit(place: Place) -> None:
    file = place.prove("dir/7", "none", "binary")
    for trusted in (("--root", place.root), ("--commit", place.commit)):
        told = place.run("verify", file, *trusted)
        assert told.exit_code == 0
        assert told.output.splitlines()[1:] == ["/dir/7: v7", "/none: no contents", "/binary: 0xff"]
    assert place.answer(file) == [b"v7".hex(), None, "ff"]


def test_a_proof_for_another_root_or_commit_is_refused(place: Place) -> None:
    file = place.prove("dir/7")
    for trusted in (("--root", place.commit), ("--commit", place.root), ("--root", "00" * 32)):
        told = place.run("verify", file, *trusted)
        assert told.exit_code == 1
        assert "mismatch" in told.output
        assert "v7" not in told.output
    assert place.run("verify", file).exit_code == 2
    assert place.run("verify", file, "--root", place.root, "--commit", place.commit).exit_code == 2
    schema = ("--schema", "native/1 blake3-256 2 2 bytes none")
    assert "parameter mismatch" in place.run("verify", file, "--root", place.root, *schema).output


def test_a_stream_proof_answers_as_a_tree_proof_does(place: Place) -> None:
    file = place.prove("dir/7", "none", "--stream")
    told = place.run("verify", file, "--root", place.root)
    assert told.output.splitlines()[1:] == ["/dir/7: v7", "/none: no contents"]
    assert place.answer(file) == [b"v7".hex(), None]
    assert "a stream of 4 elements" in place.run("proof", "show", file).output
    assert ProofFile.from_bytes(Path(file).read_bytes()).stream
    data = bytearray(Path(file).read_bytes())
    for at, byte in ((4, 1), (4, 3), (len(data) - 1, data[-1] ^ 1)):
        changed = bytearray(data)
        changed[at] = byte
        Path(file).write_bytes(changed)
        assert place.run("verify", file, "--root", place.root).exit_code == 1


def test_absence_lengths_and_pages_are_proved(place: Place) -> None:
    assert place.answer(place.prove("none", "dir", "--absent")) == [True, False]
    assert place.answer(place.prove("dir", "none", "--length")) == [100, 0]
    file = place.prove("dir", "--list", "98,5")
    n, page = place.answer(file)
    assert (n, len(page)) == (100, 2)
    assert "100 entries, from number 98 on" in place.run("verify", file, "--root", place.root).output
    for wrong in (("a", "b", "--list", "0,1"), ("a", "--list", "0"), ("a", "--absent", "--length")):
        assert place.run("prove", "main", *wrong, "-o", file, "-y").exit_code == 2


def test_a_file_is_not_written_over_without_a_word(place: Place) -> None:
    file = place.prove("dir/7")
    before = Path(file).read_bytes()
    assert place.run("prove", "main", "binary", "-o", file).exit_code == 1
    assert Path(file).read_bytes() == before
    assert place.run("prove", "nowhere", "binary", "-o", file, "-y").exit_code == 3
    assert Path(file).read_bytes() == before
    assert place.run("verify", str(place.folder / "no file"), "--root", place.root).exit_code == 3


def test_show_tells_what_a_proof_claims_and_that_nobody_verified_it(place: Place) -> None:
    file = place.prove("dir/7")
    told = place.run("proof", "show", file).output
    assert told.startswith("not verified")
    assert "['dir/7']" in told
    record = json.loads(place.run("--json", "proof", "show", file).output)
    assert record["verified"] is False
    assert record["proof"]["before"] == {"node": place.root}


def test_a_file_is_bytes_that_are_checked_before_they_are_used(place: Place) -> None:
    """V7, V8: every byte changed, every truncation, and questions that are none."""
    raw = Path(place.prove("binary")).read_bytes()
    schema = Schema()
    root = Hash.of_hex(place.root)
    file = ProofFile.from_bytes(raw)
    assert file.to_bytes() == raw
    assert file.verify(schema, root=root) == (root, ["ff"])
    mutants = [raw[:at] for at in range(len(raw))]
    mutants += [raw[:at] + bytes((raw[at] ^ 1 << at % 8,)) + raw[at + 1 :] for at in range(len(raw))]
    for mutant in mutants:
        try:
            changed = ProofFile.from_bytes(mutant)
            _, answer = changed.verify(schema, commit=Hash.of_hex(place.commit))
        except BadProof:
            continue
        assert changed.question.json != file.question.json or answer == ["ff"]
    for question in (
        b"",
        b"{}",
        b"[" * 100_000,
        b'{"read": "binary"}',
        b'{"transition": []}',
        b'{"read": [1]}',
        b'{"read": ["a//b"]}',
        b"\xff",
    ):
        start = b"\x89ipa\x01" + len(question).to_bytes(4, "big") + bytes(4)
        with pytest.raises(BadProof):
            ProofFile.from_bytes(start + question)
    asks: list[dict[str, Any]] = [{"read": ["x" * 5000]}, {"page": ["", 1 << 70, None]}]
    for ask in asks:
        with pytest.raises(BadProof):
            ProofFile(Question(ask), file.commit, file.proof).verify(schema, root=root)
    with pytest.raises(BadProof, match="limit"):
        ProofFile(Question({"read": ["x" * (1 << 20)]}), b"", b"").to_bytes()
    with pytest.raises(TypeError):
        file.verify(schema)
    with pytest.raises(TypeError):
        file.verify(schema, root=root, commit=root)


def test_a_proof_goes_through_a_pipe_and_programs_get_json(place: Place) -> None:
    told = place.run("prove", "main", "none", "dir", "--absent", "-o", "-")
    raw = told.stdout_bytes
    assert place.root in told.stderr
    shown = CliRunner().invoke(main, ["verify", "-", "--root", place.root], input=raw).output
    assert shown.splitlines()[1:] == ["/none: nothing", "/dir: something"]
    made = place.run("--json", "prove", "main", "dir", "--length", "-o", str(place.folder / "json"), "-y")
    record = json.loads(made.output)
    assert (record["root"], record["commit"]) == (place.root, place.commit)
    assert record["bytes"] == Path(record["file"]).stat().st_size
    shown = place.run("verify", record["file"], "--commit", place.commit).output
    assert shown.splitlines()[1:] == ["/dir: 100 entries"]
    assert place.run("prove", "main", "dir", "-o", str(place.folder / "no" / "where")).exit_code == 3
