"""The running program against hostile requests, over HTTP: all of them are refused in words, and it lives on.

Every answer passes through `Visitor.heard`. Row numbers are those of the list of bad inputs, T numbers those
of the threats.
"""

import hashlib
import http.client
import json
import re
import secrets
import signal
import socket
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from errors import CODES
from gate import LIMITS
from models.store import Store
from tests.gate.made import GREY, exif, noise, png, png_header, saved, segment, tiff, with_segments
from tests.serving import App, Front, serving, until

MEGA = 1_000_000
MOST_GROWTH = 300 * MEGA
FAST = {"prompt": "a red house", "steps": 1, "size": "128x128"}
TOKEN = "hf_" + "secretThatNobodyMaySee"
SECRETS = re.compile(
    r"/(?:home|root|tmp|work|usr|opt|var|etc|Users|private)/|[A-Za-z]:\\|site-packages|\.py\b|Traceback|hf_"
)
NULL = re.compile(r'"error":\s*null|event: error\s+data: null')


@dataclass
class Visitor:
    """Somebody with an address of the program, and no browser between."""

    app: App
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.app.url, timeout=60)

    @property
    def uploads(self) -> Path:
        """Where the program keeps what was sent to it."""
        return self.app.folder / "gradio"

    def heard(self, text: str) -> str:
        """An answer, which tells nothing of the inside; only uploads of one's own are named by their path."""
        assert not NULL.search(text), text[:500]
        found = SECRETS.search(text.replace(f"{self.uploads}/", "UPLOADS/"))
        assert found is None, f"{found}: {text[:500]}"
        return text

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        answer = self.http.request(method, path, **request)
        self.heard(answer.text)
        return answer

    def upload(self, data: bytes, name: str = "picture.png") -> dict[str, Any]:
        """The value of a picture after a file was sent."""
        answer = self.ask("POST", "/gradio_api/upload", files={"files": (name, data)})
        assert answer.status_code == 200, answer.text
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    def call(self, endpoint: str, **values: Any) -> tuple[str, Any]:
        """How a call of the API ends: "complete" or "error", and with what; or "refused" at the door."""
        answer = self.ask("POST", f"/gradio_api/call/v2/{endpoint}", json=values)
        if answer.status_code != 200:
            return "refused", answer.json()
        return self.outcome(endpoint, answer.json()["event_id"])

    def outcome(self, endpoint: str, event: str) -> tuple[str, Any]:
        """The last word of an event's stream."""
        lines = self.ask("GET", f"/gradio_api/call/{endpoint}/{event}").text.strip().splitlines()
        return lines[-2].removeprefix("event: "), json.loads(lines[-1].removeprefix("data: "))

    def code(self, endpoint: str, **values: Any) -> str:
        """The code with which a call is refused, or nothing where it is not."""
        how, told = self.call(endpoint, **values)
        return "" if how == "complete" else code_in(told["error"])

    def works(self) -> None:
        """A good request is answered as ever."""
        how, told = self.call("annotate", image=self.upload(saved(noise(), "PNG")))
        assert how == "complete", told


def code_in(words: str) -> str:
    """The code at the end of a refusal."""
    found = re.search(r"\(([A-Z_]+)\)$", words)
    assert found, words
    assert found[1] in CODES
    return found[1]


def refused(answer: httpx.Response) -> str:
    """The code of an answer that is a refusal, in JSON or, after an upload, in words."""
    assert 400 <= answer.status_code < 500, answer.status_code
    plain = answer.headers["content-type"].startswith("text/plain")
    return code_in(answer.text if plain else answer.json()["error"])


@contextmanager
def visited(folder: Path, weights: Path, *flags: str) -> Iterator[Visitor]:
    """A visitor of a program that runs; afterwards its log knows of no mistake and of no secret."""
    with serving(folder, weights, *flags, environment={"HF_TOKEN": TOKEN}) as app:
        visitor = Visitor(app)
        yield visitor
        visitor.http.close()
        assert TOKEN not in app.log
        assert "Traceback" not in app.log


