"""The door of the web process: who may speak to it, how much they may send, and whether it is well.

An ASGI middleware before all routes, Gradio's own too; only what Gradio says about CORS comes earlier. What
it lets through is read by the gate later; what it refuses, and what Gradio refuses, is told with a code.
"""

import asyncio
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias

from gradio.utils import get_upload_folder

import gate
from errors import (
    BAD_HOST,
    BAD_ORIGIN,
    FILE_TOO_LARGE,
    INPUT_GONE,
    INTERNAL,
    NOT_ALLOWED,
    PARAM_TYPE,
    QUEUE_FULL,
    ArmatureError,
    Code,
    ours,
)
from gate import Limits, Profile
from pipelines.engine import Engine
from ui import bodies
from ui.bodies import Message, Receive

log = logging.getLogger(__name__)

Scope: TypeAlias = dict[str, Any]
Send: TypeAlias = Callable[[Message], Any]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
UPLOADS = re.compile(r"/gradio_api/upload/?")
FORMS = re.compile(r"/login/?")  # no JSON, and none of our values
FILES = re.compile(r"/gradio_api/file[=/](.*)", re.DOTALL)
PROXY = "/gradio_api/proxy="
HEADERS = {b"x-content-type-options": b"nosniff", b"referrer-policy": b"same-origin"}
LEAST_DISK = 1_000_000_000  # bytes free in the outputs, below which the program is not ready
GLANCE = 0.5  # seconds that one look at the health serves everybody who asks
# What Gradio refuses in words of its own: its status, and ours instead. A login is its own business (401).
REWORDED: Mapping[int, tuple[Code, str]] = {
    400: (PARAM_TYPE, "The request can't be read"),
    403: (NOT_ALLOWED, "This is not for visitors"),
    404: (INPUT_GONE, "There is nothing at this address"),
    405: (NOT_ALLOWED, "This can't be done at this address"),
    413: (FILE_TOO_LARGE, "The file is too large"),
    422: (PARAM_TYPE, "The request does not have the right form"),
    503: (QUEUE_FULL, "Too many are asking at once"),
}


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
            "outputs": os.access(self.outputs, os.R_OK | os.W_OK | os.X_OK),
            "disk": _free(self.outputs) > LEAST_DISK,
        }


