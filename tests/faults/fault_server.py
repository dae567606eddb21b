"""A web server on 127.0.0.1 that fails on purpose, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[["Handler", bytes], None]


def whole(handler: Handler, content: bytes) -> None:
    """The file."""
    handler.begin(200, {"Content-Length": str(len(content))})
    handler.wfile.write(content)


def called_compressed(handler: Handler, content: bytes) -> None:
    """The file, a .gz one, as if its compression were the transfer's."""
    handler.begin(200, {"Content-Length": str(len(content)), "Content-Encoding": "gzip"})
    handler.wfile.write(content)


def cut(handler: Handler, content: bytes) -> None:
    """Promises all, sends half of it and hangs up."""
    handler.begin(200, {"Content-Length": str(len(content))})
    handler.wfile.write(content[: len(content) // 2])


def cut_without_length(handler: Handler, content: bytes) -> None:
    """Sends half and closes, never having said how much there is."""
    handler.begin(200, {})
    handler.wfile.write(content[: len(content) // 2])


def truncated(handler: Handler, content: bytes) -> None:
    """A shorter file, served as if it were all."""
    whole(handler, content[: len(content) // 3])


def wrong(handler: Handler, content: bytes) -> None:
    """As many bytes, one of them another."""
    whole(handler, content[:-1] + bytes([content[-1] ^ 1]))


def longer(handler: Handler, content: bytes) -> None:
    """The file and something after it, without saying how long that is."""
    handler.begin(200, {})
    handler.wfile.write(content + b"<html>")


def html(handler: Handler, content: bytes) -> None:
    """A page for people, as if it were the file."""
    whole(handler, b"\n<!DOCTYPE html>\n<html><head><title>Moved</title></head></html>")


def silent(handler: Handler, content: bytes) -> None:
    """Accepts the request and never answers."""
    handler.server.stopping.wait(20)


def slow(handler: Handler, content: bytes) -> None:
    """A quarter at once, the rest a little at a time."""
    handler.begin(200, {"Content-Length": str(len(content))})
    quarter = len(content) // 4
    handler.wfile.write(content[:quarter])
    for start in range(quarter, len(content), 1 << 14):
        if handler.server.stopping.wait(0.05):
            return
        handler.wfile.write(content[start : start + (1 << 14)])


def status(code: int) -> Behaviour:
    """An answer with this status and no file."""
    return lambda handler, content: handler.begin(code, {"Content-Length": "0"})


def redirect(path: str) -> Behaviour:
    """Sends the client to `path`."""
    return lambda handler, content: handler.begin(302, {"Location": path, "Content-Length": "0"})


@dataclass
class Resource:
    """A path's content and how it is served: the first behaviour for the first request, the last one for ever."""

    content: bytes
    behaviours: list[Behaviour]


class Handler(BaseHTTPRequestHandler):
    server: FaultServer

    def do_GET(self) -> None:
        with self.server.counting:
            self.server.requests.append(self.path)
            self.server.open += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.open)
        try:
            self.answer()
        finally:
            with self.server.counting:
                self.server.open -= 1

    def answer(self) -> None:
        resource = self.server.resources.get(self.path)
        if resource is None:
            return self.begin(404, {"Content-Length": "0"})
        behaviour = resource.behaviours[0]
        if len(resource.behaviours) > 1:
            resource.behaviours.pop(0)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            behaviour(self, resource.content)
        self.close_connection = True
        return None

    def begin(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@dataclass
class FaultServer(ThreadingHTTPServer):
    """Use as a context manager: `with FaultServer() as server: url = server.serve("/file", b"...", cut, whole)`."""

    resources: dict[str, Resource] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    open: int = 0
    most_at_once: int = 0
    counting: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.daemon_threads = True
        self.stopping = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def serve(self, path: str, content: bytes, *behaviours: Behaviour) -> str:
        self.resources[path] = Resource(content, list(behaviours or (whole,)))
        return self.base + path

    def __exit__(self, *exception: object) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()


def wait_until(happened: Callable[[], bool], seconds: float = 10) -> None:
    """Return when `happened`; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
