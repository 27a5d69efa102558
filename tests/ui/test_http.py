"""The door: who may speak, how much they may send, and what every refusal looks like.

Row numbers are those of the list of bad inputs.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import ui.bodies
from errors import BODY_TOO_LARGE
from gate import LIMITS, Profile
from pipelines.engine import Engine
from ui.bodies import Receive
from ui.http import REWORDED, Door, Guard, Send

JSON = "application/json"
HOST = "127.0.0.1:7860"
UPLOAD = "/gradio_api/upload"
CALL = "/gradio_api/queue/join"


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def code(self) -> str:
        """The code of a refusal, which says nothing else in secret."""
        assert b"Traceback" not in self.body
        assert b'"error": null' not in self.body
        told = json.loads(self.body)
        assert told["error"] == told["detail"]
        assert told["error"].endswith(f"({told['code']})")
        code: str = told["code"]
        return code


@dataclass
class Inside:
    """The application behind the door: it reads the whole body, and answers what it is told to."""

    status: int = 200
    failure: Exception | None = None
    late: bool = False
    seen: bytearray = field(default_factory=bytearray)
    visits: int = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.visits += 1
        if scope["type"] != "http":
            return
        more = True
        while more:
            message = await receive()
            self.seen += message.get("body", b"")
            more = message.get("more_body", False)
        if self.failure and not self.late:
            raise self.failure
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"/home/somebody", "more_body": self.late})
        if self.failure:
            raise self.failure


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of uploads, with one in it, and a secret beside it."""
    folder = tmp_path / "uploads"
    (folder / "3f2a").mkdir(parents=True)
    (folder / "3f2a" / "photo.png").write_bytes(b"picture")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


@pytest.fixture
def engine() -> SimpleNamespace:
    """As much of an engine as the door looks at."""
    return SimpleNamespace(draining=False, answers=lambda: True)


@pytest.fixture
def inside() -> Inside:
    return Inside()


@pytest.fixture
def door(engine: SimpleNamespace, tmp_path: Path, uploads: Path) -> Door:
    return Door(profile="local", limits=LIMITS["local"], engine=cast(Engine, engine), outputs=tmp_path)


Ask = Callable[..., Answer]


@pytest.fixture
def ask(door: Door, inside: Inside) -> Ask:
    """`ask(path, body=..., host=..., header=...)`: one request through the door, and its answer.

    A body in several parts comes as a stream without a length; `length` is what it claims to be.
    """

    def asked(
        path: str = "/",
        *,
        method: str = "",
        body: bytes | Iterable[bytes] = b"",
        host: str | None = HOST,
        kind: str | None = JSON,
        length: int | None = None,
        headers: Iterable[tuple[str, str]] = (),
        app: object = None,
    ) -> Answer:
        parts: Iterator[bytes] = iter([body] if isinstance(body, bytes) else body)
        given = [*headers]
        given += [("host", host)] if host is not None else []
        given += [("content-type", kind)] if kind is not None else []
        given += [("content-length", str(length))] if length is not None else []
        scope = {
            "type": "http",
            "method": method or ("POST" if body else "GET"),
            "path": path,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given],
            "app": app,
        }
        answer = Answer()

        async def receive() -> dict[str, Any]:
            part = next(parts, None)
            return {"type": "http.request", "body": part or b"", "more_body": part is not None}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                assert not answer.status, "it begins once"
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.body += message["body"]

        asyncio.run(Guard(inside, door)(scope, receive, send))
        return answer

    return asked


def file(path: object, **fields: Any) -> bytes:
    """A body that names a file."""
    value = {"path": path, "meta": {"_type": "gradio.FileData"}, **fields}
    return json.dumps({"data": [None, {"deep": [value]}]}).encode()


# Who may speak