class Guard:
    """The middleware."""

    def __init__(self, app: Any, door: Door) -> None:
        self._app = app
        self._door = door
        self._looking = asyncio.Lock()
        self._looked_at = -GLANCE
        self._health: Mapping[str, bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, self._sealed(send))
        else:
            await send({"type": "websocket.close", "code": 1008})  # the page has none

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on. Whatever goes wrong before an answer has begun becomes a coded one."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            if scope["path"] in ("/livez", "/readyz"):
                self._check_sender(_headers(scope))
                await self._tell_health(scope["path"], watched)
                return
            checked = await self._checked(scope, receive)
            await self._app(scope, checked, self._reworded(scope, watched))
        except Exception as error:
            if begun:
                raise
            known = ours(error)
            if known.code is INTERNAL:
                log.error("%s", known, exc_info=error)
            else:
                log.warning("refused %s: %s (%r)", scope["method"], known.code.name, known.found)
            await _refuse(scope, send, known, known.code.status)

    async def _checked(self, scope: Scope, receive: Receive) -> Receive:
        headers = _headers(scope)
        self._check_sender(headers)
        self._check_target(scope["path"])
        return await self._checked_body(scope, headers, receive)

    def _check_sender(self, headers: Mapping[bytes, str]) -> None:
        """The name that the visitor called us by is ours, and a page that asks is our own, port and all."""
        host = headers.get(b"host", "")
        name = bodies.named(host)
        if name is None or not self._door.knows(name):
            raise BAD_HOST(
                "This server does not go by that name",
                found=host[:80],
                todo="Use the address that it printed when it started",
            )
        origin = headers.get(b"origin")
        if origin is not None and not bodies.is_same_site(origin, host):
            raise BAD_ORIGIN(
                "Another site may not use this server",
                found=origin[:80],
                todo="Open the page itself",
            )

    def _check_target(self, path: str) -> None:
        """Files are served from the folder of uploads and results; nothing is fetched for anybody."""
        if path.startswith(PROXY):
            raise NOT_ALLOWED("Nothing is fetched from an address", todo="Open the address itself")
        if wanted := FILES.fullmatch(path):
            gate.resolve_upload(wanted[1], Path(get_upload_folder()))

    async def _checked_body(self, scope: Scope, headers: Mapping[bytes, str], receive: Receive) -> Receive:
        """Uploads are counted as they stream by; all else is small, and read whole and looked at."""
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            return receive
        limits, path = self._door.limits, scope["path"]
        upload = UPLOADS.fullmatch(path) is not None
        most = limits.request_bytes if upload else limits.json_bytes
        announced = headers.get(b"content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise bodies.too_large(int(announced), most)
        if upload:
            return bodies.counted(receive, headers.get(b"content-type", ""), most, limits.files)
        body = await bodies.read(receive, most)
        if body and not FORMS.fullmatch(path):
            self._check_json(scope, headers, body)
        return bodies.replayed(body, receive)

    def _check_json(self, scope: Scope, headers: Mapping[bytes, str], body: bytes) -> None:
        """Every other body is JSON, says so, and names no file that is not an upload of ours."""
        kind = headers.get(b"content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise PARAM_TYPE(
                "The body is of a kind that is not taken here",
                found=kind[:80] or "no content type",
                allowed="application/json",
            )
        value = gate.parse_json(body, most_bytes=len(body))
        bodies.check_files(value, Path(get_upload_folder()), headers[b"host"])
        page = getattr(scope.get("app"), "blocks", None)
        bodies.check_call(scope["path"], value, page)

    async def _tell_health(self, path: str, send: Send) -> None:
        if path == "/livez":
            await _answer(send, 200, {"alive": True})
            return
        async with self._looking:  # many who ask at once make one look
            if time.monotonic() - self._looked_at >= GLANCE:
                self._health = await asyncio.to_thread(self._door.health)
                self._looked_at = time.monotonic()
        await _answer(send, 200 if all(self._health.values()) else 503, self._health)

    def _reworded(self, scope: Scope, send: Send) -> Send:
        """What the application refuses, with a code; its own words stay here."""
        silent = False

        async def reworded(message: Message) -> None:
            nonlocal silent
            if message["type"] == "http.response.start" and message["status"] in REWORDED:
                silent = True
                code, what = REWORDED[message["status"]]
                log.warning("refused %s: %s (%d)", scope["method"], code.name, message["status"])
                await _refuse(scope, send, code(what), message["status"])
            elif not silent:
                await send(message)

        return reworded

    def _sealed(self, send: Send) -> Send:
        """The answers with our headers."""
        extra = dict(HEADERS) if self._door.framed else HEADERS | {b"x-frame-options": b"SAMEORIGIN"}

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *extra.items()]}
            await send(message)

        return sealed


async def _refuse(scope: Scope, send: Send, error: ArmatureError, status: int) -> None:
    """The refusal as JSON; after an upload as plain words, which is what the page shows then."""
    words = f"{error.message} ({error.code.name})"
    if UPLOADS.fullmatch(scope["path"]):
        await _send(send, status, words.encode(), b"text/plain; charset=utf-8")
    else:
        await _answer(send, status, {"error": words, "detail": words, "code": error.code.name})


async def _answer(send: Send, status: int, content: Mapping[str, Any]) -> None:
    await _send(send, status, json.dumps(content).encode(), b"application/json")


async def _send(send: Send, status: int, body: bytes, kind: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _headers(scope: Scope) -> dict[bytes, str]:
    """The headers, each once: of two that differ, we would look at one and Gradio at the other."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        key, text = name.lower(), value.decode("latin-1")
        if key in (b"host", b"origin", b"content-type", b"content-length") and found.get(key, text) != text:
            raise PARAM_TYPE("A header comes twice", found=key.decode("latin-1"), allowed="once")
        found[key] = text
    return found


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
