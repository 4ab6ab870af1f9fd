"""Questions in JSON, and what proofs say of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from irminpy import BadProof, DecodeError, KindedHash, Proof, StreamProof, verify_commit, verify_proof
from irminpy.contents import String
from irminpy.hash import Hash
from irminpy.proof import Contents, Inode, InodeValues, Node, Question, verify_stream

from .stores import MODES, SMALL, root_of, store_of

MAIN = store_of({f"dir/{i}": f"v{i}" for i in range(5)} | {"a": "1"}, SMALL)
ROOT = root_of(MAIN)


def answer(question: dict[str, Any]) -> Any:
    """What both sides get."""
    ask = Question(question)
    proof, made = MAIN.produce_proof(ask)
    _, found = verify_proof(Proof.from_bytes(proof.to_bytes(), SMALL), ask, SMALL, root=ROOT)
    assert found == made
    stream, streamed = MAIN.produce_stream(ask)
    assert verify_stream(stream, ask, SMALL, root=ROOT)[1] == streamed == made
    return found


def test_questions_are_answered_in_json() -> None:
    assert answer({"read": ["a", "dir", "none", "a"]}) == ["31", None, None, "31"]
    assert answer({"absence": ["a", "dir/9", ""]}) == [False, True, False]
    assert answer({"length": ["", "dir", "a", "none"]}) == [2, 5, 0, 0]
    n, page = answer({"page": ["dir", 1, 2]})
    assert (n, len(page), {kind for _, kind in page}) == (5, 2, {"contents"})
    assert answer({"page": ["", 0, None]}) == [2, [["a", "contents"], ["dir", "node"]]]
    assert answer({"transition": [["b", "32"], ["dir/1", None]]}) is None
    assert repr(Question({"read": ["a"]})) == "Question({'read': ['a']})"


@pytest.mark.parametrize(
    "json",
    [
        None,
        [],
        {},
        {"read": ["a"], "length": ["a"]},
        {"write": ["a"]},
        {"read": "a"},
        {"read": [1]},
        {"read": ["/a"]},
        {"read": ["a/"]},
        {"read": ["a//b"]},
        {"page": ["a", 1]},
        {"page": ["a", True, 1]},
        {"page": ["a", 1, "1"]},
        {"page": [1, 1, 1]},
        {"page": ["a", -1, 1]},
        {"transition": [["a"]]},
        {"transition": ["a1"]},
        {"transition": [["a", "1"]]},
        {"transition": [["a", "zz"]]},
        {"transition": [["a", 1]]},
    ],
)
def test_what_is_no_question_is_refused(json: object) -> None:
    with pytest.raises(DecodeError, match=r"question|offset"):
        Question(json)


def test_a_transition_has_each_path_once_and_values_of_the_type() -> None:
    with pytest.raises(DecodeError, match="twice"):
        MAIN.produce_proof(Question({"transition": [["a", "31"], ["a", None]]}))
    with pytest.raises(DecodeError, match="UTF-8"):
        MAIN.produce_proof(Question({"transition": [["a", "ff"]]}))


def test_proofs_say_what_they_are_and_compare_by_what_they_show() -> None:
    proof, _ = MAIN.produce_proof(Question({"read": ["a"]}))
    stream, _ = MAIN.produce_stream(Question({"read": ["a"]}))
    short = bytes(ROOT).hex()[:10]
    assert repr(proof) == f"<Proof {short} -> {short}>"
    assert repr(stream) == f"<StreamProof {short} -> {short}>"
    assert proof != "proof"
    assert stream != "stream"
    assert len({proof, Proof.from_bytes(proof.to_bytes(), SMALL)}) == 1
    assert len({stream, StreamProof.from_bytes(stream.to_bytes(), SMALL)}) == 1
    assert proof != MAIN.produce_proof(Question({"read": ["dir/1"]}))[0]
    assert Node(()) != "node"
    assert hash(Node(())) == hash(Node(()))
    many = Node(tuple((f"{i}", Contents(i, None)) for i in range(9)))
    assert repr(many) == f"Node(entries=<9: {', '.join(f'{str(i)!r}: Contents' for i in range(8))}, …>)"
    assert repr(Inode(1, ((0, InodeValues(())),))) == "Inode(length=1, proofs=<1: 0: InodeValues>)"


def test_contents_with_metadata_are_told_apart_by_them() -> None:
    """V1: what is shown of a mismatch names kind and metadata."""
    main = store_of({"a": ("x", 1)}, MODES)
    key = main.tree().get_tree("a").kinded_hash()
    repo_root = KindedHash("contents", key.hash, b"\2")
    proof = Proof(key, key, Contents("x", 1), MODES)
    with pytest.raises(BadProof, match=r"contents .* with metadata 01, not for contents .* with metadata 02"):
        verify_proof(proof, Question({"read": [""]}), MODES, root=repo_root)


def test_arguments_that_are_none_are_told_at_once() -> None:
    proof, _ = MAIN.produce_proof(Question({"read": ["a"]}))
    wrong: Any = String()
    with pytest.raises(TypeError, match="schema"):
        verify_proof(proof, Question({"read": ["a"]}), wrong, root=ROOT)
    with pytest.raises(TypeError, match="schema"):
        verify_commit(b"", wrong, hash=ROOT)
    with pytest.raises(TypeError, match="schema"):
        Proof(KindedHash("node", Hash(bytes(32))), KindedHash("node", Hash(bytes(32))), proof.state, wrong)