OURS = ["127.0.0.1:7860", "127.0.0.1", "localhost:7860", "LocalHost", "[::1]:7860", "[::1]"]
NOT_OURS = [
    "rebind.example",
    "rebind.example:7860",
    "127.0.0.1.rebind.example",
    "localhost.rebind.example",
    "localhost.",
    "127.0.0.1:7860@rebind.example",
    "rebind.example@127.0.0.1:7860",
    "[::1].rebind.example",
    "[::1",
    "::1",
    "0.0.0.0",
    "[::ffff:127.0.0.1]",
    "127.1",
    "2130706433",
    "127.0.0.1:notaport",
    "127.0.0.1:999999",
    "127.0.0.1/rebind.example",
    "127.0.0.1 rebind.example",
    "räbind.example",
    "",
    None,
]


@pytest.mark.parametrize("host", OURS)
@pytest.mark.parametrize("profile", LIMITS)
def test_our_own_names_pass_in_every_profile(host: str, profile: Profile, ask: Ask, door: Door) -> None:
    door.profile = profile
    assert ask(host=host).status == 200


@pytest.mark.parametrize("host", NOT_OURS)
def test_row_146_another_name_is_refused(host: str | None, ask: Ask, inside: Inside) -> None:
    answer = ask(host=host)
    assert (answer.status, answer.code) == (421, "BAD_HOST")
    assert inside.visits == 0


@pytest.mark.parametrize("profile", LIMITS)
@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", UPLOAD, "/gradio_api/file=/etc/passwd"])
def test_another_name_is_refused_everywhere(path: str, profile: Profile, ask: Ask, door: Door) -> None:
    door.profile = profile
    assert ask(path, host="rebind.example").status == 421


@pytest.mark.parametrize(
    ("profile", "host", "status"),
    [
        ("local", "192.168.1.5:7860", 421),
        ("lan", "192.168.1.5:7860", 200),
        ("public", "10.0.0.7", 200),
        ("lan", "[fe80::1]:7860", 200),
        ("lan", "studio.local", 421),
        ("public", "some.gradio.live", 421),
    ],
)
def test_a_bare_address_is_ours_beyond_local(
    profile: Profile, host: str, status: int, ask: Ask, door: Door
) -> None:
    door.profile = profile
    assert ask(host=host).status == status


def test_a_name_that_was_given_is_ours(ask: Ask, door: Door) -> None:
    door.hosts.add("some.gradio.live")
    assert ask(host="some.gradio.live").status == 200


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:7860", "http://127.0.0.1:7860"),
        ("localhost:7860", "http://localhost:7860"),
        ("[::1]:7860", "http://[::1]:7860"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("LOCALHOST:7860", "http://localhost:7860"),
        ("localhost", "https://localhost"),  # behind a proxy that speaks TLS: a share link, a Space
        ("localhost:443", "https://localhost"),
    ],
)
def test_the_page_itself_may_ask(host: str, origin: str, ask: Ask) -> None:
    assert ask(host=host, headers=[("origin", origin)]).status == 200


OTHERS = [
    "null",
    "",
    "http://rebind.example",
    "http://rebind.example:7860",
    "https://127.0.0.1.rebind.example:7860",
    "http://127.0.0.1:7861",  # another program of this machine
    "http://127.0.0.1",
    "https://127.0.0.1",
    "http://localhost:7860",  # ours too, but not the page that was called by this name
    "http://[::1]:7860",
    "http://127.0.0.1:7860@rebind.example",
    "http://rebind.example@127.0.0.1:7860",
    "http://[127.0.0.1:7860",
    "http://127.0.0.1:port",
    "file://",
    "chrome-extension://abcdef",
    "ftp://127.0.0.1:7860",
    "127.0.0.1:7860",
    "//127.0.0.1:7860",
]


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("origin", OTHERS)
def test_row_146_another_site_is_refused(origin: str, method: str, ask: Ask, inside: Inside) -> None:
    answer = ask(CALL, method=method, body=b"{}", headers=[("origin", origin)])
    assert (answer.status, answer.code) == (403, "BAD_ORIGIN")
    assert inside.visits == 0


