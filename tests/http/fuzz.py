"""Requests made from the OpenAPI description against a live server: `python -m tests.http.fuzz [OPTION…]`.

It needs schemathesis (`pip install schemathesis`), which no part of irminpy asks for; OPTIONs go to its command `run`.
Exit status 0: no answer was a fault of the server, and every answer is one that the description allows.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from irminpy.server import Access, Limits
from tests.http.served import served

# The description tells what is asked for, not all that a store refuses: a well-formed request may still name a branch
# that is not there, or a step that no tree has. So that refusals are fine, and faults and other types are not.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"

# Bodies in msgpack and slices are not made from a description; tests/http/test_hostile.py has them.
BINARY = r"^/(objects(/(read|missing|history))?|slice)$"


def main() -> int:
    command = shutil.which("schemathesis")
    if command is None:
        print("schemathesis is not installed: pip install schemathesis", file=sys.stderr)
        return 2
    with served(access=Access(write=True), limits=Limits(seconds=300)) as plain:
        store = plain.repo.main()
        store.set("a/b", b"value", message="first")
        store.set("a/c", b"other", message="second")
        options = sys.argv[1:] or ["--max-examples=100"]
        run = [
            command,
            "run",
            f"{plain.url}openapi.json",
            f"--checks={CHECKS}",
            f"--exclude-path-regex={BINARY}",
        ]
        done = subprocess.run([*run, *options], check=False)
        report = plain.repo.check()
        print(f"the store after that: {report}")
        return done.returncode or int(not report.ok)


if __name__ == "__main__":
    sys.exit(main())
