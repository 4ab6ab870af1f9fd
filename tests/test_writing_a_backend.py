"""The backend of docs/writing-a-backend.md, taken from the text, against the suites as the text runs them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

TEXT = Path(__file__).resolve().parent.parent / "docs" / "writing-a-backend.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)

# Its classes must be found again by pickle and dataclasses, so it is a module.
_module = ModuleType("onefile_of_the_docs")
sys.modules[_module.__name__] = _module
for _block in BLOCKS:
    exec(compile(_block, str(TEXT), "exec"), _module.__dict__)

TestBackend: Any = _module.__dict__["TestBackend"]
TestTrees: Any = _module.__dict__["TestTrees"]
TestStores: Any = _module.__dict__["TestStores"]


def test_the_text_holds_a_backend_and_its_tests() -> None:
    assert len(BLOCKS) == 2


def test_the_example_opens_by_uri(tmp_path: Path) -> None:
    maker: Any = _module.__dict__["OneFile"].of_uri(str(tmp_path / "store"), {})
    assert maker == _module.__dict__["OneFile"](tmp_path / "store")
