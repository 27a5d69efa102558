"""The program as a whole, over HTTP and without a browser: it starts, answers, refuses in words, and ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image, ImageDraw

import app as program
import settings
from annotators.base import Pixels
from conditions import CONDITIONS
from gate import LIMITS
from models.store import Store
from pipelines.jobs import JobBook
from pipelines.kinds import kinds
from pipelines.metadata import request_from_png
from pipelines.request.controls import (
    GUIDANCE,
    NEGATIVE_PROMPT,
    PROMPT,
    RUN_PARAMS,
    START_PARAMS,
    STEPS,
    UNIT_PARAMS,
)
from pipelines.request.intake import fit
from tests.conftest import drawn_map
from tests.serving import ROOT, START_SECONDS, App, Front, free_port, log_of, serving, start, until

FAST = {"prompt": "a red house", "steps": 2, "size": "128x128"}


@pytest.fixture(scope="module")
def studio(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app with the tiny family."""
    with serving(tmp_path_factory.mktemp("studio"), store.weights) as app:
        yield app


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app without a single model."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "weights").mkdir()
    with serving(folder, folder / "weights") as app:
        yield app


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn picture with edges of several strengths, 400x300."""
    path: Path = tmp_path_factory.mktemp("pictures") / "drawn.png"
    image = Image.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((40, 60, 220, 250), fill=(150, 160, 150))
    draw.ellipse((180, 100, 360, 280), fill=(240, 120, 20), outline="black", width=3)
    for x in range(50, 210, 8):
        draw.line((x, 70, x, 150), fill=(150 - x // 3, 140, 150))
    image.save(path)
    return path


@contextmanager
def client_of(app: App) -> Iterator[Client]:
    """A client as another program would use it, that tells nobody else."""
    client = Client(app.url, verbose=False, download_files=app.folder / "fetched", analytics_enabled=False)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(scope="module")
def client(studio: App) -> Iterator[Client]:
    with client_of(studio) as client:
        yield client


@pytest.fixture
def ask(client: Client, picture: Path) -> Callable[..., Any]:
    """`ask(endpoint, **values)`: what the endpoint answers about the drawn picture."""

    def asked(endpoint: str, **values: Any) -> Any:
        return client.predict(**{"image": handle_file(picture), **values}, api_name=endpoint)

    return asked


def pixels(path: str | Path) -> Pixels:
    """RGB uint8 (H, W, 3) of a file."""
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


# The page


def test_the_page_is_there_when_the_line_says_so(studio: App) -> None:
    answer = httpx.get(studio.url)
    assert answer.status_code == 200
    assert "Armature" in answer.text
    assert f"Armature is ready at {studio.url}\n" in studio.log


def test_the_page_is_there_in_time(studio: App) -> None:
    assert 0 < studio.seconds < START_SECONDS


def test_the_page_has_a_tab_for_every_condition(studio: App) -> None:
    components = httpx.get(f"{studio.url}/config").json()["components"]
    titles = [part["props"]["label"] for part in components if part["type"] == "tabitem"]
    tools = ["Compose", "Annotate", "Models"]
    assert titles == [*(condition.title for condition in CONDITIONS.values()), *tools]
    assert len(titles) == 15 + 3


def test_the_models_become_ready(studio: App) -> None:
    front = Front(studio.url)
    front.wait_for_models()
    front.close()


# Everything up to the launch as the program does it, and then what was imported for it.
PROBE = """
import json, sys
import gradio

def launch(page, **options):
    titles = [block.label for block in page.blocks.values() if isinstance(block, gradio.Tab)]
    print(json.dumps({"tabs": len(titles), "modules": sorted({name.split(".")[0] for name in sys.modules})}))
    raise SystemExit(0)

