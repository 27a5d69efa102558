"""A Hub on loopback that speaks the real one's dialect: it serves, breaks off, lies and refuses.

Large files are announced on the way to a CDN, which is another host; small ones at the end of a move within
the Hub. All waiting in it is bounded, and it ends with its `with` block.
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

COMMIT = "1234567890abcdef1234567890abcdef12345678"
LIMIT = 30.0  # seconds after which whoever waits here goes on
SMALL = (".json", ".txt")

Fault: TypeAlias = Literal[
    "breaks", "wrong", "long", "no range", "holds",
    "not there", "gated", "busy", "down", "loop", "hangs", "portal",
]  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    range: str
    token: str


@dataclass
class FakeHub:
    """What it has, by repository and path; `faults` by path; and what it was asked.

    A fault holds for as many answers as it says, "breaks" for as many bodies. `held` is set while the second
    half of a body waits for `go`.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    faults: dict[str, tuple[Fault, int]] = field(default_factory=dict)
    retry_after: str = "0"
    asked: list[Asked] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, repo: str, path: str, content: bytes) -> bytes:
        """Put a file into a repository."""
        self.files[f"{repo}/{path}"] = content
        return content

    def fail(self, path: str, fault: Fault, times: int = 1_000_000) -> None:
        """Let the next answers about a file go wrong."""
        self.faults[path] = (fault, times)

    def bodies(self, path: str = "") -> list[Asked]:
        """The requests for bytes of a file, or of all: one for each try."""
        asked = [one for one in self.asked if one.method == "GET" and one.path.endswith(path)]
        return [one for one in asked if one.path.startswith(("cdn/", "api/"))]

    def fault(self, path: str, *kinds: Fault) -> Fault | None:
        """The fault of a file, if it is one of these; that is one time less."""
        with self.lock:
            name = next((name for name in self.faults if path.endswith(name)), "")
            kind, times = self.faults.get(name, ("breaks", 0))
            if kind not in kinds or not times:
                return None
            self.faults[name] = (kind, times - 1)
            return kind


class Answers(BaseHTTPRequestHandler):
    """The answers to one connection."""

    protocol_version = "HTTP/1.1"
    timeout = LIMIT
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        path = unquote(self.path.partition("?")[0]).lstrip("/")
        headers = (self.headers.get(name, "") for name in ("range", "authorization"))
        self.hub.asked.append(Asked(self.command, path, *headers))
        if path.startswith("cdn/"):
            self._serve(path.removeprefix("cdn/"), {})
        elif path.startswith("api/resolve-cache/models/"):
            owner, repo, commit, file = path.removeprefix("api/resolve-cache/models/").split("/", 3)
            name = f"{owner}/{repo}/{file}"
            self._serve(name, self._facts(name) | {"X-Repo-Commit": commit})
        elif "/resolve/" in path:
            repo, _, rest = path.partition("/resolve/")
            revision, _, file = rest.partition("/")
            self._resolve(repo, revision, file)
        else:
            self._say(404, {"X-Error-Code": "RepoNotFound"})

    def _resolve(self, repo: str, revision: str, file: str) -> None:
        name = f"{repo}/{file}"
        match self.hub.fault(name, "not there", "gated", "busy", "down", "loop", "hangs", "portal"):
            case "not there":
                return self._say(404, {"X-Error-Code": "EntryNotFound"})
            case "gated":
                return self._say(401, {"X-Error-Code": "GatedRepo"})
            case "busy":
                return self._say(429, {"Retry-After": self.hub.retry_after})
            case "down":
                return self._say(503, {})
            case "loop":
                return self._say(302, {"Location": self.path})
            case "hangs":
                self.hub.go.wait(LIMIT)
                return self._say(500, {})
            case "portal":
                return self._say(200, {}, b"<html>Please accept our terms</html>")
        if revision not in ("main", COMMIT):
            return self._say(404, {"X-Error-Code": "RevisionNotFound"})
        if name not in self.hub.files:
            missing = any(known.startswith(f"{repo}/") for known in self.hub.files)
            return self._say(404, {"X-Error-Code": "EntryNotFound" if missing else "RepoNotFound"})
        if file.endswith(SMALL):
            return self._say(307, {"Location": f"/api/resolve-cache/models/{repo}/{COMMIT}/{file}?etag=x"})
        cdn = self.hub.url.replace("127.0.0.1", "localhost")
        return self._say(302, self._facts(name) | {"Location": f"{cdn}/cdn/{name}", "X-Repo-Commit": COMMIT})

    def _facts(self, name: str) -> dict[str, str]:
        """What is announced of a file: the truth, whatever is sent then."""
        content = self.hub.files[name]
        if name.endswith(SMALL):
            return {"ETag": f'"{git_checksum(content)}"'}
        return {"X-Linked-Etag": f'"{sha256(content)}"', "X-Linked-Size": str(len(content))}

    def _serve(self, name: str, headers: Mapping[str, str]) -> None:
        content, start, fault = self.hub.files[name], 0, None
        if self.command == "GET":
            fault = self.hub.fault(name, "breaks", "wrong", "long", "no range", "holds")
        if wanted := self.headers.get("range", ""):
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        if start >= len(content) > 0:
            return self._say(416, {"Content-Range": f"bytes */{len(content)}"})
        part = content if fault == "no range" else content[start:]
        status = 206 if wanted and fault != "no range" else 200
        if status == 206:
            headers = {**headers, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        if fault == "wrong":
            part = bytes([part[0] ^ 1]) + part[1:]
        if fault == "long":
            part += b"more than was announced"
        self._say(status, headers, part, fault)

    def _say(
        self, status: int, headers: Mapping[str, str], body: bytes = b"", fault: Fault | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        if fault == "breaks":
            self.close_connection = True
            return
        if fault == "holds":
            self.hub.held.set()
            self.hub.go.wait(LIMIT)
        self.wfile.write(body[half:])


class Server(ThreadingHTTPServer):
    """Ends without waiting for anybody, and says nothing of visitors who left."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_checksum(content: bytes) -> str:
    """What git calls a file of this content: `git hash-object`."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def content_of(path: str) -> bytes:
    """Some bytes for a file, that tell its name; one of tensors has a header, as it must, and no tensor."""
    if not path.endswith(".safetensors"):
        return f"this is {path}".encode() * 50
    header = json.dumps({"__metadata__": {"this is": path * 50}}).encode()
    return len(header).to_bytes(8, "little") + header


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """A running Hub, empty at first."""
    hub = FakeHub()
    server = Server(("127.0.0.1", 0), type("Bound", (Answers,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.go.set()
        server.shutdown()
        server.server_close()
