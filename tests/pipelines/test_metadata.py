"""What was made can be made again from its PNG alone, and what others put into one does no harm."""

import json
import random
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import gate
from errors import ArmatureError
from gate import LIMITS, OWN_FILES
from models.catalogue import FAMILIES
from pipelines import metadata, prompts, results
from pipelines.cache import ModelCache
from pipelines.generate import generate
from pipelines.metadata import CHUNK, file_beside, memory_from_png, parameters_from_png, request_from_png
from pipelines.pictures import PictureStore, content_hash
from pipelines.request import ControlUnit, GenerateRequest, Result
from pipelines.request.keeping import Kept
from tests.conftest import MakeRequest, drawn_map
from tests.pipelines.references import SIDE, studio
from tests.pipelines.test_a1111 import ODD

JOB = "a" * 32
MAP = drawn_map(128, 128)
PIXELS = np.random.default_rng(3).integers(0, 256, (128, 128, 3), dtype=np.uint8)
UNIT = ControlUnit(
    condition="canny",
    map=content_hash(MAP),
    annotator="canny",
    values={"low_threshold": 60, "high_threshold": 120},
    strength=0.35,
    start=0.1,
)
REQUEST = GenerateRequest(
    prompt="a house", controls=(UNIT,), width=128, height=128, seed=2**32 - 1, count=2, agreement=True
)
KEPT = (
    (Kept(condition="canny", share=0.1 + 0.2, annotator="canny"),),
    (Kept(condition="canny", share=None, remark="nobody is here"),),
)


def saved(folder: Path, request: GenerateRequest = REQUEST) -> list[Path]:
    """The files of two pictures, as a job saves them."""
    result = Result(
        images=(PIXELS, 255 - PIXELS), seeds=request.seeds, maps=(MAP,), request=request, agreement=KEPT
    )
    return [image.path for image in results.save(result, folder, JOB, 1.5).images]


@pytest.mark.parametrize("prompt", ODD.values(), ids=ODD)
def test_a_request_comes_back_from_its_picture(tmp_path: Path, prompt: str) -> None:
    loras = prompts.loras(prompt)
    request = replace(REQUEST, prompt=prompt, negative_prompt=prompt[::-1], loras=loras)
    for path in saved(tmp_path, request):
        assert request_from_png(path) == request


def test_a_picture_knows_its_place_its_seed_and_how_it_kept_its_map(tmp_path: Path) -> None:
    for index, path in enumerate(saved(tmp_path)):
        memory = memory_from_png(path)
        assert (memory.image, memory.seed) == (index, (2**32 - 1 + index) % 2**32)
        assert memory.agreement == KEPT[index]
        assert f"Seed: {memory.seed}, " in parameters_from_png(path)


def test_the_map_lies_beside_under_its_hash(tmp_path: Path) -> None:
    path, _ = saved(tmp_path / "today")
    [entry] = memory_from_png(path).maps
    assert (entry.condition, entry.sha256) == ("canny", UNIT.map)
    beside = file_beside(path, entry)
    assert beside == path.parent / entry.file
    assert PictureStore(tmp_path / "elsewhere").put(gate.open_picture(beside, OWN_FILES).pixels) == UNIT.map