gradio.Blocks.launch = launch
import app
sys.exit(app.main(sys.argv[1:]))
"""


def test_building_the_page_imports_nothing_heavy(store: Store, tmp_path: Path) -> None:
    process = start(tmp_path, store.weights, "--port", str(free_port()), program=("-c", PROBE))
    assert process.wait(timeout=START_SECONDS) == 0, log_of(tmp_path)
    seen = json.loads(log_of(tmp_path))
    assert seen["tabs"] == len(CONDITIONS) + 3
    assert {"gradio", "cv2", "numpy", "pipelines"} <= set(seen["modules"])
    heavy = {"torch", "torchvision", "diffusers", "transformers", "accelerate", "safetensors"}
    assert heavy.isdisjoint(seen["modules"])


def test_a_busy_port_is_one_sentence(store: Store, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(tmp_path, store.weights, "--port", str(port))
        assert process.wait(timeout=START_SECONDS) == 1
    (said,) = log_of(tmp_path).splitlines()
    assert said.startswith("PORT_BUSY: ")
    assert f"127.0.0.1:{port}" in said
    assert f'make run ARGS="--port {port + 1}"' in said


# The network

# In every Python of the program, the worker's too: each way out of this machine is refused, and written down.
WATCH = """
import ipaddress, os, sys

folder = os.path.dirname(os.path.abspath(__file__))
record = os.open(os.path.join(folder, "record"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
open(os.path.join(folder, f"watched-{os.getpid()}"), "w").close()
ADDRESSES = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}
HOSTS = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0, "socket.gethostbyaddr": 0}

def is_local(host):
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False

def watch(event, arguments):
    if event in ADDRESSES:
        address = arguments[ADDRESSES[event]]
        host = address[0] if isinstance(address, tuple) else None  # sockets of this machine have a path
    elif event in HOSTS:
        host = arguments[HOSTS[event]]
    else:
        return
    if not is_local(host):
        os.write(record, f"{event} {host!r}\\n".encode())
        raise OSError("the network is off in this test")

sys.addaudithook(watch)
"""


@pytest.fixture
def watch(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH: a Python that finds it is watched, and leaves its record there."""
    folder = tmp_path / "watch"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WATCH)
    return folder


def test_nothing_leaves_the_machine(store: Store, picture: Path, watch: Path, tmp_path: Path) -> None:
    with serving(tmp_path, store.weights, environment={"PYTHONPATH": str(watch)}) as app:
        with client_of(app) as client:
            images, _, _ = client.predict(image=handle_file(picture), **FAST, api_name="/canny")
        assert len(images) == 1
        assert len(list(watch.glob("watched-*"))) >= 2, "the page and its worker"
        assert (watch / "record").read_text() == ""


def test_the_watch_sees_what_leaves(watch: Path, tmp_path: Path) -> None:
    tries = tmp_path / "tries.py"
    tries.write_text(
        "import contextlib, socket\n"
        "datagrams = socket.socket(type=socket.SOCK_DGRAM)\n"
        "for reach in (\n"
        "    lambda: socket.getaddrinfo('armature.example', 80),\n"
        "    lambda: socket.create_connection(('192.0.2.1', 80), timeout=1),\n"
        "    lambda: socket.socket().connect(('192.0.2.1', 80)),\n"
        "    lambda: datagrams.sendto(b'', ('192.0.2.1', 53)),\n"
        "    lambda: datagrams.sendto(b'', ('127.0.0.1', 53)),\n"
        "    lambda: socket.getaddrinfo('localhost', 80),\n"
        "):\n"
        "    with contextlib.suppress(OSError):\n"
        "        reach()\n"
    )
    environment = {"PYTHONPATH": str(watch), "PATH": os.defpath}
    subprocess.run([sys.executable, tries], check=True, timeout=START_SECONDS, env=environment)
    assert (watch / "record").read_text().splitlines() == [
        "socket.getaddrinfo 'armature.example'",
        "socket.getaddrinfo '192.0.2.1'",
        "socket.connect '192.0.2.1'",
        "socket.sendto '192.0.2.1'",
    ]


# The endpoints


def test_a_picture_comes_back_with_its_map_and_its_seed(ask: Callable[..., Any]) -> None:
    images, map, info = ask("/canny", seed=7, **FAST)
    assert [pixels(image).shape for image in images] == [(128, 128, 3)]
    assert pixels(map).shape == (128, 128, 3)
    assert info["seeds"] == [7]
    assert info["seconds"] > 0
    assert info["notices"] == []
    assert info["request"]["steps"] == 2
    assert info["request"]["guidance"] == 3, "what suits the model"
    assert info["request"]["controls"][0]["annotator"] == "canny"


