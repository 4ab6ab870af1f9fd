"""A wire that fails on demand, between a client and a server."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Forwards connections to `target`. `refuse`: close at once; `cut`: close when the answer begins."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        self.refuse = 0
        """How many connections are closed at once."""
        self.cut = False
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._joined: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self.connections += 1
                if self.refuse:
                    self.refuse -= 1
                    client.close()
                    continue
                try:
                    server = socket.create_connection(self._target)
                except OSError:
                    client.close()
                    continue
                with self._lock:
                    self._open |= {client, server}
                joined = threading.Thread(target=self._join, args=(client, server), daemon=True)
                self._joined.append(joined)
                joined.start()

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        back = threading.Thread(target=self._pump, args=(server, client, True), daemon=True)
        back.start()
        self._pump(client, server, False)
        back.join()
        with self._lock:
            self._open -= {client, server}
        client.close()
        server.close()

    def _pump(self, source: socket.socket, sink: socket.socket, back: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if back and self.cut:
                    break
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def drop(self) -> None:
        """Close all connections that are open now."""
        with self._lock:
            dropped, self._open = self._open, set()
        for one in dropped:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes whoever accepts
        self._accepting.join()
        self._listening.close()
        self.drop()
        for joined in self._joined:
            joined.join()


@contextlib.contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    proxy = Proxy((host, int(port)))
    try:
        yield proxy
    finally:
        proxy.close()