@pytest.fixture(scope="module")
def visitor(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """At home, with the tiny family."""
    with visited(tmp_path_factory.mktemp("local"), store.weights) as visitor:
        yield visitor


@pytest.fixture(scope="module")
def front(visitor: Visitor) -> Iterator[Front]:
    front = Front(visitor.app.url)
    yield front
    front.close()


def memory(app: App) -> int:
    """The most bytes that the web process ever held, or where that is not told, what it holds."""
    status = Path(f"/proc/{app.process.pid}/status")
    if not status.is_file():
        return int(psutil.Process(app.process.pid).memory_info().rss)
    found = re.search(r"VmHWM:\s+([0-9]+) kB", status.read_text())
    assert found
    return int(found[1]) * 1024


# Pictures


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 0x55,)) + data[place + 1 :]


def bmp_of_depth(bits: int) -> bytes:
    data = bytearray(saved(noise(), "BMP"))
    struct.pack_into("<H", data, 28, bits)
    return bytes(data)


def text_bomb() -> bytes:
    """A PNG whose compressed text is 100 MB."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(MEGA)) for _ in range(100)) + packer.flush()
    body = b"zTXt" + b"Comment\0\0" + packed
    chunk = struct.pack(">L", len(body) - 4) + body + struct.pack(">L", zlib.crc32(body))
    return png(64, 48, 8, GREY, before=chunk)


FLOAT_TAGS = {258: (3, 32), 259: (3, 1), 262: (3, 1), 277: (3, 1), 339: (3, 3)}
BYTE_TAGS = {258: (3, 8), 259: (3, 1), 262: (3, 1), 277: (3, 1)}
NAN = np.full((32, 32), np.nan, "<f4").tobytes()
PNG, JPEG = saved(noise(), "PNG"), saved(noise(), "JPEG")
BAD_PICTURES: dict[str, tuple[bytes, str]] = {
    "row 1: empty": (b"", "IMG_EMPTY"),
    "row 2: a JPEG cut in half": (JPEG[: len(JPEG) // 2], "IMG_TRUNCATED"),
    "row 3: a PNG cut in half": (PNG[: len(PNG) // 2], "IMG_TRUNCATED"),
    "row 4: a flipped byte": (flipped(PNG, 60), "IMG_CORRUPT"),
    "row 5: noise": (np.random.default_rng(1).bytes(2000), "IMG_FORMAT"),
    "row 6: PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "IMG_FORMAT"),
    "row 7: HTML": (b"<!DOCTYPE html><html>Access denied</html>", "IMG_FORMAT"),
    "row 8: SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "IMG_FORMAT"),
    "row 9: EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n", "IMG_FORMAT"),
    "row 10: TGA": (saved(noise(), "TGA"), "IMG_FORMAT"),
    "row 10: JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "IMG_FORMAT"),
    "row 10: Photoshop": (b"8BPS\0\1" + bytes(40), "IMG_FORMAT"),
    "row 10: DDS": (saved(noise(), "DDS"), "IMG_FORMAT"),
    "row 11: HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "IMG_FORMAT"),
    "row 13: BMP of 13 bits": (bmp_of_depth(13), "IMG_CORRUPT"),
    "row 14: 13000 x 13000 in 20 kB": (png(13000, 13000, 1, GREY), "IMG_TOO_MANY_PIXELS"),
    "row 15: 20000 x 20000 in 48 kB": (png(20000, 20000, 1, GREY), "IMG_TOO_MANY_PIXELS"),
    "row 16: 2^31 - 1 squared": (png_header(2**31 - 1, 2**31 - 1), "IMG_TOO_MANY_PIXELS"),
    "row 17: no pixels": (png_header(0, 0), "IMG_CORRUPT"),
    "row 19: one pixel": (png(1, 1, 1, GREY), "IMG_TOO_SMALL"),
    "row 20: a line": (png(1, 20000, 1, GREY), "IMG_ASPECT"),
    "row 24: no numbers": (tiff(32, 32, FLOAT_TAGS, NAN), "IMG_CORRUPT"),
    "row 25: pages in a circle": (tiff(32, 32, BYTE_TAGS, bytes(1024), following=8), "IMG_CORRUPT"),
    "row 40: a text of 100 MB": (text_bomb(), "IMG_CORRUPT"),
}
ODD_PICTURES: dict[str, bytes] = {
    "row 21: 16 bits": saved(np.full((48, 64), 32768, np.uint16), "PNG"),
    "row 26: CMYK": saved(Image.new("CMYK", (64, 48), (10, 200, 30, 0)), "JPEG"),
    "row 28: a palette": saved(Image.fromarray(noise()).quantize(16), "PNG"),
    "row 30: hidden colours": saved(Image.new("RGBA", (64, 48), (255, 0, 0, 0)), "PNG"),
    "row 33: an animation": saved(
        Image.new("RGB", (64, 48)),
        "GIF",
        save_all=True,
        append_images=[Image.new("RGB", (64, 48), "red")] * 50,
    ),
    "row 35: turned": with_segments(JPEG, segment(0xE1, exif(6))),
    "row 43: an archive behind it": JPEG + b"PK\x03\x04" + bytes(200),
}


def test_the_studio_works(visitor: Visitor) -> None:
    """First of all, so that the memory is that of a program that has worked."""
    how, answer = visitor.call("canny", image=visitor.upload(PNG), **FAST)
    assert how == "complete", answer
    images, map, info = answer
    assert info["request"]["steps"] == 1
    for shown in (*images, map):
        picture = visitor.http.get(f"/gradio_api/file={shown['path']}")
        assert picture.content.startswith(b"\x89PNG")


def test_the_page_is_sent_small_and_the_same(visitor: Visitor) -> None:
    """Over a shared link its text of more than a megabyte would be most of the wait."""
    plain, small = (
        visitor.http.get("/", headers={"accept-encoding": encoding}) for encoding in ("identity", "gzip")
    )
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert small.num_bytes_downloaded < 0.15 * plain.num_bytes_downloaded
    assert len(small.text) == len(plain.text)


def test_bad_pictures_are_refused_with_their_code_and_little_memory(visitor: Visitor, front: Front) -> None:
    before = memory(visitor.app)
    wrong = {}
    for name, (data, code) in BAD_PICTURES.items():
        image = visitor.upload(data)
        payload = front.payload("click", "canny-annotate", canny_picture=image)
        answer = visitor.ask("POST", "/gradio_api/run/predict", json=payload)
        assert answer.status_code == 200
        found = (visitor.code("canny", image=image, **FAST), re.findall(r"\(([A-Z_]+)\)<", answer.text))
        visitor.works()
        if found != (code, [code]):
            wrong[name] = (code, found)
    assert wrong == {}
    assert memory(visitor.app) - before < MOST_GROWTH


def test_odd_pictures_are_taken(visitor: Visitor) -> None:
    for name, data in ODD_PICTURES.items():
        assert visitor.code("annotate", image=visitor.upload(data)) == "", name


def test_after_all_of_them_it_still_paints(visitor: Visitor) -> None:
    how, answer = visitor.call("canny", image=visitor.upload(PNG), **FAST)
    assert how == "complete", answer


# Uploads


def kept(visitor: Visitor) -> int:
    """The bytes of all uploads and results."""
    return sum(path.stat().st_size for path in visitor.uploads.rglob("*") if path.is_file())


def form(size: int) -> Iterator[bytes]:
    """The body of an upload of so many bytes, as it comes without a length."""
    yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    for _ in range(size // MEGA):
        yield bytes(MEGA)
    yield b"\r\n--x--\r\n"


def send(visitor: Visitor, size: int, *, announced: bool) -> str:
    """The code with which an upload of so many bytes is refused."""
    body = b"".join(form(size)) if announced else form(size)
    headers = {"content-type": "multipart/form-data; boundary=x"}
    return refused(visitor.ask("POST", "/gradio_api/upload", content=body, headers=headers))


@pytest.mark.parametrize("announced", [True, False])
def test_row_45_a_file_that_is_too_large_is_refused_and_not_kept(announced: bool, visitor: Visitor) -> None:
    before = kept(visitor)
    assert send(visitor, 60 * MEGA, announced=announced) == "FILE_TOO_LARGE"
    assert kept(visitor) == before
    visitor.works()


NAMES = [
    "x" * 400 + ".png",
    "../../x.png",
    "..\\..\\x.png",
    "/etc/passwd",
    "C:\\x.png",
    "\\\\server\\share\\x.png",
    "a%00b.png",
    "a\0b.png",
    "\u202egnp.exe",
    "☃🎨.png",
    "CON",
    ".htaccess",
    "..",
    ".",
    "a.png:stream",
    "<script>alert(1)</script>.svg",
]


@pytest.mark.parametrize("name", NAMES)
def test_row_46_a_name_leads_nowhere(name: str, visitor: Visitor) -> None:
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body = head.encode() + PNG + b"\r\n--x--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = visitor.ask("POST", "/gradio_api/upload", content=body, headers=headers)
    if answer.status_code != 200:
        assert refused(answer)
        return
    place = Path(answer.json()[0])
    assert re.fullmatch(r"[0-9a-f]{64}", place.parent.name)
    assert place.parent.parent == visitor.uploads
    assert place.read_bytes() == PNG
    image = {"path": str(place), "meta": {"_type": "gradio.FileData"}}
    assert visitor.code("annotate", image=image) == ""


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "text/plain", ""])
def test_an_upload_that_is_none(kind: str, visitor: Visitor) -> None:
    answer = visitor.ask("POST", "/gradio_api/upload", content=b"hello", headers={"content-type": kind})
    assert refused(answer) == "PARAM_TYPE"


def test_row_49_what_another_visitor_sent_is_not_found(visitor: Visitor) -> None:
    """Its path holds a hash of the content that nobody else can compute, and is shown to nobody else."""
    data = saved(noise(90, 90), "PNG")
    place = Path(visitor.upload(data, "portrait.png")["path"])
    assert hashlib.sha256(data).hexdigest() != place.parent.name
    other = Visitor(visitor.app)
    guesses = [hashlib.sha256(data).hexdigest(), "*", "", ".", *(secrets.token_hex(32) for _ in range(30))]
    for guess in guesses:
        path = f"{visitor.uploads}/{guess}/portrait.png"
        assert refused(other.ask("GET", f"/gradio_api/file={path}")) in ("INPUT_GONE", "INPUT_SOURCE")
        image = {"path": path, "meta": {"_type": "gradio.FileData"}}
        assert other.code("annotate", image=image) in ("INPUT_GONE", "INPUT_SOURCE")
    for folder in (visitor.uploads, place.parent):
        assert refused(other.ask("GET", f"/gradio_api/file={folder}")) == "INPUT_GONE"
    for page in ("/config", "/gradio_api/info", "/gradio_api/queue/status", "/"):
        assert place.parent.name not in other.http.get(page).text
    assert place.parent.name not in visitor.app.log
    other.http.close()


# Addresses


@pytest.fixture
def trap() -> Iterator[str]:
    """The address of a server that nobody may call."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(BlockingIOError):
            server.accept()