@pytest.mark.parametrize("name", ["Host", "origin", "Content-Type", "content-length"])
def test_a_header_that_says_two_things_is_refused(name: str, ask: Ask, inside: Inside) -> None:
    answer = ask(CALL, body=b"{}", host=None, kind=None, headers=[(name, "1"), (name, "2")])
    assert (answer.status, answer.code) == (422, "PARAM_TYPE")
    assert inside.visits == 0


def test_there_is_no_other_protocol(door: Door, inside: Inside) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def visit(kind: str) -> None:
        await Guard(inside, door)({"type": kind, "path": "/", "headers": []}, send, send)  # type: ignore[arg-type]

    asyncio.run(visit("websocket"))
    assert (sent, inside.visits) == ([{"type": "websocket.close", "code": 1008}], 0)
    asyncio.run(visit("lifespan"))
    assert inside.visits == 1


# How much they may send


@pytest.mark.parametrize("profile", LIMITS)
@pytest.mark.parametrize("path", [CALL, UPLOAD, "/gradio_api/call/canny", "/login", "/what/ever"])
def test_rows_45_and_67_an_announced_size_is_refused_unread(
    path: str, profile: Profile, ask: Ask, door: Door, inside: Inside
) -> None:
    door.limits = limits = LIMITS[profile]
    most = limits.request_bytes if path == UPLOAD else limits.json_bytes

    def never() -> Iterator[bytes]:
        raise AssertionError("the body is not read")
        yield b""

    answer = ask(path, body=never(), length=most + 1, method="POST")
    assert answer.status == 413
    assert b"(BODY_TOO_LARGE)" in answer.body
    assert inside.visits == 0


@pytest.mark.parametrize("length", [None, 10])
def test_row_67_a_stream_is_counted_whatever_it_claims(
    length: int | None, ask: Ask, door: Door, inside: Inside
) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 10_000
            yield b" " * 10_000

    answer = ask(CALL, body=endless(), length=length)
    assert (answer.status, answer.code) == (413, "BODY_TOO_LARGE")
    assert taken <= door.limits.json_bytes + 10_000
    assert inside.visits == 0


@pytest.mark.parametrize("length", [None, 10])
def test_row_45_an_upload_is_cut_off_where_it_is_too_large(
    length: int | None, ask: Ask, door: Door, inside: Inside
) -> None:
    door.limits = LIMITS["public"]
    part = bytes(1_000_000)

    def endless() -> Iterator[bytes]:
        while True:
            yield part

    answer = ask(UPLOAD, body=endless(), length=length, kind="multipart/form-data; boundary=x")
    assert answer.status == 413
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.body.decode().endswith("Send less at once. (BODY_TOO_LARGE)")
    assert len(inside.seen) <= door.limits.request_bytes


def form(files: int) -> bytes:
    """The body of an upload of so many small files."""
    part = b'--mark\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nx\r\n'
    return part * files + b"--mark--\r\n"


@pytest.mark.parametrize("piece", [1, 7, 10_000])
@pytest.mark.parametrize("boundary", ["mark", '"mark"'])
def test_t12_an_upload_brings_a_bounded_number_of_files(
    piece: int, boundary: str, ask: Ask, door: Door, inside: Inside
) -> None:
    kind = f"multipart/form-data; boundary={boundary}"
    for files, status in ((door.limits.files, 200), (door.limits.files + 1, 413)):
        body = form(files)
        parts = [body[place : place + piece] for place in range(0, len(body), piece)]
        answer = ask(UPLOAD, body=parts, kind=kind)
        assert answer.status == status
    assert "9 files" in answer.body.decode()


def test_an_upload_without_a_boundary_is_refused(ask: Ask, inside: Inside) -> None:
    assert ask(UPLOAD, body=[b"x"], kind="multipart/form-data").status == 422
    assert inside.visits == 0


def test_an_upload_of_the_right_size_passes_as_it_is(ask: Ask, inside: Inside) -> None:
    parts = [b"ab", b"", b"cd"]
    assert ask(UPLOAD, body=parts, kind="multipart/form-data; boundary=x").status == 200
    assert inside.seen == b"abcd"