def test_what_is_said_about_the_map_comes_with_the_pictures(ask: Callable[..., Any], tmp_path: Path) -> None:
    drawing = tmp_path / "drawing.png"
    Image.fromarray(255 - drawn_map(128, 128)).save(drawing)
    images, map, info = ask("/canny", image=handle_file(drawing), annotator="none", **FAST)
    assert len(images) == 1
    assert np.array_equal(pixels(map), 255 - drawn_map(128, 128)), "taken as it is"
    (notice,) = info["notices"]
    assert "dark lines on a light ground" in notice
    assert "annotator invert" in notice
    _, told = ask("/annotate", image=handle_file(drawing), annotator="scribble_synthetic", resolution=64)
    assert isinstance(told["notices"], list)


def test_agreement_is_measured_where_it_is_asked_for(ask: Callable[..., Any]) -> None:
    _, _, info = ask("/canny", seed=7, count=2, agreement=True, **FAST)
    assert [[control["annotator"] for control in controls] for controls in info["agreements"]] == [
        ["canny"],
        ["canny"],
    ]
    assert info["agreement"] == [controls[0]["share"] for controls in info["agreements"]]
    assert all(0 <= share <= 1 for share in info["agreement"])
    _, _, info = ask("/canny", seed=7, **FAST)
    assert (info["agreement"], info["agreements"]) == ([None], [[]])


def test_a_picture_is_served_with_what_makes_it_again(ask: Callable[..., Any]) -> None:
    (image,), _, info = ask("/canny", seed=7, **FAST)
    request = request_from_png(Path(image))
    assert json.loads(request.to_json()) == info["request"]


def test_a_seed_makes_the_same_picture_again(ask: Callable[..., Any]) -> None:
    (first,), _, info = ask("/canny", seed=-1, **FAST)
    (seed,) = info["seeds"]
    (again,), _, _ = ask("/canny", seed=seed, **FAST)
    (other,), _, _ = ask("/canny", seed=(seed + 1) % 2**32, **FAST)
    assert np.array_equal(pixels(first), pixels(again))
    assert not np.array_equal(pixels(first), pixels(other))


def test_every_picture_of_a_batch_has_its_seed(ask: Callable[..., Any]) -> None:
    images, _, info = ask("/canny", seed=2**32 - 1, count=2, **FAST)
    assert info["seeds"] == [2**32 - 1, 0]
    (alone,), _, _ = ask("/canny", seed=0, **FAST)
    first, second, single = (pixels(path).astype(int) for path in (*images, alone))
    # float32 adds up in another order in a batch of two: at most a rounding of the last bit apart
    assert np.abs(second - single).max() <= 2
    assert np.abs(first - single).max() > 20


@pytest.mark.parametrize(("low", "high"), [(100, 200), (30, 60)])
def test_the_map_is_canny_of_the_fitted_picture(
    low: int, high: int, ask: Callable[..., Any], picture: Path
) -> None:
    values = {"low_threshold": low, "high_threshold": high}
    _, map, info = ask("/canny", prompt="x", steps=1, values=values)
    width, height = info["request"]["width"], info["request"]["height"]
    assert (width, height) == (192, 128)
    edges = cv2.Canny(fit(pixels(picture), width, height, "area"), low, high)
    assert 0 < edges.mean() < 128
    assert np.array_equal(pixels(map), np.repeat(edges[:, :, None], 3, axis=2))


def test_thresholds_change_the_map(ask: Callable[..., Any]) -> None:
    strict, _ = ask("/annotate", annotator="canny", resolution=256)
    loose, _ = ask(
        "/annotate", annotator="canny", resolution=256, values={"low_threshold": 5, "high_threshold": 10}
    )
    assert pixels(loose).mean() > pixels(strict).mean()


