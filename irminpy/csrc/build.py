"""Builds `irminpy._ccore` from the sources beside it, where that is possible (docs/decisions/056).

The hook of the build of a wheel, editable or not; as a program, `python irminpy/csrc/build.py`, it builds the module
into the tree that it lies in. What is built is optional: without a compiler, or without the headers of Python, the
wheel is one of pure Python, and one line says so. `IRMINPY_BUILD_CORE=0` does not try; `=1` makes a failure an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["Core", "build"]

HERE = Path(__file__).resolve().parent
MODULE = "_ccore"
_LIMIT = 300  # seconds


class NotBuilt(Exception):
    """Why there is no compiled core."""


def build(place: Path) -> Path:
    """The compiled module, made in the directory `place`; what lay there under its name is replaced at once.

    Raises NotBuilt.
    """
    name = MODULE + str(sysconfig.get_config_var("EXT_SUFFIX") or ".so")
    with tempfile.TemporaryDirectory(prefix="irminpy-core-") as folder:
        # setuptools knows the compilers of all systems; in a process of its own, as it changes what it runs in.
        command = [sys.executable, "-c", _SETUP, folder, MODULE, *map(str, sorted(HERE.glob("*.c")))]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=_LIMIT,
                cwd=folder,
            )
        except (OSError, subprocess.TimeoutExpired) as e:
            raise NotBuilt(str(e)) from None
        found = list(Path(folder).glob(f"**/{name}"))
        if done.returncode or len(found) != 1:
            lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
            told = [line for line in lines if " error: " in line] or lines[
                -1:
            ]  # what a compiler says, or Python
            raise NotBuilt(told[0] if told else f"the compiler ended with {done.returncode}")
        made = place / f".{name}.{os.getpid()}"
        shutil.copyfile(found[0], made)
        # A process that runs the old one keeps its file.
        os.replace(made, place / name)
    return place / name


_SETUP = """
import sys
from setuptools import Distribution, Extension

folder, name, *sources = sys.argv[1:]
options = [] if sys.platform == "win32" else ["-std=c11", "-O3", "-fno-strict-aliasing", "-fvisibility=hidden"]
core = Extension(name, sources, extra_compile_args=options)
command = Distribution({"ext_modules": [core]}).get_command_obj("build_ext")
command.build_lib = command.build_temp = folder
command.ensure_finalized()
command.run()
"""


class Core(BuildHookInterface[Any]):
    """The hook of hatchling."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the core into the tree, from where an editable install runs it, and put it into a wheel."""
        wanted = os.environ.get("IRMINPY_BUILD_CORE", "")
        if self.target_name != "wheel":
            return
        if wanted == "0":
            self.app.display_info("irminpy: IRMINPY_BUILD_CORE=0, so without the compiled core")
            return
        try:
            made = build(HERE.parent)
        except NotBuilt as e:
            if wanted == "1":
                raise
            self.app.display_warning(f"irminpy: without the compiled core, in pure Python: {e}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if version != "editable":
            build_data["force_include"][str(made)] = f"irminpy/{made.name}"


if __name__ == "__main__":
    try:
        print(build(HERE.parent))
    except NotBuilt as e:
        sys.exit(f"{Path(__file__).name}: {e}")