def test_a_body_that_never_ends_is_not_waited_for(
    door: Door, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui.bodies, "BODY_SECONDS", 0.05)
    statuses: list[int] = []

    async def silence() -> None:
        await asyncio.Event().wait()

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status", 0))

    headers = [(b"host", HOST.encode()), (b"content-type", JSON.encode())]
    scope = {"type": "http", "method": "POST", "path": CALL, "headers": headers}
    asyncio.run(asyncio.wait_for(Guard(inside, door)(scope, silence, send), 10))
    assert statuses == [504, 0]
    assert inside.visits == 0


# What a body may hold

BAD_JSON = {
    "nothing that is JSON": b"{",
    "text": b"hello",
    "not UTF-8": b'{"data": ["\xff"]}',
    "too deep": b"[" * 65 + b"]" * 65,
    "far too deep": b"[" * 100_000,
    "objects too deep": b'{"a":' * 100_000,
    "a key twice": b'{"data": [], "data": [1]}',
    "row 57: five thousand digits": b'{"data": [' + b"9" * 5000 + b"]}",
    "two values": b"{} {}",
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_row_75_a_body_that_is_no_decent_json_is_refused(name: str, ask: Ask, inside: Inside) -> None:
    answer = ask(CALL, body=BAD_JSON[name])
    assert (answer.status, answer.code) == (422, "PARAM_TYPE")
    assert inside.visits == 0


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e999"])
def test_row_53_a_body_with_a_number_that_is_none_is_refused(number: bytes, ask: Ask, inside: Inside) -> None:
    answer = ask(CALL, body=b'{"data": [' + number + b"]}")
    assert (answer.status, answer.code) == (422, "PARAM_RANGE")
    assert inside.visits == 0


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonp",
    ],
)
def test_row_75_another_content_type_is_refused(kind: str | None, ask: Ask, inside: Inside) -> None:
    """Gradio would read some of these as JSON all the same, files and all."""
    answer = ask(CALL, body=file("http://127.0.0.1:1/x.png"), kind=kind)
    assert (answer.status, answer.code) == (422, "PARAM_TYPE")
    assert inside.visits == 0


@pytest.mark.parametrize("kind", [JSON, "application/json; charset=utf-8", "Application/JSON"])
def test_a_decent_body_arrives_as_it_was(kind: str, ask: Ask, inside: Inside) -> None:
    body = json.dumps({"data": ["ünï", 1.5, None]}, ensure_ascii=False).encode()
    assert ask(CALL, body=[body[:9], body[9:]], kind=kind).status == 200
    assert inside.seen == body


def test_a_login_is_a_form_and_an_empty_body_is_nothing(ask: Ask, inside: Inside) -> None:
    assert (
        ask("/login", body=b"username=a&password=b", kind="application/x-www-form-urlencoded").status == 200
    )
    assert inside.seen == b"username=a&password=b"
    assert ask("/gradio_api/stream/x/close", body=[], method="POST", kind=None).status == 200


ELSEWHERE: list[Any] = [
    "http://127.0.0.1:1/a.png",
    "https://example.com/a.png",
    "HTTP://example.com/a.png",
    " http://example.com/a.png",
    "file:///etc/passwd",
    "ftp://example.com/a.png",
    "data:image/png;base64,iVBORw0KGgo=",
    "\\\\server\\share\\a.png",
    "//server/share/a.png",
    "\\\\?\\C:\\a.png",
    "/etc/passwd",
    "/proc/self/environ",
    "../secret.txt",
    "{uploads}/../secret.txt",
    "{uploads}-other/photo.png",
    "3f2a/../../secret.txt",
    "{uploads}",
    "",
    None,
    5,
    [],
    {},
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_rows_47_and_48_a_file_of_another_place_is_refused(
    path: Any, ask: Ask, inside: Inside, uploads: Path
) -> None:
    named = path.format(uploads=uploads) if isinstance(path, str) else path
    answer = ask(CALL, body=file(named))
    gone = named in ("", str(uploads))  # a folder is no file
    assert (answer.status, answer.code) == (422, "INPUT_GONE" if gone else "INPUT_SOURCE")
    assert str(uploads.parent).encode() not in answer.body
    assert inside.visits == 0


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,iVBORw0KGgo=",
        "http://example.com/a.png",
        "http://127.0.0.1:1/a.png",
        "http://localhost:7860/a.png",
        "https://127.0.0.1.example.com/a.png",
        "//example.com/a.png",
        "ftp://127.0.0.1/a.png",
        "file:///etc/passwd",
        "http://[::1",
        5,
    ],
)
def test_rows_47_and_48_an_address_beside_an_upload_is_refused(url: Any, ask: Ask, uploads: Path) -> None:
    answer = ask(CALL, body=file(str(uploads / "3f2a" / "photo.png"), url=url))
    assert (answer.status, answer.code) == (422, "INPUT_SOURCE")