PLACES = [
    "http://{trap}/a.png",
    "HTTPS://{trap}/a.png",
    "file:///etc/passwd",
    "ftp://{trap}/a.png",
    "data:image/png;base64,iVBORw0KGgo=",
    "\\\\127.0.0.1\\share\\a.png",
    "//127.0.0.1/share/a.png",
    "/etc/passwd",
    "/proc/self/environ",
    "app.py",
    "../../../../../../etc/passwd",
    "{uploads}/../app.log",
    "{uploads}/../outputs/jobs.sqlite3",
]


@pytest.mark.parametrize("place", PLACES)
def test_rows_47_and_48_nothing_is_taken_from_another_place(
    place: str, visitor: Visitor, front: Front, trap: str
) -> None:
    path = place.format(trap=trap, uploads=visitor.uploads)
    code = "INPUT_GONE" if place == "app.py" else "INPUT_SOURCE"
    meta = {"_type": "gradio.FileData"}
    for image in ({"path": path}, {"path": path, "meta": meta}, {"path": path, "url": None, "meta": meta}):
        assert visitor.code("canny", image=image, **FAST) == code
        assert visitor.code("annotate", image=image) == code
        payload = front.payload("click", "canny-annotate", canny_picture=image)
        answer = visitor.ask("POST", "/gradio_api/run/predict", json=payload)
        assert re.search(r"\((INPUT_SOURCE|INPUT_GONE|PARAM_TYPE)\)", answer.text), answer.text
    upload = visitor.upload(PNG)
    if ":" in path:
        assert visitor.code("annotate", image=upload | {"url": path}) == "INPUT_SOURCE"
    assert visitor.code("annotate", image=path) in ("INPUT_SOURCE", "PARAM_TYPE")
    for route in ("file=", "file/", "proxy="):
        assert refused(visitor.ask("GET", f"/gradio_api/{route}{path}"))


