"""Pictures: GR-17, in spirit; well-formed, escaped, of bounded size."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import Commit, Info, Repo, Schema, contents
from irminpy.dot import dot, svg
from irminpy.errors import DecodeError
from irminpy.history import History
from irminpy_mem import Memory

SVG = "{http://www.w3.org/2000/svg}"
NASTY = 'a"b\\n<x>&]]>\x00\x1b\u202e\ud7ff\nsecond line\\'


@pytest.fixture
def repo() -> Iterator[Repo[bytes, None]]:
    ticks = iter(range(10**9))
    with Repo.open(Memory(), clock=lambda: next(ticks)) as opened:
        yield opened


@pytest.fixture
def forked(repo: Repo[bytes, None]) -> Repo[bytes, None]:
    main = repo.main()
    main.set("a/x", b"1", message="first")
    work = main.clone("work")
    work.set("b", b"\xff\xfe", message="on work")
    main.set("c", b"a long text of contents", message="on main")
    main.merge_with_branch("work", message="merge")
    main.set("d", b"1", message="last")
    return repo


def vertices(text: str) -> dict[str, str]:
    """The vertices of a graph in DOT text, name to attributes; all other lines must be edges or known."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        vertex = re.fullmatch(r"  (\w+) \[((?:[^\"]|\"(?:[^\"\\]|\\.)*\")*)\];", line)
        if vertex and vertex[1] not in ("node", "edge"):
            found[vertex[1]] = vertex[2]
    return found


def edges(text: str) -> list[tuple[str, str, str]]:
    pattern = r"^  (\w+) -> (\w+)(?: \[((?:[^\"\n]|\"(?:[^\"\\\n]|\\.)*\")*)\])?;$"
    return [(a, b, more) for a, b, more in re.findall(pattern, text, re.MULTILINE)]


def test_commits_and_branches_in_dot(forked: Repo[bytes, None]) -> None:
    """GR-17."""
    text = dot(forked)
    assert text.startswith("digraph irminpy {\n")
    assert text.endswith("}\n")
    found = vertices(text)
    commits = list(forked.main().log())
    assert {f"c{commit.hash.hex()}" for commit in commits} == {one for one in found if one[0] == "c"}
    for commit in commits:
        attributes = found[f"c{commit.hash.hex()}"]
        assert "style=bold" in attributes
        assert commit.hash.short(8) in attributes
        assert commit.info.message in attributes
        assert "1970-01-01 00:00" in attributes
    plain = [attributes for name, attributes in found.items() if name[0] == "b"]
    assert plain == [f'label="{name}", shape=plaintext, class="branch"' for name in ("main", "work")]
    assert all('class="commit"' in attributes for name, attributes in found.items() if name[0] == "c")
    drawn = {(a, b) for a, b, _ in edges(text) if a[0] == "c"}
    assert drawn == {
        (f"c{commit.hash.hex()}", f"c{parent.hex()}") for commit in commits for parent in commit.parents
    }
    assert len([1 for a, _, _ in edges(text) if a[0] == "b"]) == 2
    assert 'on day 0"' not in text
    assert "on day 0" in dot(forked, date=lambda _: "on day 0")


def test_trees_in_dot(forked: Repo[bytes, None]) -> None:
    """GR-17: contents as boxes, directories dotted, labelled edges, short values."""
    text = dot(forked, full=True)
    found = vertices(text)
    values = [attributes for name, attributes in found.items() if name[0] == "v"]
    assert len(values) == 3  # 1, the blob and the long text; each object once
    assert any("<blob>" in attributes for attributes in values)
    assert any("a long te…" in attributes for attributes in values)
    assert all("style=dotted" in attributes for name, attributes in found.items() if name[0] == "n")
    assert all('class="contents"' in attributes for attributes in values)
    assert all('class="node"' in attributes for name, attributes in found.items() if name[0] == "n")
    labels = [more for a, _, more in edges(text) if a[0] == "n"]
    assert 'label="a"' in labels
    assert 'label="x", style=dotted' in labels
    assert all(a in found and b in found for a, b, _ in edges(text))


def test_a_history_is_drawn_as_far_as_it_goes(forked: Repo[bytes, None]) -> None:
    main = forked.main()
    history = main.history(depth=1)
    text = dot(history, branches={"here": main.head(), "gone": forked.branch("work").head()})
    assert len(history) == 2
    assert len(vertices(text)) == 3
    assert "gone" not in text
    picture = ElementTree.fromstring(svg(history, branches={"here": main.head().hash}))
    assert len(picture.findall(f".//{SVG}circle")) == 2
    # One line to the parent in the picture, one dashed for those that are not.
    assert len([path for path in picture.iter(f"{SVG}path") if path.get("stroke-dasharray")]) == 1
    assert "[here]" in "".join(picture.itertext())


def test_nothing_to_draw(repo: Repo[bytes, None]) -> None:
    assert vertices(dot(repo)) == {}
    assert "no commits" in "".join(ElementTree.fromstring(svg(repo)).itertext())
    assert "no commits" in svg(History[Commit[bytes]]())
    with pytest.raises(TypeError):
        svg("mem:")  # type: ignore[arg-type]


def test_an_svg_has_a_row_per_commit_and_a_line_per_parent(forked: Repo[bytes, None]) -> None:
    picture = ElementTree.fromstring(svg(forked))
    commits = list(forked.main().log())
    circles = picture.findall(f".//{SVG}circle")
    assert len(circles) == len(commits) == 5
    assert [circle.findtext(f"{SVG}title") for circle in circles] == [c.info.message for c in commits]
    assert len({circle.get("cy") for circle in circles}) == 5
    assert len({circle.get("cx") for circle in circles}) == 2
    paths = [path.get("d", "") for path in picture.iter(f"{SVG}path")]
    assert len(paths) == sum(len(commit.parents) for commit in commits)
    assert len([path for path in paths if "C" in path]) == 2  # the fork and the merge
    text = "".join(picture.itertext())
    for expected in ("[main]", "[work]", "merge", commits[0].hash.short(8), "irminpy"):
        assert expected in text


def test_whatever_a_commit_says_is_escaped(repo: Repo[bytes, None]) -> None:
    """GR-17: no label ends early, no control character gets through."""
    tree = repo.empty_tree().add(('st"ep\\', "<&>"), b'"\\')
    commit = repo.commit_tree(tree, info=Info(1 << 62, NASTY, NASTY))
    store = repo.detached(commit)
    for text in (dot(store.history(), full=True), dot(store.history(), branches={NASTY: commit})):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", text)
        for line in text.splitlines():
            assert len(re.findall(r"(?<!\\)(?:\\\\)*\"", line)) % 2 == 0
        found = vertices(text)
        assert f"c{commit.hash.hex()}" in found
        assert "second line" not in text
    picture = ElementTree.fromstring(svg(store.history(), branches={NASTY: commit}))
    shown = "".join(picture.itertext())
    assert 'a"b\\n<x>&]]>' in shown
    assert str(1 << 62) in shown
    assert {element.tag.removeprefix(SVG) for element in picture.iter()} <= {
        *("svg", "style", "rect", "g", "path", "circle", "title", "text", "tspan")
    }


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_makes_a_well_formed_picture(message: str, author: str) -> None:
    with Repo.open(Memory(), Schema(contents.String())) as repo:
        commit = repo.commit_tree(repo.empty_tree().add("a", message), info=Info(0, author, message))
        history = repo.detached(commit).history()
        picture = ElementTree.fromstring(svg(history))
        assert len(picture.findall(f".//{SVG}circle")) == 1
        assert len(vertices(dot(history, full=True))) == 3


@given(st.data())
def test_a_line_runs_over_no_commit_but_its_ends(data: st.DataObject) -> None:
    """Lines would otherwise seem to join commits that have nothing to do with each other."""
    with Repo.open(Memory()) as repo:
        made: list[Commit[bytes]] = []
        for i in range(data.draw(st.integers(1, 12))):
            parents = data.draw(st.lists(st.sampled_from(made), max_size=3, unique=True)) if made else []
            made.append(repo.commit_tree(repo.empty_tree(), parents=parents, info=Info(i)))
        picture = ElementTree.fromstring(svg(repo.empty().history(max=made)))
    places = {(circle.get("cx"), circle.get("cy")) for circle in picture.iter(f"{SVG}circle")}
    assert len(places) == len(made)
    lines = [path.get("d", "") for path in picture.iter(f"{SVG}path")]
    assert len(lines) == sum(len(commit.parents) for commit in made)
    for line in lines:
        x, y = line[1:].split("V")[0].split("C")[0].split()
        ends = [(x, y)]
        passed: set[tuple[str, str]] = set()
        for kind, numbers in re.findall(r"([VC])([\d ]+)", line):
            *_, to_x, to_y = [x, *numbers.split()] if kind == "V" else numbers.split()
            passed |= {(to_x, str(at)) for at in range(int(y) + 26, int(to_y) + 1, 26)}
            x, y = to_x, to_y
        ends.append((x, y))
        assert places & passed <= set(ends)
        assert set(ends) <= places


def test_pictures_have_a_bounded_size(repo: Repo[bytes, None]) -> None:
    tree = repo.empty_tree()
    heads = [
        repo.commit_tree(tree.add(f"{i}", b"x" * 1000), info=Info(i, "a" * 10000, "m" * 10000))
        for i in range(300)
    ]
    merge = repo.commit_tree(tree, parents=heads, info=Info(1000))
    history = repo.detached(merge).history()
    text = svg(history, limit=100, branches={f"branch {i}": merge for i in range(1000)})
    picture = ElementTree.fromstring(text)
    assert len(picture.findall(f".//{SVG}circle")) == 100
    assert "… and 201 more" in text
    assert len(text) < 100_000
    assert float(picture.get("width", "")) < 3000
    assert float(picture.get("height", "")) < 3000
    graph = dot(history, full=True, limit=310)
    assert len(vertices(graph)) <= 310
    assert "is left out" in graph
    assert "is left out" in dot(history, limit=5)
    assert "is left out" not in dot(history, full=True)
    for wrong in (0, -1, True):
        with pytest.raises(DecodeError):
            svg(history, limit=wrong)
        with pytest.raises(DecodeError):
            dot(history, limit=wrong)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_it(forked: Repo[bytes, None]) -> None:
    subprocess.run(
        ["dot", "-Tcanon"], input=dot(forked, full=True), text=True, check=True, capture_output=True
    )