def test_a_map_that_is_another_or_gone_is_not_taken_for_it(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    [entry] = memory_from_png(path).maps
    Image.fromarray(255 - MAP).save(tmp_path / entry.file)
    assert file_beside(path, entry) is None
    (tmp_path / entry.file).unlink()
    assert file_beside(path, entry) is None


@pytest.mark.parametrize("away", ["../{}", "{folder}/{}", "\\\\host\\share\\{}", "sub/{}", "..", ".", ""])
def test_a_map_is_looked_for_beside_the_picture_and_nowhere_else(tmp_path: Path, away: str) -> None:
    path, _ = saved(tmp_path / "inner" / "today")
    [entry] = memory_from_png(path).maps
    for folder in (path.parent / "sub", path.parent.parent):
        folder.mkdir(exist_ok=True)
        Image.fromarray(MAP).save(folder / entry.file)
    elsewhere = replace(entry, file=away.format(entry.file, folder=path.parent))
    assert file_beside(path, elsewhere) is None


def made(request: GenerateRequest, cache: ModelCache) -> Result:
    *_, last = generate(request, cache)
    assert isinstance(last, Result)
    return last


@pytest.mark.parametrize(
    "change",
    [
        {"scheduler": "euler_a", "count": 2},
        {"guidance": 1.0, "scheduler": "ddim"},
        {"prompt": 'a "red" house,\nby the sea: 家', "count": 3, "seed": 2**32 - 2},
    ],
    ids=["chance in each step", "without guidance", "around the last seed"],
)
def test_made_again_it_is_the_same_picture_pixel_for_pixel(
    tmp_path: Path, change: dict[str, Any], make_request: MakeRequest, cache: ModelCache
) -> None:
    request = make_request(width=128, height=128, steps=3, **change)
    first = results.save(made(request, cache), tmp_path, JOB, 1.0)
    for index, image in enumerate(first.images):
        again = made(request_from_png(image.path), cache).images[index]
        assert np.array_equal(gate.open_picture(image.path, OWN_FILES).pixels, again)


def test_it_is_made_again_from_its_folder_alone(
    tmp_path: Path, make_request: MakeRequest, cache: ModelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store of pictures may be lost: the map is beside the picture."""
    first = results.save(made(make_request(width=128, height=128, steps=2), cache), tmp_path / "a", JOB, 1.0)
    path = (tmp_path / "a").rename(tmp_path / "b") / first.images[0].path.name
    empty = PictureStore(tmp_path / "pictures")
    monkeypatch.setattr(cache, "pictures", empty)
    memory = memory_from_png(path)
    with pytest.raises(ArmatureError, match="INPUT_GONE"):
        made(memory.request, cache)
    for entry in memory.maps:
        beside = file_beside(path, entry)
        assert beside is not None
        empty.put(gate.open_picture(beside, OWN_FILES).pixels)
    again = made(memory.request, cache).images[0]
    assert np.array_equal(gate.open_picture(path, OWN_FILES).pixels, again)


def test_with_all_that_a_request_can_name_it_is_made_again_from_its_folder_alone(tmp_path: Path) -> None:
    """Start picture, mask, regions and several controls, all of different pixels: each file is needed."""
    crowd = studio(tmp_path / "studio")
    crowd.maps.update({name: map.repeat(2, axis=0).repeat(2, axis=1) for name, map in crowd.maps.items()})
    side = 2 * SIDE
    start = crowd.pictures.put(crowd.maps["normal"])
    half = np.zeros((side, side, 3), np.uint8)
    half[:, :SIDE] = 255
    left, right, top = (
        crowd.pictures.put(np.ascontiguousarray(x)) for x in (half, 255 - half, half.swapaxes(0, 1))
    )
    request = crowd.request(
        crowd.unit("canny", region=left),
        crowd.unit("depth", mode="prompt"),
        crowd.unit("inpaint", region=top),
        init=start,
        mask=right,
        width=side,
        height=side,
        denoise=0.8,
        count=2,
        scheduler="euler_a",
    )
    first = results.save(made(request, crowd.cache), tmp_path / "a", JOB, 1.0)
    path = (tmp_path / "a").rename(tmp_path / "b") / first.images[1].path.name
    memory = memory_from_png(path)
    assert memory.request == request
    assert [entry.what for entry in memory.others] == ["init", "mask", "region0", "region2"]
    empty = PictureStore(tmp_path / "elsewhere")
    cache = ModelCache(crowd.store, empty, crowd.cache.device)
    for entry in memory.beside:
        with pytest.raises(ArmatureError, match="INPUT_GONE"):
            made(memory.request, cache)
        beside = file_beside(path, entry)
        assert beside is not None
        empty.put(gate.open_picture(beside, OWN_FILES).pixels)
    again = made(memory.request, cache).images[1]
    assert np.array_equal(gate.open_picture(path, OWN_FILES).pixels, again)


def test_the_longest_texts_stay_within_what_everybody_reads(tmp_path: Path) -> None:
    request = replace(REQUEST, prompt="🗿" * 8000, negative_prompt='"\n' * 4000, controls=(UNIT,))
    for path in saved(tmp_path, request):
        with Image.open(path) as picture:  # Pillow refuses texts of more than a megabyte
            picture.load()
            texts = picture.text  # type: ignore[attr-defined]
        assert set(texts) == {CHUNK, "parameters"}
        assert all(len(text.encode()) < 2**18 for text in texts.values())
        assert np.array_equal(gate.open_picture(path, LIMITS["public"]).pixels.shape, PIXELS.shape)


def test_no_place_on_this_machine_is_in_a_picture(tmp_path: Path) -> None:
    for path in saved(tmp_path):
        texts = gate.png_texts(path, (CHUNK, "parameters"), OWN_FILES)
        assert len(texts) == 2
        assert not any(str(folder) in text for text in texts.values() for folder in (tmp_path, Path.home()))


# What others wrote


def with_texts(path: Path, texts: dict[str, str]) -> Path:
    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.fromarray(PIXELS).save(path, pnginfo=info)
    return path


def ours() -> dict[str, Any]:
    """What is in our chunk, as plain data."""
    result = Result(images=(PIXELS,), seeds=REQUEST.seeds[:1], maps=(MAP,), request=REQUEST, agreement=KEPT)
    plain: dict[str, Any] = json.loads(metadata.texts(result, 0, ["map.png"])[CHUNK])
    return plain


def altered(*places: Any) -> Callable[[dict[str, Any]], None]:
    """A change of our chunk: the last of `places` is put where the others lead."""

    def change(entry: Any) -> None:
        *way, last, value = places
        for step in way:
            entry = entry[step]
        entry[last] = value

    return change


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda entry: entry["request"].pop(name)


def test_unaltered_it_is_read(tmp_path: Path) -> None:
    path = with_texts(tmp_path / "a.png", {CHUNK: json.dumps(ours())})
    assert request_from_png(path) == REQUEST


def test_what_a_later_request_adds_has_a_default_in_an_older_picture(tmp_path: Path) -> None:
    entry = ours()
    del entry["request"]["clip_skip"], entry["request"]["controls"][0]["region"], entry["agreement"]
    path = with_texts(tmp_path / "a.png", {CHUNK: json.dumps(entry)})
    assert request_from_png(path) == REQUEST


def test_a_mode_that_was_never_settled_is_the_one_that_suits_the_model(tmp_path: Path) -> None:
    entry = ours()
    entry["request"]["controls"][0]["mode"] = "auto"
    path = with_texts(tmp_path / "a.png", {CHUNK: json.dumps(entry)})
    assert request_from_png(path).controls[0].mode == FAMILIES[REQUEST.family].mode


HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "another format": (altered("format", 2), "META_INVALID"),
    "a format that is none": (altered("format", [1]), "META_INVALID"),
    "no prompt": (without("prompt"), "META_INVALID"),
    "an unknown field": (altered("request", "command", "rm"), "META_INVALID"),
    "a prompt that is none": (altered("request", "prompt", ["a"]), "META_INVALID"),
    "a prompt without end": (altered("request", "prompt", "a" * 8001), "PROMPT_TOO_LONG"),
    "half a character": (altered("request", "prompt", "\ud800"), "META_INVALID"),
    "steps of text": (altered("request", "steps", "20"), "META_INVALID"),
    "steps of truth": (altered("request", "steps", True), "META_INVALID"),
    "too many steps": (altered("request", "steps", 10**6), "PARAM_RANGE"),
    "a billion pictures": (altered("request", "count", 10**9), "PARAM_RANGE"),
    "a number without end": (altered("request", "guidance", 10**400), "META_INVALID"),
    "a huge size": (altered("request", "width", 10**9), "PARAM_RANGE"),
    "no seed": (altered("request", "seed", -1), "META_INVALID"),
    "another seed": (altered("seed", 5), "META_INVALID"),
    "a place outside": (altered("image", 2), "META_INVALID"),
    "a place before": (altered("image", -1), "META_INVALID"),
    "a family that is not there": (altered("request", "family", "sd99"), "PARAM_CHOICE"),
    "a scheduler that is not there": (altered("request", "scheduler", "magic"), "PARAM_CHOICE"),
    "a condition that is not there": (altered("request", "controls", 0, "condition", "x"), "PARAM_CHOICE"),
    "an annotator that is not there": (altered("request", "controls", 0, "annotator", "x"), "PARAM_CHOICE"),
    "a setting that is not there": (altered("request", "controls", 0, "values", {"x": 1}), "PARAM_TYPE"),
    "a setting out of bounds": (
        altered("request", "controls", 0, "values", {"low_threshold": 999}),
        "PARAM_RANGE",
    ),
    "a setting that is deep": (altered("request", "controls", 0, "values", {"x": [[1]]}), "META_INVALID"),
    "too strong": (altered("request", "controls", 0, "strength", 1e9), "PARAM_RANGE"),
    "controls that are none": (altered("request", "controls", "canny"), "META_INVALID"),
    "a control that is none": (altered("request", "controls", [1]), "META_INVALID"),
    "a pair of three": (altered("request", "loras", [["a", 1.0, 2]]), "META_INVALID"),
    "another map": (altered("maps", 0, "sha256", "1" * 64), "META_INVALID"),
    "no map": (altered("maps", []), "META_INVALID"),
    "a start picture that nobody asked for": (
        altered("others", [{"what": "init", "sha256": "1" * 64, "file": "a.png"}]),
        "META_INVALID",
    ),
    "an agreement above all": (altered("agreement", 0, "share", 7.0), "META_INVALID"),
    "an agreement with another": (altered("agreement", 0, "condition", "shuffle"), "META_INVALID"),
}


@pytest.mark.parametrize(("change", "code"), HOSTILE.values(), ids=HOSTILE)
def test_what_was_altered_is_refused_in_words(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], code: str
) -> None:
    entry = ours()
    change(entry)
    path = with_texts(tmp_path / "a.png", {CHUNK: json.dumps(entry)})
    with pytest.raises(ArmatureError) as refusal:
        request_from_png(path)
    assert refusal.value.code.name == code
    assert len(refusal.value.message) < 500


@pytest.mark.parametrize(
    "text",
    ["", "not JSON", "[]", "7", "null", '"armature"', "[" * 10_000, '{"format": NaN}', '{"format": 1}', "{}"],
)
def test_what_is_no_memory_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = with_texts(
        tmp_path / "a.png", {CHUNK: text, "parameters": "a house\nSteps: 20, Seed: 1, Size: 8x8"}
    )
    with pytest.raises(ArmatureError, match="META_INVALID"):
        request_from_png(path)


def test_no_damage_to_our_own_text_gets_past_without_a_code() -> None:
    text, chance, read = json.dumps(ours()), random.Random(5), 0
    for _ in range(2000):
        place, length = chance.randrange(len(text)), chance.choice((0, 1, 1, 2, 40))
        put = chance.choice(("", "0", "-", "1e9", "null", '"', "[", "{}", "true", "\\u0000", "é"))
        try:
            metadata._memory(text[:place] + put + text[place + length :], LIMITS["local"])
            read += 1  # a letter of the prompt, or a blank
        except ArmatureError:
            pass
    assert 0 < read < 1000


def test_controls_of_a_terminal_do_not_come_back(tmp_path: Path) -> None:
    entry = ours()
    entry["request"]["prompt"] = "a\x1b[31m house\x00\r\n"
    path = with_texts(tmp_path / "a.png", {CHUNK: json.dumps(entry), "parameters": "a\x1b[31m house"})
    assert request_from_png(path).prompt == "a[31m house\n"
    assert parameters_from_png(path) == "a[31m house"


def test_a_picture_of_another_program_says_what_it_can(tmp_path: Path) -> None:
    text = "a house\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x512"
    path = with_texts(tmp_path / "a.png", {"parameters": text})
    assert parameters_from_png(path) == text
    with pytest.raises(ArmatureError, match=r"META_MISSING.*another program, without the map"):
        request_from_png(path)


def test_a_picture_without_settings_is_refused_in_words(tmp_path: Path) -> None:
    path = with_texts(tmp_path / "a.png", {})
    assert parameters_from_png(path) == ""
    with pytest.raises(ArmatureError, match=r"META_MISSING.*a PNG without settings"):
        request_from_png(path)
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg")
    with pytest.raises(ArmatureError, match="IMG_FORMAT"):
        request_from_png(tmp_path / "a.jpg")


def test_limits_are_those_of_whoever_reads(tmp_path: Path) -> None:
    path, _ = saved(tmp_path, replace(REQUEST, steps=100))
    with pytest.raises(ArmatureError, match="PARAM_RANGE"):
        request_from_png(path, LIMITS["public"])


def test_every_field_of_the_request_is_in_the_picture(tmp_path: Path) -> None:
    assert ours()["request"] == json.loads(json.dumps(asdict(REQUEST)))