def test_annotate_keeps_the_size_of_the_picture(ask: Callable[..., Any], picture: Path) -> None:
    map, told = ask("/annotate", annotator="canny", resolution=300)
    assert np.array_equal(pixels(map)[:, :, 0], cv2.Canny(pixels(picture), 100, 200))
    assert told == {"data": None, "notices": []}


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "no steps": ("/canny", {"steps": 0}, "PARAM_RANGE"),
    "too many steps": ("/canny", {"steps": 151}, "PARAM_RANGE"),
    "steps that are no whole number": ("/canny", {"steps": 20.7}, "PARAM_TYPE"),
    "steps as text": ("/canny", {"steps": "20"}, "PARAM_TYPE"),
    "steps that are no number": ("/canny", {"steps": True}, "PARAM_TYPE"),
    "too much guidance": ("/canny", {"guidance": 1e9}, "PARAM_RANGE"),
    "a scheduler that is not there": ("/canny", {"scheduler": "magic"}, "PARAM_CHOICE"),
    "a size that is none": ("/canny", {"size": "big"}, "PARAM_TYPE"),
    "a huge size": ("/canny", {"size": "99999x512"}, "PARAM_RANGE"),
    "a seed below -1": ("/canny", {"seed": -2}, "PARAM_RANGE"),
    "nine pictures": ("/canny", {"count": 9}, "PARAM_RANGE"),
    "a control that ends before it begins": ("/canny", {"start": 0.8, "end": 0.2}, "PARAM_RANGE"),
    "a prompt without end": ("/canny", {"prompt": "a" * 8001}, "PROMPT_TOO_LONG"),
    "a prompt that is no text": ("/canny", {"prompt": ["a"]}, "PARAM_TYPE"),
    "another tab's annotator": ("/softedge", {"annotator": "canny"}, "PARAM_CHOICE"),
    "a model that is not there": ("/canny", {"model": "sd99"}, "PARAM_CHOICE"),
    "a setting that is not there": ("/canny", {"values": {"sigma": 1}}, "PARAM_TYPE"),
    "settings that are none": ("/canny", {"values": [1]}, "PARAM_TYPE"),
    "a threshold out of bounds": ("/canny", {"values": {"low_threshold": 256}}, "PARAM_RANGE"),
    "no picture": ("/canny", {"image": None}, "IMG_EMPTY"),
    "a change of nothing": ("/canny", {"denoise": 0.5}, "IMG_EMPTY"),
    "a canvas that shrinks": ("/canny", {"extend": {"left": -64}}, "PARAM_RANGE"),
    "a canvas with a fifth side": ("/canny", {"extend": {"front": 64}}, "PARAM_TYPE"),
    "a canvas that grows by a word": ("/canny", {"extend": "left"}, "PARAM_TYPE"),
    "an address": (
        "/canny",
        {"image": {"path": "http://127.0.0.1/x.png"}},
        "INPUT_SOURCE",
    ),
    "an annotator that is not there": ("/annotate", {"annotator": "magic"}, "PARAM_CHOICE"),
    "annotators that are several": ("/annotate", {"annotator": ["canny"]}, "PARAM_CHOICE"),
    "a resolution of nothing": ("/annotate", {"resolution": 0}, "PARAM_RANGE"),
    "a resolution as text": ("/annotate", {"resolution": "512"}, "PARAM_TYPE"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_carry_a_code_and_no_secrets(name: str, ask: Callable[..., Any], studio: App) -> None:
    endpoint, values, code = REFUSED[name]
    with pytest.raises(AppError) as refused:
        ask(endpoint, **({} if endpoint == "/annotate" else FAST) | values)
    said = str(refused.value)
    assert said.endswith(f"({code})"), said
    for secret in ("Traceback", 'File "', ".py", str(ROOT), str(studio.folder), "/home", "/tmp"):
        assert secret not in said


def test_a_file_that_is_no_picture_is_refused(ask: Callable[..., Any], tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("This is not a picture at all, whatever its name says.")
    with pytest.raises(AppError, match=r"\(IMG_FORMAT\)$"):
        ask("/canny", **FAST, image=handle_file(text))


def half(path: Path, of: Path) -> Path:
    """A mask for a picture whose left half is white."""
    height, width = pixels(of).shape[:2]
    mask = Image.new("L", (width, height))
    mask.paste(255, (0, 0, width // 2, height))
    mask.save(path)
    return path


def test_a_start_picture_changes_as_far_as_it_is_asked_to(ask: Callable[..., Any], picture: Path) -> None:
    run = {"seed": 7, "prompt": "a house", "steps": 10, "guidance": 1, "init": handle_file(picture)}
    (little,), _, info = ask("/canny", denoise=0.1, **run)
    (much,), _, _ = ask("/canny", denoise=1.0, **run)
    assert (info["request"]["denoise"], info["request"]["mask"]) == (0.1, None)
    start = fit(pixels(picture), 192, 128, "area").astype(int)
    near, far = (np.abs(pixels(path).astype(int) - start).mean() for path in (little, much))
    assert near < far
    _, _, info = ask("/canny", **run)
    assert info["request"]["denoise"] == 0.75, "the default of the start"


def test_a_mask_keeps_what_it_does_not_mark_bit_for_bit(
    ask: Callable[..., Any], picture: Path, tmp_path: Path
) -> None:
    mask = handle_file(half(tmp_path / "mask.png", picture))
    (made,), _, info = ask("/canny", seed=7, mask=mask, mask_blur=0, fill="noise", **FAST)
    before = fit(pixels(picture), 128, 128, "area")
    assert np.array_equal(pixels(made)[:, 65:], before[:, 65:]), "the start is the image itself"
    assert not np.array_equal(pixels(made)[:, :63], before[:, :63])
    assert info["request"]["fill"] == "noise"


def test_a_mask_of_another_shape_is_refused(ask: Callable[..., Any], picture: Path, tmp_path: Path) -> None:
    Image.new("L", (300, 300), 255).save(tmp_path / "square.png")
    with pytest.raises(AppError, match=r"another shape than the start picture.*\(PARAM_RANGE\)$"):
        ask("/canny", mask=handle_file(tmp_path / "square.png"), **FAST)


def test_a_scheduler_of_just_so_many_steps_takes_its_own_number(ask: Callable[..., Any]) -> None:
    few = {name: value for name, value in FAST.items() if name != "steps"}
    _, _, info = ask("/canny", seed=7, scheduler="ays", **few)
    assert info["request"]["steps"] == 10
    assert info["request"]["controls"][0]["mode"] == "strict", "which suits the built-in family"


def test_a_canvas_grows_where_it_is_asked_to(ask: Callable[..., Any], picture: Path) -> None:
    (made,), _, info = ask("/canny", seed=7, extend={"left": 64}, mask_blur=0, **FAST)
    assert pixels(made).shape == (128, 192, 3)
    assert np.array_equal(pixels(made)[:, 64:], fit(pixels(picture), 128, 128, "area"))
    assert info["request"]["denoise"] == 1, "of what is not there nothing is kept"


def schema(app: App, endpoint: str) -> dict[str, dict[str, Any]]:
    """What the API says about the parameters of an endpoint, by name."""
    answer = httpx.get(f"{app.url}/gradio_api/info").json()
    parameters = answer["named_endpoints"][endpoint]["parameters"]
    return {entry["parameter_name"]: entry["type"] for entry in parameters}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_schema_has_every_bound(condition: str, studio: App) -> None:
    entries = schema(studio, f"/{condition}")
    for param in (PROMPT, NEGATIVE_PROMPT, *UNIT_PARAMS, *RUN_PARAMS):
        if param not in (GUIDANCE, STEPS):
            assert entries[param.name] == param.schema()
    for param, whom in ((GUIDANCE, "the model"), (STEPS, "the scheduler")):
        words = entries[param.name]["description"]
        assert f"what suits {whom}" in words
        assert entries[param.name] == param.schema() | {"default": None, "description": words}
    for param in START_PARAMS:
        assert entries[param.name] == param.schema() | {"default": None}
    assert {"init", "mask", "extend"} <= set(entries)
    assert entries["annotator"]["enum"] == list(CONDITIONS[condition].annotators)
    assert (entries["steps"]["minimum"], entries["steps"]["maximum"]) == (1, 150)
    assert entries["seed"]["maximum"] == 2**32 - 1


# Without any model


def test_without_a_model_the_structure_is_still_shown(empty: App, picture: Path) -> None:
    with client_of(empty) as client:
        map, _ = client.predict(image=handle_file(picture), annotator="canny", api_name="/annotate")
    assert pixels(map).any()


@pytest.mark.parametrize(
    ("model", "way"),
    [
        ("pocket", "weights/pocket is not part of this checkout: choose another model"),
        ("sd15", "hf download stable-diffusion-v1-5/stable-diffusion-v1-5"),
    ],
)
def test_without_a_model_a_generation_says_how_to_get_it(
    model: str, way: str, empty: App, picture: Path
) -> None:
    with client_of(empty) as client, pytest.raises(AppError) as refused:
        client.predict(image=handle_file(picture), prompt="x", model=model, api_name="/canny")
    assert str(refused.value).endswith("(MODEL_MISSING)")
    assert way in str(refused.value)


def test_without_a_model_the_buttons_say_so(empty: App) -> None:
    front = Front(empty.url)
    marks = front.fire("load", model="sd15")
    front.close()
    for name in CONDITIONS:
        assert marks[f"{name}-generate"]["value"] == "Generate · model missing"
        assert marks[f"{name}-generate"]["interactive"] is False
        assert "hf download" in marks[f"{name}-missing"]
        assert "(licence: CreativeML OpenRAIL-M)" in marks[f"{name}-missing"]
        assert "gettable" in marks[f"{name}-missing"]


# On a Space, and over a public link


def test_a_space_is_public_and_works(store: Store, picture: Path, tmp_path: Path) -> None:
    space = {"SPACE_ID": "someone/armature", "SYSTEM": "spaces"}
    with serving(tmp_path, store.weights, environment=space) as app:
        front = Front(app.url)
        assert "gettable" not in front.fire("load", model="sd15")["canny-missing"]
        for button in ("canny-get-model", "canny-get-method", "weights-pause"):
            assert "(NOT_ALLOWED)" in front.fire("click", button, model="sd15")["weights-told"]
        front.close()
        entries = schema(app, "/canny")
        assert entries["steps"]["maximum"] == 50
        assert entries["count"]["maximum"] == 2
        assert entries["prompt"]["maxLength"] == 2000
        with client_of(app) as client:
            images, _, _ = client.predict(image=handle_file(picture), **FAST, api_name="/canny")
            assert pixels(images[0]).shape == (128, 128, 3)
            assert request_from_png(Path(images[0])).prompt == FAST["prompt"], "it is the visitor's own"
            with pytest.raises(AppError, match=r"\(PARAM_RANGE\)$"):
                client.predict(image=handle_file(picture), **FAST | {"steps": 51}, api_name="/canny")


def test_a_space_listens_to_everybody() -> None:
    chosen = settings.from_environment({"SPACE_ID": "someone/armature"})
    assert (chosen.host, chosen.port, chosen.profile, chosen.space) == ("0.0.0.0", 7860, "public", True)


class FakePage:
    """Takes what the launch is given, and launches nothing."""

    def __init__(self, link: str | None) -> None:
        self.link = link
        self.options: dict[str, Any] = {}

    def queue(self, **options: Any) -> None:
        pass

    def launch(self, **options: Any) -> tuple[None, str, str | None]:
        self.options = options
        return None, "", self.link

    def close(self, **options: Any) -> None:
        pass


Launch = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def launch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Launch:
    """`launch(*flags, link=...)`: the exit code, and what the page was launched with; nothing is started."""
    for name in ("ARMATURE_PROFILE", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(settings, "prepare_process", lambda cache: None)
    monkeypatch.setattr("logs.configure", lambda folder, profile: None)
    ended = threading.Event()
    ended.set()
    monkeypatch.setattr(program, "listen_for_the_end", lambda: ended)
    monkeypatch.setattr("pipelines.engine.Engine.start", lambda engine: None)
    monkeypatch.setattr("pipelines.engine.Engine.close", lambda engine: None)
    monkeypatch.setattr("pipelines.home.hold", lambda path: None)

    def launched(*flags: str, link: str | None = "https://some.gradio.live") -> tuple[int, dict[str, Any]]:
        page = FakePage(link)
        monkeypatch.setattr("ui.studio.Studio.page", lambda studio: page)
        places = ["--weights", str(tmp_path), "--outputs", str(tmp_path), "--port", str(free_port())]
        return program.main([*places, *flags]), page.options

    return launched


def test_a_public_link_has_a_password_and_the_public_limits(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, options = launch("--share", "--profile", "local")
    said = capsys.readouterr().out
    password = said.strip().rpartition(" ")[2]
    assert code == 0
    assert options["share"] is True
    assert options["max_file_size"] == LIMITS["public"].file_bytes
    assert "https://some.gradio.live" in said
    assert len(password) >= 16
    assert said.count(password) == 1
    assert options["auth"]("anybody", password)
    for wrong in ("", password[:-1], password + "x", "pässwörd"):
        assert not options["auth"]("anybody", wrong)
    _, again = launch("--share")
    assert not again["auth"]("anybody", password)


def test_an_open_public_link_has_the_public_limits(
    launch: Launch,
) -> None:
    code, options = launch("--share-open", "--profile", "local")
    assert (code, options["share"], options["auth"]) == (0, True, None)
    assert options["max_file_size"] == LIMITS["public"].file_bytes


def test_without_share_there_is_no_link(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    code, options = launch(link=None)
    assert (code, options["share"], options["auth"]) == (0, False, None)
    assert options["server_name"] == "127.0.0.1"
    assert options["max_file_size"] == LIMITS["local"].file_bytes
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_link_that_can_not_be_made_is_said(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = launch("--share", link=None)
    assert code == 1
    assert capsys.readouterr().err.startswith("HUB_UNREACHABLE: No public link could be made")


@pytest.mark.parametrize("flag", ["--share", "--share-open"])
def test_sharing_forces_the_public_profile(flag: str) -> None:
    assert settings.from_command_line([flag, "--profile", "local"]).profile == "public"


# The end


@pytest.mark.long
@pytest.mark.parametrize(("how", "steps"), [(signal.SIGINT, 150), (signal.SIGTERM, 10)])
def test_it_ends_when_it_is_told_to_even_at_work(
    how: signal.Signals, steps: int, store: Store, picture: Path, tmp_path: Path
) -> None:
    with serving(tmp_path, store.weights) as app:
        with client_of(app) as client:
            client.submit(image=handle_file(picture), prompt="x", steps=steps, api_name="/canny")
            until(lambda: "control lines" in app.log, seconds=START_SECONDS)
            code = app.stop(how)
        assert code == 0
        assert "Traceback" not in app.log
        with closing(JobBook(kinds(tmp_path / "outputs"), tmp_path / "outputs" / "jobs.sqlite3")) as book:
            assert sum(book.counts().values()) == 1
            assert set(book.counts()) <= {"done", "interrupted"}
        assert not list((tmp_path / "outputs").rglob("*.tmp-*"))
        port = int(app.url.rpartition(":")[2])
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", port))


def test_a_second_signal_leaves_at_once(store: Store, picture: Path, tmp_path: Path) -> None:
    with serving(tmp_path, store.weights) as app, client_of(app) as client:
        client.submit(image=handle_file(picture), prompt="x", steps=150, api_name="/canny")
        until(lambda: "control lines" in app.log, seconds=START_SECONDS)
        app.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{app.url}/readyz").status_code == 503, seconds=START_SECONDS)
        assert app.process.poll() is None, "it gives the running job its time"
        assert app.stop() == 0


def test_health_says_whether_the_worker_answers(studio: App) -> None:
    assert httpx.get(f"{studio.url}/livez").json() == {"alive": True}
    ready = httpx.get(f"{studio.url}/readyz")
    assert ready.status_code == 200
    assert ready.json()["worker"] is True


def test_the_log_has_a_line_for_each_change_of_a_job(studio: App, picture: Path) -> None:
    with client_of(studio) as client:
        client.predict(image=handle_file(picture), **FAST | {"prompt": "a secret wish"}, api_name="/canny")
    log = (studio.folder / "outputs" / "logs" / "armature.jsonl").read_text()
    states = {json.loads(line).get("state") for line in log.splitlines()}
    assert {"queued", "loading", "denoising", "decoding", "saving", "done"} <= states
    assert "secret wish" not in log