@pytest.mark.parametrize("url", [None, "/gradio_api/file=x", "http://127.0.0.1:7860/gradio_api/file=x"])
def test_an_upload_passes_with_the_address_that_we_gave_it(url: str | None, ask: Ask, uploads: Path) -> None:
    assert ask(CALL, body=file(str(uploads / "3f2a" / "photo.png"), url=url)).status == 200


def test_row_50_an_upload_that_is_gone(ask: Ask, uploads: Path) -> None:
    assert ask(CALL, body=file(str(uploads / "3f2a" / "gone.png"))).code == "INPUT_GONE"


@pytest.mark.parametrize("route", ["/gradio_api/file=", "/gradio_api/file/"])
def test_files_are_served_from_the_uploads_only(route: str, ask: Ask, inside: Inside, uploads: Path) -> None:
    assert ask(f"{route}{uploads}/3f2a/photo.png").status == 200
    for wanted in ("http://127.0.0.1:1/x", "/etc/passwd", f"{uploads}/../secret.txt", "\\\\server\\share"):
        assert ask(route + wanted).code == "INPUT_SOURCE", wanted
    assert ask(f"/gradio_api/proxy=http://127.0.0.1:1{route}").code == "NOT_ALLOWED"
    assert inside.visits == 1


# Calls of events


@pytest.fixture
def gradio_app() -> object:
    """As much of Gradio's application as is asked what events there are."""
    parameters = [
        {"parameter_name": "image", "parameter_has_default": False},
        {"parameter_name": "steps", "parameter_has_default": True},
    ]
    page = SimpleNamespace(
        fns={0: SimpleNamespace(api_name="canny"), 1: SimpleNamespace(api_name="_private")},
        get_api_info=lambda: {"named_endpoints": {"/canny": {"parameters": parameters}}},
    )
    return SimpleNamespace(blocks=page)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("queue/join", {"data": [], "fn_index": 0}, ""),
        ("queue/join", {"data": [], "fn_index": 2}, "PARAM_CHOICE"),
        ("queue/join", {"data": [], "fn_index": -1}, "PARAM_CHOICE"),
        ("queue/join", {"data": [], "fn_index": "0"}, "PARAM_CHOICE"),
        ("queue/join", {"data": [], "fn_index": []}, "PARAM_CHOICE"),
        ("queue/join", {"data": []}, "PARAM_CHOICE"),
        ("queue/join", [], "PARAM_TYPE"),
        ("run/predict", {"data": [], "fn_index": 1}, ""),
        ("run/predict", {"data": []}, "PARAM_CHOICE"),
        ("call/canny", {"data": []}, ""),
        ("call/nothing", {"data": []}, "PARAM_CHOICE"),
        ("call/v2/canny", {"image": None}, ""),
        ("call/v2/canny/", {"image": None, "steps": 2}, ""),
        ("call/v2/canny", {"steps": 2}, "PARAM_TYPE"),
        ("call/v2/canny", {"image": None, "stepz": 2}, "PARAM_TYPE"),
        ("call/v2/_private", {}, "PARAM_CHOICE"),
        ("call/v2/nothing", {}, "PARAM_CHOICE"),
        ("cancel", {"event_id": "x"}, ""),
    ],
)
def test_row_64_a_call_names_an_event_and_its_values(
    path: str, body: Any, code: str, ask: Ask, gradio_app: object
) -> None:
    answer = ask(f"/gradio_api/{path}", body=json.dumps(body).encode(), app=gradio_app)
    if code:
        assert (answer.status, answer.code) == (422, code)
    else:
        assert answer.status == 200


