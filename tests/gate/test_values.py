"""Text, settings, sizes and JSON from outside. Row numbers are those of the list of bad inputs."""

import json
import math
import time
import unicodedata
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

import annotators
from errors import (
    BUDGET,
    PARAM_CHOICE,
    PARAM_RANGE,
    PARAM_TYPE,
    PROMPT_TOO_LONG,
    ArmatureError,
    Code,
)
from gate import LIMITS, Limits, check_size, check_values, clean_text, parse_json, parse_pose
from params import Param
from pipelines.request import ControlUnit, GenerateRequest
from pipelines.request.checks import checked
from pipelines.request.controls import NEGATIVE_PROMPT, PROMPT, RUN_PARAMS, UNIT_PARAMS, allowed_params
from tests.gate.made import CALM

LOCAL, PUBLIC = LIMITS["local"], LIMITS["public"]
CONTROLS = allowed_params((PROMPT, NEGATIVE_PROMPT, *UNIT_PARAMS, *RUN_PARAMS), LOCAL)
NUMBERS = [param for param in CONTROLS if param.kind in ("integer", "number")]
REQUEST = GenerateRequest(
    prompt="a house",
    controls=(ControlUnit(condition="canny", map="0" * 64),),
    width=256,
    height=256,
    family="pocket",
)


def by_name(param: Param) -> str:
    return param.name


def refused(code: Code, values: dict[str, Any]) -> ArmatureError:
    with pytest.raises(ArmatureError) as caught:
        check_values(CONTROLS, values)
    assert caught.value.code is code
    assert caught.value.allowed
    return caught.value


def test_what_is_not_given_is_the_default() -> None:
    assert check_values(CONTROLS, {}) == {param.name: param.default for param in CONTROLS}
    assert check_values(CONTROLS, {"steps": 7})["steps"] == 7


# Rows 53 to 58: numbers


@pytest.mark.parametrize("param", NUMBERS, ids=by_name)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, -1e308, -2])
def test_rows_53_and_54_numbers_out_of_range(param: Param, value: float) -> None:
    assert refused(PARAM_RANGE, {param.name: value}).allowed == param.allowed


@pytest.mark.parametrize("param", NUMBERS, ids=by_name)
@pytest.mark.parametrize("value", ["20", "", True, False, None, [], [20], {}, b"20", 20j])
def test_row_55_what_is_no_number(param: Param, value: object) -> None:
    refused(PARAM_TYPE, {param.name: value})


@pytest.mark.parametrize("name", ["steps", "count"])
def test_row_54_zero_where_one_is_the_least(name: str) -> None:
    refused(PARAM_RANGE, {name: 0})
    refused(PARAM_RANGE, {name: -1})


def test_row_56_no_silent_rounding() -> None:
    refused(PARAM_TYPE, {"steps": 20.7})
    assert check_values(CONTROLS, {"steps": 20.0})["steps"] == 20
    assert type(check_values(CONTROLS, {"steps": 20.0})["steps"]) is int


@pytest.mark.parametrize("param", NUMBERS, ids=by_name)
def test_row_57_an_integer_of_five_thousand_digits(param: Param) -> None:
    begin = time.monotonic()
    message = refused(PARAM_RANGE, {param.name: 10**5000}).message
    refused(PARAM_RANGE, {param.name: -(10**5000)})
    refused(PARAM_TYPE, {param.name: [10**5000]})
    assert len(message) < 300
    assert time.monotonic() - begin < 1


@pytest.mark.parametrize("seed", [-1, 0, 2**32 - 1])
def test_row_58_seeds(seed: int) -> None:
    assert check_values(CONTROLS, {"seed": seed})["seed"] == seed


@pytest.mark.parametrize("seed", [-2, 2**32])
def test_row_58_seeds_out_of_range(seed: int) -> None:
    assert refused(PARAM_RANGE, {"seed": seed}).allowed == "a whole number from -1 to 4294967295"


# Row 59: size


@pytest.mark.parametrize("text", ["768x512", "768X512", " 768 x 512 ", "768×512", "768 × 512", "0768x512"])
def test_sizes(text: str) -> None:
    assert check_size(text, multiple=8, smallest=256, largest=2048) == (768, 512, ())


@pytest.mark.parametrize(
    ("text", "multiple", "size"),
    [
        ("513x512", 8, (512, 512)),
        ("512x519", 8, (512, 520)),
        ("2047x257", 8, (2048, 256)),
        ("300x400", 64, (320, 384)),
        ("128x500", 64, (128, 512)),
    ],
)
def test_row_59_snapped_to_the_multiple_with_a_notice(
    text: str, multiple: int, size: tuple[int, int]
) -> None:
    width, height, notices = check_size(text, multiple=multiple, smallest=128, largest=2048)
    assert (width, height) == size
    assert notices == (f"The size is {width}x{height}: sides are multiples of {multiple}.",)