# T1: reading files


def spellings(target: str, folder: str) -> list[str]:
    """Ways to write a file outside of a folder, percent signs for the wire."""
    name, up = target.lstrip("/"), folder.count("/") + 2
    climbs = [
        "../",
        "..%2f",
        "%2e%2e/",
        "%2e%2e%2f",
        "%2E%2E%2F",
        "..%5c",
        "..\\",
        "....//",
        "..;/",
        ".%00./",
    ]
    climbs += [
        "%252e%252e/",
        "%252e%252e%252f",
        "..%252f",
        "%c0%ae%c0%ae/",
        "%uff0e%uff0e/",
        "..%c0%af",
        "..//",
    ]
    climbs += ["./../", "%2e./", ".%2e/", "..%2f%2e/", "..%0a/", "..%20/", "%00../", "..%e2%88%95"]
    climbed = [climb * up + name for climb in climbs]
    below = [f"{folder}/{climb * up}{name}" for climb in climbs]
    whole = [
        target, f"/{target}", f"//{target}", f"/.{target}", f"{target}/", f"{target}%00", f"{target}%00.png",
        f"{target}/.", f"{target}%20", f"{target}.", f"{target}::$DATA", f"file://{target}", f"file:{target}",
        f"FILE://localhost{target}", f"{folder}%00{target}", f"{folder}/{target}", f"{folder}-other{target}",
        f"~{target}", f"%2f{name}", f"%5c{name}", f"C:{target}",
        f"\\\\?\\{name}", f"\\\\localhost\\c$\\{name}", f"/dev/fd/../../..{target}",
        f"/proc/self/root{target}", f"/proc/self/cwd/../../..{target}", f"%252f{name}",
    ]  # fmt: skip
    return [*climbed, *below, *whole]


