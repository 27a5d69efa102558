"""What a request brings along: counted as it streams, and looked at before Gradio does."""

import asyncio
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr

import gate
from errors import BODY_TOO_LARGE, INPUT_SOURCE, PARAM_CHOICE, PARAM_TYPE, TIMEOUT, ArmatureError

Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Any]

CALLS = re.compile(r"/gradio_api/(?:(call/v2)|call|run|api|queue)/([^/]+)/?")
AUTHORITY = r"(?P<name>\[[0-9a-fA-F:.]+\]|[^\[\]@:/?#\\\s]+)(?::(?P<port>[0-9]{1,5}))?"
NETLOC = re.compile(AUTHORITY)
ORIGIN = re.compile(rf"(?P<scheme>(?i:https?))://{AUTHORITY}")
ADDRESS = re.compile(r"(?i:https?)://[^/?#]*")
LOCAL = re.compile(r"/(?![/\\])")  # a path on this server
BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)
BODY_SECONDS = 60.0  # for a small body; an upload may take as long as its line needs


def too_large(found: int, most: int) -> ArmatureError:
    """The refusal of a body of so many bytes."""
    return BODY_TOO_LARGE(
        "The request is too large",
        found=f"{found} bytes",
        allowed=f"at most {most}",
        todo="Send less at once",
    )


def counted(receive: Receive, content_type: str, most: int, most_files: int) -> Receive:
    """The stream of an upload, ended as soon as it has brought more bytes or files than it may."""
    found = BOUNDARY.search(content_type)
    if found is None:
        raise PARAM_TYPE(
            "This is not an upload", allowed="multipart/form-data", todo="Upload the file itself"
        )
    mark = b"--" + (found[1] or found[2]).encode()
    seen, marks, tail = 0, 0, b""

    async def counting() -> Message:
        nonlocal seen, marks, tail
        message: Message = await receive()
        body = message.get("body", b"")
        seen += len(body)
        if seen > most:
            raise too_large(seen, most)
        marks += (tail + body).count(mark)
        tail = (tail + body)[1 - len(mark) :]  # a mark that two messages share is counted with the second
        if marks > most_files + 1:  # the last one ends the form
            raise BODY_TOO_LARGE(
                "The upload brings too many files",
                found=f"{most_files + 1} files or more",
                allowed=f"at most {most_files}",
                todo="Send fewer at once",
            )
        return message

    return counting


async def read(receive: Receive, most: int) -> bytes:
    """The whole of a small body."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message: Message = await receive()
                body += message.get("body", b"")
                if len(body) > most:
                    raise too_large(len(body), most)
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise TIMEOUT("The request did not arrive in time", todo="Send it again") from None


def replayed(body: bytes, receive: Receive) -> Receive:
    """The body once more, for the application."""
    given = False

    async def replaying() -> Message:
        nonlocal given
        if given:
            later: Message = await receive()
            return later
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replaying


def check_files(value: Any, root: Path, host: str) -> None:
    """Every file that a body names must be an upload of ours; nothing is fetched from anywhere.

    `host` is what this server was called by: the page names its uploads by their address here as well.
    """
    if isinstance(value, Mapping):
        if _names_file(value):
            _check_file(value, root, host)
        for entry in value.values():
            check_files(entry, root, host)
    elif isinstance(value, list):
        for entry in value:
            check_files(entry, root, host)


def _names_file(value: Mapping[str, Any]) -> bool:
    meta = value.get("meta")
    return isinstance(meta, Mapping) and meta.get("_type") == "gradio.FileData"


def _check_file(file: Mapping[str, Any], root: Path, host: str) -> None:
    path, url = file.get("path"), file.get("url")
    if not isinstance(path, str):
        raise INPUT_SOURCE("A file is named by the path of its upload", todo="Upload the file itself")
    if url is not None and not _is_ours(url, host):
        raise INPUT_SOURCE(
            "Nothing is fetched from an address",
            found="an address of another place",
            allowed="a file uploaded here",
            todo="Upload the file itself",
        )
    gate.resolve_upload(path, root)


def _is_ours(url: object, host: str) -> bool:
    """Whether an address is one that this server gave out. Gradio does not follow it, but who knows."""
    if not isinstance(url, str):
        return False
    found = ADDRESS.match(url)
    return LOCAL.match(url) is not None if found is None else is_same_site(found[0], host)


def named(host: str) -> str | None:
    """The name in a Host header, an IPv6 address without its brackets; None where it is no such header."""
    found = NETLOC.fullmatch(host)
    return None if found is None else _name(found)


def is_same_site(origin: str, host: str) -> bool:
    """Whether an Origin is the page of this Host: name and port, each scheme having its usual one."""
    asking, asked = ORIGIN.fullmatch(origin), NETLOC.fullmatch(host)
    if asking is None or asked is None:
        return False
    usual = {"http": "80", "https": "443"}[asking["scheme"].lower()]
    return (_name(asking), asking["port"] or usual) == (_name(asked), asked["port"] or usual)


def _name(found: re.Match[str]) -> str:
    return found["name"].strip("[]").lower()


def check_call(path: str, body: object, page: gr.Blocks | None) -> None:
    """A call of an event names one that is there, and its values by names that it has.

    Gradio itself answers 500 to these; the number of the values, and the values, are checked later.
    """
    call = CALLS.fullmatch(path)
    if call is None or page is None:
        return
    if not isinstance(body, Mapping):
        raise PARAM_TYPE("The call can't be read", found=type(body).__name__, allowed="a JSON object")
    index = body.get("fn_index")
    if index is not None:
        if not isinstance(index, int) or index not in page.fns:
            raise _no_such_call(repr(index)[:40])
    elif call[2] not in {event.api_name for event in page.fns.values()}:
        raise _no_such_call(repr(call[2])[:40])
    elif call[1]:
        _check_names(body, page.get_api_info()["named_endpoints"].get(f"/{call[2]}"))


def _no_such_call(found: str) -> ArmatureError:
    return PARAM_CHOICE("There is no such call", found=found, allowed="those of /gradio_api/info")


def _check_names(given: Mapping[str, Any], endpoint: Mapping[str, Any] | None) -> None:
    if endpoint is None:
        raise _no_such_call("a private one")
    inputs = endpoint["parameters"]
    known = {entry["parameter_name"] for entry in inputs}
    needed = {entry["parameter_name"] for entry in inputs if not entry["parameter_has_default"]}
    unknown, missing = set(given) - known, needed - set(given)
    if unknown or missing:
        raise PARAM_TYPE(
            "The values of this call don't fit",
            found=", ".join(
                [*(f"no {name}" for name in sorted(missing)), *(repr(name)[:40] for name in sorted(unknown))][
                    :5
                ]
            ),
            allowed=", ".join(sorted(known)),
            todo="Send every value by its name",
        )
