"""A light client: a server process holds a store, a client process the hash of one commit, and believes nothing else.

The client asks over a pipe and verifies each answer. A server that lies is found out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import IO, Any

import irminpy
from irminpy import BadProof, Hash, Schema
from irminpy.proof import ProofFile, Question

SCHEMA = Schema()  # both sides know it, as they know the protocol


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer questions, one JSON text a line, with files of proofs, each after its length; lie when told to."""
    with irminpy.open("mem:", SCHEMA, author="server", clock=lambda: 0) as repo:
        main = repo.main()
        with main.edit("articles", message="stock") as articles:
            for i in range(10_000):
                articles[f"{i:05}/name"] = b"article %d" % i
                articles[f"{i:05}/price"] = b"%d" % (i % 90 + 10)
        head = main.head()
        # A client gets this from elsewhere: a signature, a block header, a friend.
        answers.write(bytes(head.hash))
        answers.flush()
        for line in requests:
            request = json.loads(line)
            question = Question(request["question"])
            proof, _ = repo.produce_proof(head.tree_hash, question)
            data = ProofFile(question, head.to_bytes(), proof.to_bytes()).to_bytes()
            if request["lie"]:
                data = data.replace(b"article 4711", b"article 4712")
            answers.write(len(data).to_bytes(4, "big") + data)
            answers.flush()


class Client:
    """Knows the hash of a commit and where to ask."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes], commit: Hash) -> None:
        self.requests, self.answers, self.commit = requests, answers, commit

    def ask(self, question: dict[str, Any], *, lie: bool = False) -> Any:
        """The answer, proved; raises BadProof."""
        self.requests.write(json.dumps({"question": question, "lie": lie}).encode() + b"\n")
        self.requests.flush()
        file = ProofFile.from_bytes(self.answers.read(int.from_bytes(self.answers.read(4), "big")))
        if file.question.json != question:
            raise BadProof("the answer to another question")
        _, answer = file.verify(SCHEMA, commit=self.commit)
        print(f"{len(file.proof):6} bytes prove {question!s:60.60} {answer!s:.60}")
        return answer


def main() -> None:
    server = subprocess.Popen(
        [sys.executable, __file__, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with server:
        assert server.stdin is not None
        assert server.stdout is not None
        client = Client(server.stdin, server.stdout, Hash(server.stdout.read(32)))
        name = {"read": ["articles/04711/name"]}
        assert client.ask(name) == [b"article 4711".hex()]
        batch = {"read": [f"articles/{i:05}/price" for i in range(100)]}
        assert [int(bytes.fromhex(price)) for price in client.ask(batch)] == [i % 90 + 10 for i in range(100)]
        assert client.ask({"absence": ["articles/10000", "articles/00001"]}) == [True, False]
        assert client.ask({"length": ["articles"]}) == [10_000]
        n, page = client.ask({"page": ["articles", 5000, 3]})
        assert (n, len(page)) == (10_000, 3)
        try:
            client.ask(name, lie=True)
        except BadProof as e:
            print(f"a lie is found out: {e}")
        else:
            raise AssertionError("a lie was believed")
        server.stdin.close()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer) if sys.argv[1:] == ["serve"] else main()