def raw_get(app: App, path: str) -> tuple[int, bytes]:
    """Status and body of a request whose path is sent as it is written."""
    host = app.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=60)
    written = "".join(letter if "!" <= letter <= "~" else f"%{ord(letter):02x}" for letter in path)
    connection.putrequest("GET", written, skip_accept_encoding=True)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


ROUTES = [
    *("/gradio_api/file=", "/gradio_api/file/", "/static/", "/assets/", "/svelte/", "/pwa_icon/"),
    *("/gradio_api/custom_component/x/client/component/", "/gradio_api/stream/", "/theme/", "/"),
]


def test_t1_no_spelling_reaches_a_file_outside(visitor: Visitor) -> None:
    secret = visitor.app.folder / "secret.txt"
    secret.write_text("the canary sings")
    (visitor.uploads / "link.txt").symlink_to(secret)
    (visitor.uploads / "away").symlink_to(visitor.app.folder)
    tried = spellings(str(secret), str(visitor.uploads))
    assert len(set(tried)) >= 60
    tried += [
        f"{visitor.uploads}/link.txt",
        f"{visitor.uploads}/away/secret.txt",
        "link.txt",
        "away/secret.txt",
    ]
    for route in ROUTES:
        for spelling in tried:
            status, body = raw_get(visitor.app, route + spelling)
            assert b"canary" not in body, route + spelling
            assert status >= 300 or not spelling.startswith("/gradio_api/file"), route + spelling
            if route.startswith("/gradio_api/file") and status != 404:
                assert code_in(json.loads(body)["error"]) in ("INPUT_SOURCE", "INPUT_GONE", "PARAM_TYPE")
    visitor.works()