@pytest.mark.parametrize("text", ["0x512", "512x0", "100000x512", "512x100000", "255x512", "9" * 20 + "x512"])
def test_row_59_sizes_out_of_bounds(text: str) -> None:
    with pytest.raises(ArmatureError) as caught:
        check_size(text, multiple=8, smallest=256, largest=2048)
    assert caught.value.code is PARAM_RANGE
    assert caught.value.allowed == "sides from 256 to 2048"


@pytest.mark.parametrize(
    "text",
    ["", "512", "512x", "x512", "512x512x3", "-512x512", "5e2x512", "axb", "٥١٢x٥١٢", None, 512, [512, 512]],
)
def test_other_text_is_no_size(text: object) -> None:
    with pytest.raises(ArmatureError) as caught:
        check_size(text, multiple=8, smallest=256, largest=2048)
    assert caught.value.code is PARAM_TYPE


@CALM
@given(st.integers(130, 2040), st.integers(130, 2040), st.sampled_from([1, 8, 16, 64]))
@example(130, 2040, 64)
def test_every_size_in_bounds_becomes_one_that_can_be_made(width: int, height: int, multiple: int) -> None:
    wide, high, notices = check_size(f"{width}x{height}", multiple=multiple, smallest=130, largest=2040)
    for given_side, side in ((width, wide), (height, high)):
        assert side % multiple == 0
        assert 130 <= side <= 2040
        assert abs(side - given_side) < multiple
    assert bool(notices) == ((wide, high) != (width, height))


# Rows 60 to 63: what a request may be


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_a_plain_request_passes(limits: Limits) -> None:
    assert checked(REQUEST, limits) is REQUEST


def request_refused(code: Code, limits: Limits = LOCAL, **changes: Any) -> ArmatureError:
    with pytest.raises(ArmatureError) as caught:
        checked(replace(REQUEST, **changes), limits)
    assert caught.value.code is code
    return caught.value


def test_row_60_more_work_than_one_job_may_be() -> None:
    tight = replace(LOCAL, budget=3 * 20 * 256 * 256)
    assert request_refused(BUDGET, tight, count=4).allowed == "3 pictures so"
    assert checked(replace(REQUEST, count=3), tight).count == 3


def test_row_60_every_limit_of_a_profile_alone_is_within_its_budget() -> None:
    for limits in LIMITS.values():
        assert limits.steps * limits.smallest_side**2 * limits.count <= limits.budget
    assert PUBLIC.count * PUBLIC.steps * PUBLIC.largest_side**2 == PUBLIC.budget


def test_rows_54_and_60_bounds_of_the_profile() -> None:
    request_refused(PARAM_RANGE, PUBLIC, steps=51)
    request_refused(PARAM_RANGE, PUBLIC, count=3)
    assert checked(replace(REQUEST, steps=51), LOCAL).steps == 51


@pytest.mark.parametrize(
    "changes", [{"start": 0.5, "end": 0.5}, {"start": 0.6, "end": 0.4}, {"strength": 99}]
)
def test_row_61_controls_that_make_no_sense(changes: dict[str, Any]) -> None:
    request_refused(PARAM_RANGE, controls=(replace(REQUEST.controls[0], **changes),))


@pytest.mark.parametrize("size", [(257, 256), (0, 256), (256, 100_000), (-256, 256)])
def test_row_59_a_request_of_a_size_that_cannot_be_made(size: tuple[int, int]) -> None:
    request_refused(PARAM_RANGE, width=size[0], height=size[1])


@pytest.mark.parametrize("side", [256.5, "256", True, None])
def test_row_55_a_side_that_is_no_number(side: object) -> None:
    request_refused(PARAM_TYPE, width=side)


@pytest.mark.parametrize("value", ["nothing", "../x", "", None, ["unipc"], "UniPC\0"])
def test_row_63_what_is_not_in_the_list(value: object) -> None:
    assert "unipc" in refused(PARAM_CHOICE, {"scheduler": value}).allowed
    request_refused(PARAM_CHOICE, scheduler=value)


@pytest.mark.parametrize("name", ["nothing", "../x", ""])
def test_row_63_families_and_annotators_not_in_the_list(name: str) -> None:
    assert "pocket" in request_refused(PARAM_CHOICE, family=name).allowed
    with pytest.raises(ArmatureError) as caught:
        annotators.find(name)
    assert caught.value.code is PARAM_CHOICE