# What comes back


@pytest.mark.parametrize(
    ("path", "host"), [("/", HOST), ("/livez", HOST), ("/", "rebind.example"), ("/gradio_api/file=/x", HOST)]
)
def test_every_answer_is_sealed(path: str, host: str, ask: Ask) -> None:
    headers = ask(path, host=host).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "same-origin"


def test_on_a_space_the_page_may_be_framed(ask: Ask, door: Door) -> None:
    door.framed = True
    assert "x-frame-options" not in ask().headers


@pytest.mark.parametrize("status", REWORDED)
def test_what_gradio_refuses_is_told_in_our_words(status: int, ask: Ask, inside: Inside) -> None:
    inside.status = status
    answer = ask()
    assert (answer.status, answer.code) == (status, REWORDED[status][0].name)
    assert b"somebody" not in answer.body


@pytest.mark.parametrize("status", [200, 206, 304, 401])
def test_other_answers_pass_as_they_are(status: int, ask: Ask, inside: Inside) -> None:
    inside.status = status
    assert (ask().status, ask().body) == (status, b"/home/somebody")


def test_a_failure_inside_is_told_by_its_id_only(
    ask: Ask, inside: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    inside.failure = KeyError("/home/somebody/secret")
    with caplog.at_level(logging.ERROR):
        answer = ask()
    assert (answer.status, answer.code) == (500, "INTERNAL")
    assert b"secret" not in answer.body
    assert "secret" in caplog.text


def test_a_failure_in_the_middle_of_an_answer_breaks_it_off(ask: Ask, inside: Inside) -> None:
    inside.failure, inside.late = BODY_TOO_LARGE("The request is too large"), True
    with pytest.raises(type(inside.failure)):
        ask()


# Whether it is well


def test_livez_and_readyz(ask: Ask, inside: Inside) -> None:
    answer = ask("/livez")
    assert (answer.status, json.loads(answer.body)) == (200, {"alive": True})
    answer = ask("/readyz")
    well = {"accepting": True, "worker": True, "outputs": True, "disk": True}
    assert (answer.status, json.loads(answer.body)) == (200, well)
    assert inside.visits == 0


@pytest.mark.parametrize("check", ["accepting", "worker", "disk", "outputs"])
def test_readyz_names_what_is_not_well(
    check: str, ask: Ask, door: Door, engine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    match check:
        case "accepting":
            engine.draining = True
        case "worker":
            engine.answers = lambda: False
        case "disk":
            monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=10**8))
        case _:
            door.outputs = tmp_path / "gone"
    answer = ask("/readyz")
    told = json.loads(answer.body)
    assert answer.status == 503
    assert told[check] is False
    assert all(told[other] for other in told if other != check and (check, other) != ("outputs", "disk"))
    assert ask("/livez").status == 200


def test_many_who_ask_at_once_make_one_look(door: Door, engine: SimpleNamespace, inside: Inside) -> None:
    looks = 0

    def look() -> bool:
        nonlocal looks
        looks += 1
        return True

    engine.answers = look
    scope = {"type": "http", "method": "GET", "path": "/readyz", "headers": [(b"host", HOST.encode())]}
    statuses: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status", 200))

    async def all_of_them() -> None:
        guard = Guard(inside, door)
        await asyncio.gather(*(guard(scope, send, send) for _ in range(50)))  # type: ignore[arg-type]

    asyncio.run(all_of_them())
    assert (looks, set(statuses), len(statuses)) == (1, {200}, 100)