def test_t1_no_spelling_of_a_path_is_a_picture(visitor: Visitor) -> None:
    secret = visitor.app.folder / "secret.png"
    secret.write_bytes(PNG)
    for spelling in spellings(str(secret), str(visitor.uploads)):
        image = {"path": spelling, "meta": {"_type": "gradio.FileData"}}
        assert visitor.code("annotate", image=image) in ("INPUT_SOURCE", "INPUT_GONE"), spelling


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "app.py", "settings.py", ".git/config", "requirements.txt"]
)
def test_t1_files_of_the_program_and_the_machine_are_not_served(target: str, visitor: Visitor) -> None:
    for route in ("/gradio_api/file=", "/gradio_api/file/"):
        assert refused(visitor.ask("GET", route + target)) in ("INPUT_SOURCE", "INPUT_GONE")


# Calls


def test_row_64_missing_and_extra_values_by_place(visitor: Visitor) -> None:
    for values in ([], [None], [None] * 3, [None] * 16, [None] * 18, [None] * 200):
        answer = visitor.ask("POST", "/gradio_api/call/canny", json={"data": values})
        how, told = visitor.outcome("canny", answer.json()["event_id"])
        assert (how, code_in(told["error"])) == ("error", "PARAM_TYPE"), len(values)


def test_row_64_missing_and_extra_values_by_name(visitor: Visitor) -> None:
    image = visitor.upload(PNG)
    assert visitor.code("canny", prompt="x") == "PARAM_TYPE"
    assert visitor.code("canny", image=image, prompt="x", one=1, two=2, three=3) == "PARAM_TYPE"
    assert visitor.code("annotate") == "IMG_EMPTY"
    assert visitor.code("nothing", image=image) == "PARAM_CHOICE"
    assert visitor.code("_generate", image=image) == "PARAM_CHOICE"


@pytest.mark.parametrize("values", [[], [{}] * 100, ["\ud800", 1e300, -1, True]])
def test_row_64_no_event_of_the_page_breaks(values: list[Any], visitor: Visitor, front: Front) -> None:
    """Every handler can be called by its number, whatever the page shows."""
    for event in front.config["dependencies"]:
        if len(event["inputs"]) == len(values):
            continue
        body = {"data": values, "fn_index": event["id"], "session_hash": front.session}
        answer = visitor.ask("POST", "/gradio_api/run/predict", content=json.dumps(body), headers=JSON)
        assert answer.status_code >= 400
        assert code_in(answer.json()["error"]) == "PARAM_TYPE"


WRONG_SHAPES: list[Any] = [
    1,
    "x",
    "/etc/passwd",
    [],
    [1],
    {},
    {"path": 5},
    {"path": None},
    {"url": "http://x/"},
    True,
]


