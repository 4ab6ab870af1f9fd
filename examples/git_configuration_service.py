"""A configuration service whose truth is a repository of Git: operators use git, the service a key-value store.

It answers from memory, writes through to the repository, and loses nothing when the network is gone or it is restarted
in the middle of that: what it could not push is in its state file until it can.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import irminpy
from irminpy_git import Git
from irminpy_git.kv import Change, GitKv, NotPushed, PushRejected, connect, of_octets


class Service:
    """Settings by name. Every change is on disk before it is acknowledged, and pushed when that is possible."""

    def __init__(self, url: str, state: Path) -> None:
        self._state = state
        self._kv: GitKv = of_octets(state.read_bytes(), remote=url) if state.exists() else connect(url)

    def get(self, name: str) -> str:
        return self._kv.get(f"settings/{name}").decode()

    def set(self, name: str, value: str) -> bool:
        """Change a setting; whether others can see it already."""
        try:
            self._kv.set(f"settings/{name}", value.encode())
            return True
        except PushRejected:
            # Somebody was quicker: take over what they did, and try again.
            self._kv.pull(on_conflict="ours")
            return self.set(name, value)
        except NotPushed:
            return False
        finally:
            self._keep()

    def sync(self) -> list[str]:
        """Bring both sides together; the settings that others changed. Offline it changes nothing."""
        try:
            changes = self._kv.pull(on_conflict="ours")
            self._kv.push()
        except irminpy.RemoteError:
            return []
        self._keep()
        return [change.key.rpartition("/")[2] for change in changes if isinstance(change, Change)]

    def waiting(self) -> int:
        return len(self._kv.pending)

    def _keep(self) -> None:
        new = self._state.with_suffix(".new")
        new.write_bytes(self._kv.to_octets())
        new.replace(self._state)


def run(folder: Path) -> None:
    there = folder / "settings.git"
    irminpy.Repo.open(Git(str(there))).close()
    url, state = f"file://{there}", folder / "service.state"

    service = Service(url, state)
    assert service.set("port", "80")
    assert service.set("colour", "blue")
    print("two settings are pushed; the state has", state.stat().st_size, "bytes")

    there.rename(folder / "unplugged")  # the network is gone
    assert not service.set("port", "8080")
    assert not service.set("motd", "back soon")
    print("without the network:", service.get("port"), "with", service.waiting(), "changes waiting")

    service = Service(url, state)  # a restart, still without it
    assert (service.get("port"), service.waiting()) == ("8080", 2)
    assert service.sync() == []

    (folder / "unplugged").rename(there)  # meanwhile an operator did this
    with irminpy.Repo.open(Git(str(there)), author="Op <op@example.com>") as repo:
        repo.main().set("settings/colour", b"green", message="green is better")

    assert service.sync() == ["colour"]
    print("together again: the operator's", service.get("colour"), "and our", service.get("port"))
    assert (service.get("motd"), service.waiting()) == ("back soon", 0)
    with irminpy.Repo.open(Git(str(there)), readonly=True) as repo:
        settings = {step: tree.get().decode() for step, tree in repo.main().list("settings")}
    assert settings == {"colour": "green", "motd": "back soon", "port": "8080"}


if shutil.which("git") is None:
    print("a remote in a directory is served by git, which is not installed here")
    sys.exit(0)
with tempfile.TemporaryDirectory() as name:
    run(Path(name))