def test_row_62_thresholds_the_wrong_way_round() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 32:] = 255
    canny = partial(annotators.annotate, "canny", resolution=64)
    right = canny(picture, low_threshold=50, high_threshold=150)
    wrong = canny(picture, low_threshold=150, high_threshold=50)
    assert right.map.any()
    assert np.array_equal(right.map, wrong.map)
    assert "swapped" in wrong.notices[0]
    assert canny(picture, low_threshold=0, high_threshold=0).map.any()
    flat = canny(np.zeros_like(picture), low_threshold=255, high_threshold=255)
    assert not flat.map.any()
    assert "No edges" in flat.notices[0]


# Row 64: names


def test_row_64_settings_that_nobody_declared() -> None:
    refusal = refused(PARAM_TYPE, {"steps": 20, "stops": 1, "x" * 10_000: 2, "/home/me": 3})
    assert "'stops'" in refusal.found
    assert "steps" in refusal.allowed
    assert len(refusal.message) < 500
    with pytest.raises(ArmatureError):
        check_values((), {"a": 1})
    assert check_values((), {}) == {}


# Rows 65 to 73: prompts


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t\n"])
def test_row_65_an_empty_prompt(prompt: str) -> None:
    assert check_values(CONTROLS, {"prompt": prompt, "negative_prompt": "blurry"})["prompt"] == prompt
    assert checked(replace(REQUEST, prompt=prompt), PUBLIC).prompt == prompt


def test_row_66_a_prompt_that_is_too_long() -> None:
    public = allowed_params(CONTROLS, PUBLIC)
    assert check_values(public, {"prompt": "a" * 2000})["prompt"] == "a" * 2000
    for name in ("prompt", "negative_prompt"):
        with pytest.raises(ArmatureError) as caught:
            check_values(public, {name: "a" * 2001})
        assert caught.value.code is PROMPT_TOO_LONG
        assert (caught.value.found, caught.value.allowed) == ("2001 characters", "at most 2000")
        request_refused(PROMPT_TOO_LONG, PUBLIC, **{name: "a" * 2001})


def test_row_67_a_prompt_of_twenty_megabytes() -> None:
    begin = time.monotonic()
    assert len(refused(PROMPT_TOO_LONG, {"prompt": "a" * 20_000_000}).message) < 300
    assert time.monotonic() - begin < 5


SAME = {
    "row 68, three hundred words": "house " * 300,
    "row 71, emoji": "👩\u200d👩\u200d👧 🏳️\u200d🌈",
    "row 71, Arabic": "بيت صغير",
    "row 71, Zalgo": "h" + "\u0301" * 1000,
    "row 72, markup": "<script>alert(1)</script> ![x](y) {{7*7}} ${x} %s {0}",
    "row 73, brackets as such": r"\(" * 3000,
    "lines": "one\ntwo\tthree",
    "the last assigned": "\U0010fffd",
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_rows_68_to_73_text_that_stays_as_it_is(text: str) -> None:
    assert clean_text(text, label="Prompt", most=8000) == text
    assert checked(replace(REQUEST, prompt=text), LOCAL).prompt == text


@pytest.mark.parametrize("text", ["(" * 7000, "(" * 3500 + "a" + ")" * 3500])
def test_row_73_brackets_in_brackets_are_refused_at_once(text: str) -> None:
    begin = time.monotonic()
    with pytest.raises(ArmatureError) as refusal:
        checked(replace(REQUEST, prompt=text), LOCAL)
    assert time.monotonic() - begin < 0.1
    assert refusal.value.code.name == "PROMPT_SYNTAX"


CLEANED = {
    "row 69, NUL": ("a\0b", "ab"),
    "row 69, all controls": ("".join(map(chr, range(32))) + "a", "\t\n\na"),
    "row 69, line ends": ("a\r\nb\rc", "a\nb\nc"),
    "row 70, half a pair": ("a\ud800b\udfff", "a\ufffdb\ufffd"),
    "row 70, noncharacters": ("\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010ffff", "\ufffd" * 6),
}


@pytest.mark.parametrize(("text", "cleaned"), CLEANED.values(), ids=CLEANED)
def test_rows_69_and_70_text_that_is_cleaned(text: str, cleaned: str) -> None:
    assert clean_text(text, label="Prompt", most=100) == cleaned
    assert check_values(CONTROLS, {"prompt": text})["prompt"] == cleaned


@CALM
@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=200))
def test_row_70_clean_text_goes_everywhere(text: str) -> None:
    cleaned = clean_text(text, label="Prompt", most=200)
    assert json.loads(json.dumps(cleaned)) == cleaned
    assert cleaned.encode().decode() == cleaned
    assert all(unicodedata.category(letter) != "Cs" for letter in cleaned)
    assert clean_text(cleaned, label="Prompt", most=200) == cleaned
    file, info = BytesIO(), PngImagePlugin.PngInfo()
    info.add_itxt("prompt", cleaned)
    Image.new("L", (1, 1)).save(file, "PNG", pnginfo=info)
    with Image.open(file) as image:
        assert image.info["prompt"] == cleaned