def test_values_of_any_shape_are_refused_in_words(visitor: Visitor, front: Front) -> None:
    for value in WRONG_SHAPES:
        assert visitor.code("canny", image=value, **FAST) in ("INPUT_SOURCE", "INPUT_GONE"), value
        if value != {}:
            assert visitor.code("canny", image=visitor.upload(PNG), **FAST | {"values": value}), value
        payload = front.payload("click", "canny-annotate", canny_picture=value)
        told = visitor.ask("POST", "/gradio_api/run/predict", json=payload).text
        assert re.search(r"\((INPUT_SOURCE|INPUT_GONE|PARAM_TYPE)\)", told), value
        payload = front.payload("click", "canny-annotate", model=value)
        told = visitor.ask("POST", "/gradio_api/run/predict", json=payload).text
        assert re.search(r"\([A-Z]+_[A-Z_]+\)", told), value


@pytest.mark.parametrize("endpoint", ["call/canny", "call/v2/canny", "queue/join", "run/predict", "cancel"])
@pytest.mark.parametrize("body", [b"{", b"hello", b"\xff\xfe", b"[" * 5000, b"[1]", b'"x"', b"{}", b"null"])
def test_row_75_malformed_bodies(endpoint: str, body: bytes, visitor: Visitor) -> None:
    answer = visitor.ask("POST", f"/gradio_api/{endpoint}", content=body, headers=JSON)
    assert refused(answer) in ("PARAM_TYPE", "PARAM_CHOICE")


@pytest.mark.parametrize("endpoint", ["call/canny", "call/v2/canny", "queue/join", "run/predict"])
def test_row_53_a_body_with_a_number_that_is_none(endpoint: str, visitor: Visitor) -> None:
    answer = visitor.ask("POST", f"/gradio_api/{endpoint}", content=b'{"data": [NaN]}', headers=JSON)
    assert refused(answer) == "PARAM_RANGE"


@pytest.mark.parametrize("kind", ["text/plain", "", "application/xml", "multipart/form-data; boundary=x"])
def test_row_75_another_content_type(kind: str, visitor: Visitor) -> None:
    for endpoint in ("call/canny", "call/v2/canny", "queue/join", "run/predict", "component_server"):
        body = json.dumps({"data": [None], "fn_index": 0, "session_hash": "x"})
        answer = visitor.ask("POST", f"/gradio_api/{endpoint}", content=body, headers={"content-type": kind})
        assert refused(answer) == "PARAM_TYPE"


JSON = {"content-type": "application/json"}


def body_with_prompt(length: int) -> bytes:
    return json.dumps({"image": None, "prompt": "a" * length}).encode()


def test_row_67_a_long_prompt(visitor: Visitor) -> None:
    image = visitor.upload(PNG)
    assert visitor.code("canny", image=image, **FAST | {"prompt": "a" * 8001}) == "PROMPT_TOO_LONG"
    assert visitor.code("canny", image=image, **FAST | {"prompt": "a" * 100_000}) == "PROMPT_TOO_LONG"
    body = body_with_prompt(20 * MEGA)
    streamed = (body[place : place + MEGA] for place in range(0, len(body), MEGA))
    before = memory(visitor.app)
    for content in (body, streamed):
        answer = visitor.ask("POST", "/gradio_api/call/v2/canny", content=content, headers=JSON)
        assert (answer.status_code, refused(answer)) == (413, "BODY_TOO_LARGE")
    assert memory(visitor.app) - before < MOST_GROWTH
    visitor.works()


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/gradio_api/nothing", "/gradio_api/runs", "/monitoring", "/monitoring/summary",
     "/gradio_api/vibe-code", "/gradio_api/mcp/", "/docs", "/redoc", "/.env", "/.git/config"],
)  # fmt: skip
def test_t20_there_is_nothing_else(path: str, visitor: Visitor) -> None:
    assert refused(visitor.ask("GET", path)) in ("INPUT_GONE", "NOT_ALLOWED")


# Who asks


