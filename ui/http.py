"""The door of the web process: who may speak to it, how much they may send, and whether it is well.

An ASGI middleware before everything else, so it covers Gradio's own routes too. What it lets through is read
by the gate later; what it refuses is answered with a code in words.
"""

import asyncio
import json
import logging
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from gradio.utils import get_upload_folder

import gate
from errors import BAD_HOST, BAD_ORIGIN, BODY_TOO_LARGE, INPUT_SOURCE, ArmatureError
from gate import Limits, Profile
from pipelines.engine import Engine

log = logging.getLogger(__name__)

Scope: TypeAlias = dict[str, Any]
Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Any]
Send: TypeAlias = Callable[[Message], Any]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
UPLOADS = re.compile(r"/gradio_api/upload/?")
HEADERS = {b"x-content-type-options": b"nosniff", b"referrer-policy": b"same-origin"}
LEAST_DISK = 1_000_000_000  # bytes free in the outputs, below which the program is not ready


@dataclass(slots=True, kw_only=True)
class Door:
    """What the guard goes by. `hosts` grows when a share link is made."""

    profile: Profile
    limits: Limits
    engine: Engine
    outputs: Path
    hosts: set[str] = field(default_factory=lambda: set(LOOPBACK))
    framed: bool = False  # on a Space the page lives in a frame of another site

    def knows(self, host: str) -> bool:
        """Whether a name is ours. A bare address can't be rebound to us by another site's DNS."""
        if host in self.hosts:
            return True
        return self.profile != "local" and _is_address(host)

    def health(self) -> Mapping[str, bool]:
        """The checks of readiness, by name."""
        return {
            "accepting": not self.engine.draining,
            "worker": self.engine.answers(),
            "disk": shutil.disk_usage(self.outputs).free > LEAST_DISK,
        }


class Guard:
    """The middleware."""

    def __init__(self, app: Any, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            self._check_sender(headers)
            if scope["path"] == "/livez":
                await _answer(send, 200, {"alive": True})
                return
            if scope["path"] == "/readyz":
                checks = await asyncio.to_thread(self._door.health)
                await _answer(send, 200 if all(checks.values()) else 503, checks)
                return
            receive = await self._checked_body(scope, headers, receive)
        except ArmatureError as error:
            log.warning("refused %s %s: %s", scope["method"], error.code.name, error.found)
            await _refuse(send, error)
            return
        await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To the application; a body that turns out too large is refused, if nothing was said yet."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, self._sealed(watched))
        except ArmatureError as error:
            if begun:
                raise
            await _refuse(send, error)

    def _check_sender(self, headers: Mapping[bytes, str]) -> None:
        host = _host(headers.get(b"host", ""))
        if not self._door.knows(host):
            raise BAD_HOST(
                "This server does not go by that name",
                found=host[:80],
                todo="Use the address that it printed when it started",
            )
        origin = headers.get(b"origin")
        if origin is not None and _host(urlsplit(origin).netloc) != host:
            raise BAD_ORIGIN(
                "Another site may not use this server",
                found=origin[:80],
                todo="Open the page itself",
            )

    async def _checked_body(self, scope: Scope, headers: Mapping[bytes, str], receive: Receive) -> Receive:
        """Uploads are counted as they stream by; all else is small, and read whole and looked at."""
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            return receive
        limits = self._door.limits
        upload = UPLOADS.fullmatch(scope["path"]) is not None
        most = limits.request_bytes if upload else limits.json_bytes
        announced = headers.get(b"content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise _too_large(int(announced), most)
        if upload:
            return _counted(receive, most)
        body = await _read(receive, most)
        if "json" in headers.get(b"content-type", ""):
            _check_files(gate.parse_json(body, most_bytes=most), Path(get_upload_folder()))
        return _replayed(body, receive)

    def _sealed(self, send: Send) -> Send:
        """The answers with our headers."""
        extra = dict(HEADERS) if self._door.framed else HEADERS | {b"x-frame-options": b"SAMEORIGIN"}

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *extra.items()]}
            await send(message)

        return sealed


def _check_files(value: Any, root: Path) -> None:
    """Every file that the body names must be an upload of ours; nothing is fetched from anywhere."""
    if isinstance(value, Mapping):
        if _names_file(value):
            _check_file(value, root)
        for entry in value.values():
            _check_files(entry, root)
    elif isinstance(value, list):
        for entry in value:
            _check_files(entry, root)


def _names_file(value: Mapping[str, Any]) -> bool:
    meta = value.get("meta")
    return isinstance(meta, Mapping) and meta.get("_type") == "gradio.FileData"


def _check_file(file: Mapping[str, Any], root: Path) -> None:
    path = file.get("path")
    if not isinstance(path, str) or str(file.get("url", "")).startswith("data:"):
        raise INPUT_SOURCE("A file is named by the path of its upload", todo="Upload the file itself")
    gate.resolve_upload(path, root)


def _too_large(found: int, most: int) -> ArmatureError:
    return BODY_TOO_LARGE(
        "The request is too large",
        found=f"{found} bytes",
        allowed=f"at most {most}",
        todo="Send less at once",
    )


def _counted(receive: Receive, most: int) -> Receive:
    """The stream, ended as soon as it has brought more than it may."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message: Message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise _too_large(seen, most)
        return message

    return counted


async def _read(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message: Message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_large(len(body), most)
        if not message.get("more_body"):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body once more, for the application."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            later: Message = await receive()
            return later
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _refuse(send: Send, error: ArmatureError) -> None:
    words = f"{error.message} ({error.code.name})"
    await _answer(send, error.code.status, {"error": words, "detail": words, "code": error.code.name})


async def _answer(send: Send, status: int, content: Mapping[str, Any]) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *HEADERS.items(),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _host(netloc: str) -> str:
    """The name without its port; an IPv6 address without its brackets."""
    bracketed = re.match(r"\[([0-9a-fA-F:.]+)\]", netloc)
    return (bracketed[1] if bracketed else netloc.partition(":")[0]).lower()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