@pytest.mark.parametrize("text", [None, 5, True, ["a"], {"a": 1}, b"a"])
def test_row_55_what_is_no_text(text: object) -> None:
    with pytest.raises(ArmatureError) as caught:
        clean_text(text, label="Prompt", most=100)
    assert caught.value.code is PARAM_TYPE


def test_row_73_ten_thousand_brackets_take_no_time() -> None:
    begin = time.monotonic()
    with pytest.raises(ArmatureError) as caught:
        clean_text("(" * 10_000, label="Prompt", most=8000)
    assert caught.value.code is PROMPT_TOO_LONG
    assert time.monotonic() - begin < 1


# Row 75 and JSON in general


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        ('{"a": [1, 2.5, null, true, "x"]}', {"a": [1, 2.5, None, True, "x"]}),
        (b'\xef\xbb\xbf{"a": "\xc3\xa9"}', {"a": "é"}),
        ("[" * 64 + "]" * 64, None),
        ('"' + "[" * 1000 + '"', "[" * 1000),
        (r'"\"[[\\"', '"[[\\'),
        ("[" + "[]," * 500 + "[]]", [[]] * 501),
    ],
)
def test_json_that_is_taken(text: str | bytes, value: object) -> None:
    parsed = parse_json(text, most_bytes=10_000)
    assert value is None or parsed == value


BAD_JSON = {
    "nothing": "",
    "half": '{"a": ',
    "no JSON": "a: 1",
    "quotes": "{'a': 1}",
    "two values": "{} {}",
    "5000 digits": "[" + "9" * 5000 + "]",
    "a key twice": '{"a": 1, "a": 2}',
    "a key twice, spelled twice": '{"a": 1, "\\u0061": 2}',
    "65 levels": "[" * 65 + "]" * 65,
    "65 levels after a string": '["\\"", ' + '{"a":' * 64 + "1" + "}" * 64 + "]",
    "too large": '"' + "a" * 200_000 + '"',
    "too large in UTF-8": '"' + "é" * 60_000 + '"',
    "no UTF-8": b'"\xff"',
    "UTF-16": '"a"'.encode("utf-16"),
    "a control in a string": '"\0"',
}


@pytest.mark.parametrize("data", BAD_JSON.values(), ids=BAD_JSON)
def test_row_75_json_that_is_refused(data: str | bytes) -> None:
    with pytest.raises(ArmatureError) as caught:
        parse_json(data, most_bytes=100_000)
    assert caught.value.code is PARAM_TYPE
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("data", ['{"a": NaN}', "[Infinity]", "[-Infinity]", "[1e999]"])
def test_row_53_json_with_a_number_that_is_none(data: str) -> None:
    with pytest.raises(ArmatureError) as caught:
        parse_json(data, most_bytes=100_000)
    assert caught.value.code is PARAM_RANGE


@pytest.mark.parametrize(
    "text", ["[" * 900_000, '{"a":' * 190_000, '"\\"' * 300_000, '"' * 900_000, "\\" * 900_000, "9" * 900_000]
)
def test_json_made_to_cost_time(text: str) -> None:
    begin = time.monotonic()
    with pytest.raises(ArmatureError):
        parse_json(text, most_bytes=1_000_000)
    assert time.monotonic() - begin < 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@CALM
@given(JSON)
def test_what_json_writes_is_read_again(value: object) -> None:
    assert parse_json(json.dumps(value), most_bytes=1_000_000) == value


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("", id="nothing"),
        pytest.param("a pose", id="no JSON"),
        pytest.param(b"\x89PNG\r\n", id="a picture"),
        pytest.param("[" * 100_000, id="100 000 levels"),
        pytest.param(b" " * 50_000_000, id="50 MB"),
        pytest.param('{"people": [{"pose_keypoints_2d": [NaN, 1, 1]}]}', id="NaN"),
        pytest.param('{"people": [{"pose_keypoints_2d": [1e999, 1, 1]}]}', id="infinity"),
        pytest.param('{"people": [], "people": []}', id="a key twice"),
    ],
)
def test_row_107_what_is_no_json_is_no_pose(data: bytes | str) -> None:
    start = time.perf_counter()
    with pytest.raises(ArmatureError, match=r"POSE_INVALID: The pose can't be read \(found: .*; allowed: "):
        parse_pose(data)
    assert time.perf_counter() - start < 2  # ten times the bound, as a guard against hanging


def test_a_pose_comes_out_as_plain_data() -> None:
    text = '{"people": [], "canvas_width": 512, "canvas_height": 768.0}'
    assert parse_pose(text) == {"people": [], "canvas_width": 512, "canvas_height": 768.0}
    assert parse_pose(text.encode()) == parse_pose(text)
    assert parse_pose("[1]") == [1]