@pytest.mark.parametrize(
    "path", ["/", "/config", "/livez", "/readyz", "/gradio_api/info", "/gradio_api/upload"]
)
def test_row_146_others_are_refused_everywhere(path: str, visitor: Visitor) -> None:
    for method in ("GET", "POST"):
        named = visitor.ask(method, path, headers={"host": "rebind.example"})
        assert (named.status_code, refused(named)) == (421, "BAD_HOST")
        for origin in ("http://rebind.example", "null", "http://127.0.0.1:1"):
            answer = visitor.ask(method, path, headers={"origin": origin})
            assert (answer.status_code, refused(answer)) == (403, "BAD_ORIGIN")
    own = visitor.ask("GET", "/livez", headers={"origin": visitor.app.url})
    assert own.status_code == 200
    assert own.headers["x-content-type-options"] == "nosniff"


# Whether it is well


def not_ready(visitor: Visitor) -> httpx.Response | None:
    """What /readyz says, once it does not say that all is well; one look serves whoever asks soon after."""
    answer = visitor.ask("GET", "/readyz")
    return answer if answer.status_code == 503 else None


def test_readyz_proves_that_the_worker_answers(visitor: Visitor) -> None:
    answer = visitor.ask("GET", "/readyz")
    assert (answer.status_code, set(answer.json().values())) == (200, {True})
    (worker,) = (
        child
        for child in psutil.Process(visitor.app.process.pid).children()
        if "spawn_main" in " ".join(child.cmdline())
    )
    worker.send_signal(signal.SIGSTOP)
    try:
        failing = until(lambda: not_ready(visitor), seconds=20)
        assert failing is not None
        assert [name for name, well in failing.json().items() if not well] == ["worker"]
        assert visitor.ask("GET", "/livez").status_code == 200
    finally:
        worker.send_signal(signal.SIGCONT)
    until(lambda: visitor.ask("GET", "/readyz").json()["worker"], seconds=20)


# The public profile


def test_in_public_less_is_taken(store: Store, tmp_path: Path) -> None:
    limits = LIMITS["public"]
    with visited(tmp_path, store.weights, "--profile", "public") as visitor:
        image = visitor.upload(PNG)
        assert visitor.code("canny", image=image, **FAST) == ""
        before = kept(visitor)
        assert send(visitor, limits.file_bytes + MEGA, announced=True) == "FILE_TOO_LARGE"
        for announced in (True, False):
            assert send(visitor, limits.request_bytes + MEGA, announced=announced) in (
                "BODY_TOO_LARGE",
                "FILE_TOO_LARGE",
            )
        assert kept(visitor) == before
        body = body_with_prompt(limits.json_bytes)
        answer = visitor.ask("POST", "/gradio_api/call/v2/canny", content=body, headers=JSON)
        assert (answer.status_code, refused(answer)) == (413, "BODY_TOO_LARGE")
        assert visitor.code("canny", image=image, **FAST | {"prompt": "a" * 2001}) == "PROMPT_TOO_LONG"
        assert visitor.code("canny", image=image, **FAST | {"steps": 51}) == "PARAM_RANGE"
        assert visitor.code("canny", image=image, **FAST | {"count": 3}) == "PARAM_RANGE"
        assert visitor.code("canny", image=image, **FAST | {"size": "1024x512"}) == "PARAM_RANGE"
        for row, data in {
            "row 12": saved(noise(), "BMP"),
            "row 23": saved(np.full((48, 64), 0.5, np.float32), "TIFF"),
            "row 33": ODD_PICTURES["row 33: an animation"],
        }.items():
            assert visitor.code("annotate", image=visitor.upload(data)) == "IMG_FORMAT", row
        large = visitor.upload(saved(Image.new("L", (5100, 5000), 90), "JPEG"))
        assert visitor.code("annotate", image=large) == "IMG_TOO_MANY_PIXELS"
        for place in ("http://127.0.0.1:1/x.png", "data:image/png;base64,AA==", "/etc/passwd"):
            assert visitor.code("annotate", image={"path": place}) == "INPUT_SOURCE"
        assert visitor.ask("GET", "/", headers={"host": "rebind.example"}).status_code == 421
        assert visitor.ask("GET", "/readyz").status_code == 200
        visitor.works()
