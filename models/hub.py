"""The Hub, as far as files go: what it announces of one, and its bytes from any place on.

A small client of our own: huggingface_hub compares sizes and no checksums, deletes a good file before it has
the next one, and takes half a minute to find out that nobody answers (docs/decisions/0020).
"""

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from ssl import SSLContext
from typing import NoReturn, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from errors import HUB_GATED, HUB_INTEGRITY, HUB_NOT_FOUND, HUB_PARTIAL, HUB_UNREACHABLE

HUB = "https://huggingface.co"
MAIN = "main"  # the revision of a first fetch; what it stood for is written down
TIMEOUTS = httpx.Timeout(10.0, connect=4.0)
MOST_REDIRECTS = 6
COMMIT = re.compile(r"[0-9a-f]{40}")
# SHA-256 of a large file, or what git calls a small one: SHA-1 over its size and its bytes.
CHECKSUM = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
T = TypeVar("T")


class Busy(Exception):
    """What may have passed at the next try; `wait` is how many seconds the Hub asks for."""

    def __init__(self, words: str, wait: float = 0.0) -> None:
        super().__init__(words)
        self.wait = wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What the Hub says of one file at one commit: its size, and the checksum that its bytes must have."""

    repo: str
    path: str
    commit: str
    size: int
    checksum: str

    @property
    def sha256(self) -> str:
        """The SHA-256, where it is announced: of large files."""
        return self.checksum if len(self.checksum) == 64 else ""


class Tally:
    """Adds up the bytes of one file as they come."""

    def __init__(self, file: Announced) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self._git = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        self.size = 0

    def add(self, chunk: bytes) -> None:
        """The next bytes."""
        self.size += len(chunk)
        self._sha256.update(chunk)
        if not self._file.sha256:
            self._git.update(chunk)

    @property
    def sha256(self) -> str:
        """The SHA-256 of all bytes so far."""
        return self._sha256.hexdigest()

    @property
    def is_right(self) -> bool:
        """Whether these are the bytes that were announced."""
        found = self._sha256 if self._file.sha256 else self._git
        return self.size == self._file.size and found.hexdigest() == self._file.checksum


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """An address that speaks the Hub's dialect, and who asks there.

    `offline` is the user's own wish that nothing be fetched. A Hub that says nothing for `patience` seconds
    is out of reach. `pauses` are the seconds after each try that failed; after the last one comes no other.
    """

    endpoint: str = HUB
    token: str = field(default="", repr=False)
    offline: bool = False
    patience: float = 9.0
    pauses: tuple[float, ...] = (0.5, 1.5, 0.0)

    def url(self, repo: str, path: str, revision: str = MAIN) -> str:
        """Where a file is."""
        return f"{self.endpoint.rstrip('/')}/{repo}/resolve/{revision}/{quote(path)}"

    @contextmanager
    def connected(self) -> Iterator["Connection"]:
        """A connection that is used for several files, unless the user wants to stay offline."""
        if self.offline:
            raise HUB_UNREACHABLE(
                "HF_HUB_OFFLINE is set, so nothing is fetched", todo="Unset it and start again"
            )
        headers = {"User-Agent": "armature", "Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"  # httpx keeps it from other hosts
        with httpx.Client(
            headers=headers, timeout=TIMEOUTS, max_redirects=MOST_REDIRECTS, verify=_trusted()
        ) as client:
            yield Connection(self, client)


class Connection:
    """Questions to the Hub over one client."""

    def __init__(self, hub: Hub, client: httpx.Client) -> None:
        self._hub = hub
        self._client = client

    def announced(self, repo: str, path: str, revision: str = MAIN) -> Announced:
        """What the Hub says of a file, or a refusal within the Hub's patience."""
        url = self._hub.url(repo, path, revision)
        head = self._in_time(partial(self._tried, partial(self._head, url)))
        found = {name: head.headers.get(name, "") for name in ("x-repo-commit", "x-linked-etag", "etag")}
        size = head.headers.get("x-linked-size") or head.headers.get("content-length", "")
        checksum = _plain(found["x-linked-etag"] or found["etag"])
        if not COMMIT.fullmatch(found["x-repo-commit"]) or not size.isdecimal():
            self._unreachable("something else answers in its place, such as a page that asks for a login")
        if not CHECKSUM.fullmatch(checksum):
            raise HUB_INTEGRITY(
                f"{path} can't be verified", found="no checksum from the Hub", todo="Get it by hand"
            )
        return Announced(
            repo=repo, path=path, commit=found["x-repo-commit"], size=int(size), checksum=checksum
        )

    def chunks(self, file: Announced, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """The bytes of a file from `start` on, in chunks, each with its place in the file.

        A connection that breaks is taken up again where it broke. A server that can't do that begins at 0.
        """
        at, furthest, failures = start, start, 0
        while at < file.size:
            words = "it ended too early"
            try:
                for place, chunk in self._stream(file, at):
                    at = place + len(chunk)
                    if at > file.size:
                        raise HUB_INTEGRITY(f"{file.path} is longer than announced", todo="Fetch it again")
                    yield place, chunk
            except (httpx.RequestError, Busy) as error:
                words = _words(error)
            failures = 0 if at > furthest else failures + 1
            furthest = max(at, furthest)
            if failures >= len(self._hub.pauses):
                raise HUB_PARTIAL(
                    f"{file.path} did not arrive whole",
                    found=f"{at} of {file.size} bytes, {words}",
                    todo="Fetch it again: it goes on where it stopped",
                )
            if at < file.size:
                time.sleep(self._hub.pauses[max(0, failures - 1)])

    def _stream(self, file: Announced, start: int) -> Iterator[tuple[int, bytes]]:
        """One answer's chunks."""
        url = self._hub.url(file.repo, file.path, file.commit)
        wanted = {"Range": f"bytes={start}-"} if start else {}
        request = self._client.build_request("GET", url, headers=wanted)
        send = partial(self._client.send, request, stream=True, follow_redirects=True)
        response = self._in_time(partial(self._tried, partial(self._sent, send, url)))
        try:
            place = _start_of(response)
            if response.status_code == 416:  # what is here is no beginning of the file
                yield 0, b""
                return
            for chunk in response.iter_bytes():
                yield place, chunk
                place += len(chunk)
        finally:
            response.close()

    def _head(self, url: str) -> httpx.Response:
        """The answer that has the facts: on the way to a CDN, or at the end of moves within the Hub."""
        request = self._client.build_request("HEAD", url)
        for _ in range(MOST_REDIRECTS):
            response = self._sent(partial(self._client.send, request), url)
            if response.next_request is None or "x-linked-etag" in response.headers:
                return response
            request = response.next_request
        raise Busy("it sends from one address to the next without end")

    def _sent(self, send: Callable[[], httpx.Response], url: str) -> httpx.Response:
        """An answer that is one; refusals are raised, those that may pass as `Busy`."""
        response = send()
        if response.status_code < 400 or response.status_code == 416:
            return response
        response.close()
        status, code = response.status_code, response.headers.get("x-error-code", "")
        if status in (408, 429) or status >= 500:
            wait = response.headers.get("retry-after", "")
            raise Busy(f"it answers {status}", float(wait) if wait.isdecimal() else 0.0)
        facts = f"{status} {code}".strip()
        if status == 404 or code in ("RepoNotFound", "EntryNotFound", "RevisionNotFound"):
            raise HUB_NOT_FOUND(
                "The Hub does not have this file",
                found=f"{facts} for {url}",
                todo="Look there for its new name",
            )
        if status in (401, 403):
            raise HUB_GATED(
                "The Hub gives this file only to people whom its authors let in",
                found=f"{facts} for {url}",
                todo="Ask for access on its page there, and start with your token in HF_TOKEN",
            )
        self._unreachable(f"it answers {facts}")

    def _tried(self, ask: Callable[[], T]) -> T:
        """The answer to a question, asked again after each pause while that may help."""
        until = time.monotonic() + self._hub.patience
        words = ""
        for pause in self._hub.pauses:
            try:
                return ask()
            except httpx.RequestError as error:
                words, wait = _words(error), pause
            except Busy as error:
                words, wait = str(error), max(pause, error.wait)
            if time.monotonic() + wait > until:
                later = f", and wants {wait:.0f} s until the next try" if wait > pause else ""
                self._unreachable(words + later)
            time.sleep(wait)
        self._unreachable(words)

    def _in_time(self, call: Callable[[], T]) -> T:
        """What a call answers, unless it takes longer than the Hub's patience.

        Looking up a name, or trying ten addresses one after the other, has no limit that a client could set:
        so it is waited for on another thread, which is left to itself when time is up.
        """
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(call())
            except Exception as error:
                answer.set_exception(error)

        threading.Thread(target=run, name="hub", daemon=True).start()
        try:
            return answer.result(self._hub.patience)
        except TimeoutError:
            self._unreachable(f"no answer in {self._hub.patience:g} s")

    def _unreachable(self, words: str) -> NoReturn:
        host = urlsplit(self._hub.endpoint).netloc or self._hub.endpoint
        raise HUB_UNREACHABLE(
            "The Hub can't be reached", found=f"{host}: {words}", todo="Check the connection and try again"
        )


@cache
def _trusted() -> SSLContext:
    """Who is believed about names; reading that takes longer than asking the Hub."""
    return httpx.create_ssl_context()


def _plain(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')


def _words(error: Exception) -> str:
    """What went wrong, shortly; of a library's error at least its name."""
    return (str(error) or type(error).__name__)[:120]


def _start_of(response: httpx.Response) -> int:
    """Where in the file an answer begins: one that was asked for a part may give the whole."""
    begins = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    return int(begins[1]) if begins and response.status_code == 206 else 0
