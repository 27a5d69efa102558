"""Bad data sets, one after the other: each is refused before anything is learnt, by file and line."""

import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from errors import ArmatureError
from tests.training.sets import captioned, listed, picture, row, save, write_list
from training import facts
from training.check import MOST_TOLD, Report
from training.data import DataConfig, FolderPairs, open_pairs, preflight
from training.facts import Fact, Kept, look_at

Change = Callable[[Path], None]


def config(path: Path, **settings: Any) -> DataConfig:
    return DataConfig(path=path, condition="canny", size=64, **settings)


def opened(path: Path, **settings: Any) -> FolderPairs:
    return open_pairs(config(path, **settings), workers=1)


def report(path: Path, **settings: Any) -> Report:
    return preflight(config(path, **settings), workers=1)[1]


def refused(path: Path, **settings: Any) -> str:
    """What the refusal of a set says."""
    with pytest.raises(ArmatureError, match="DATASET_INVALID") as refusal:
        opened(path, **settings)
    return refusal.value.message


def test_a_good_set_has_nothing_to_tell(tmp_path: Path) -> None:
    for path in (captioned(tmp_path / "a"), listed(tmp_path / "b"), tmp_path / "b" / "prompt.json"):
        found = report(path)
        assert (found.problems, found.notices, len(found.entries)) == ((), (), 3)


# Sets that are none


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "0 good pairs, and at least 2 are needed" in refused(tmp_path)


def test_a_single_picture_is_refused(tmp_path: Path) -> None:
    assert "1 good pairs, and at least 2 are needed" in refused(captioned(tmp_path, 1))
    assert "1 good pairs" in refused(listed(tmp_path / "b", 1))


def test_a_list_that_is_missing_is_refused(tmp_path: Path) -> None:
    assert "prompt.json" in refused(tmp_path / "prompt.json")
    assert "nothing" in refused(tmp_path / "nothing")


def test_a_set_of_the_original_without_its_list_is_refused_by_picture(tmp_path: Path) -> None:
    (listed(tmp_path) / "prompt.json").unlink()
    message = refused(tmp_path)
    assert all(f"{part}/{number}.png: The caption" in message for part in PARTS for number in range(3))


PARTS = ("source", "target")


def test_two_lists_are_one_too_many(tmp_path: Path) -> None:
    write_list(listed(tmp_path), ["{}"], "metadata.jsonl")
    assert "both prompt.json and metadata.jsonl" in refused(tmp_path)


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("zeros.png", bytes(50_000_000))


def links(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("a.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")


@pytest.mark.parametrize("write", [bomb, links])
def test_an_archive_is_not_opened(tmp_path: Path, write: Change) -> None:
    path = tmp_path / "set.zip"
    write(path)
    assert "unpack archives" in refused(path)
    captioned(tmp_path)
    assert len(opened(tmp_path)) == 3, "one that lies beside the pictures is left alone"


# Pictures that are none


def test_three_corrupt_pictures_and_a_missing_one_of_five_hundred(tmp_path: Path) -> None:
    count, bad = 500, (17, 230, 401)
    for number in range(count):
        save(tmp_path / "target" / f"{number}.png", picture(number, 32, 32))
    write_list(tmp_path, [json.dumps(row(number) | {"source": None}) for number in range(count)])
    for number in bad:
        path = tmp_path / "target" / f"{number}.png"
        path.write_bytes(path.read_bytes()[:60])
    (tmp_path / "target" / "99.png").unlink()

    message = refused(tmp_path)
    for number in (*bad, 99):
        assert f"prompt.json:{number + 1}: target/{number}.png: " in message
    assert message.count("target/") == 4
    assert "skip_bad" in message

    pairs = opened(tmp_path, skip_bad=True)
    assert (len(pairs), pairs.skipped) == (count - 4, 4)
    assert pairs.prompts[17] == "thing 18"
    assert pairs[17].name == "target/18.png"


def test_of_many_problems_the_first_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    write_list(tmp_path, [json.dumps(row(number) | {"source": None}) for number in range(70)])
    message = refused(tmp_path)
    assert "0 good pairs, and 71 problems" in message
    assert f"prompt.json:{MOST_TOLD // 2}: target" in message
    assert "prompt.json:60" not in message
    assert "and 21 more" in message
    assert "skip_bad" not in message, "nothing would be left"


def test_problems_come_in_the_order_of_the_set(tmp_path: Path) -> None:
    listed(tmp_path, 6)
    lines = (tmp_path / "prompt.json").read_text().splitlines()
    write_list(tmp_path, [*lines[:3], "no JSON", *lines[3:]])
    for number in (1, 5):
        (tmp_path / "target" / f"{number}.png").unlink()
    assert [problem.place for problem in report(tmp_path).problems] == [
        "prompt.json:2",
        "prompt.json:4",
        "prompt.json:7",
    ]


def test_a_link_is_no_picture(tmp_path: Path) -> None:
    listed(tmp_path)
    path = tmp_path / "target" / "1.png"
    os.replace(path, tmp_path / "elsewhere.png")
    path.symlink_to(tmp_path / "elsewhere.png")
    assert "prompt.json:2: target/1.png: This is not a plain file" in refused(tmp_path)


# Pictures that are converted


def test_sizes_that_differ_are_told_and_both_are_brought_to_one(tmp_path: Path) -> None:
    listed(tmp_path)
    wide = picture(7, 160, 100)
    save(tmp_path / "source" / "1.png", wide)
    (notice,) = report(tmp_path).notices
    assert notice.place == "prompt.json:2"
    assert "target/1.png is 64x64, source/1.png is 160x100" in notice.what
    assert "scaled to cover 64x64 and cropped" in notice.what
    hint = opened(tmp_path)[1].hint
    assert hint.shape == (64, 64, 3)
    scaled = np.asarray(Image.fromarray(wide).resize((102, 64), Image.Resampling.BOX))[:, 19:83]
    assert np.abs(hint * 255 - scaled).mean() < 2


@pytest.mark.parametrize(
    ("mode", "told"),
    [("L", "mode L: taken as RGB"), ("RGBA", "mode RGBA: what is transparent lies on white")],
)
def test_grey_and_transparent_pictures_are_told_and_converted(tmp_path: Path, mode: str, told: str) -> None:
    captioned(tmp_path)
    image = Image.fromarray(picture(1)).convert(mode)
    if mode == "RGBA":
        image.putalpha(0)
    image.save(tmp_path / "1.png")
    (notice,) = report(tmp_path).notices
    assert str(notice) == f"1.png: 1.png is in {told}"
    target = opened(tmp_path)[1].target
    expected = np.asarray(image.convert("RGB")) if mode == "L" else 255
    assert np.array_equal(target, np.broadcast_to(expected, target.shape))


def test_a_picture_that_is_enlarged_is_told(tmp_path: Path) -> None:
    notices = report(captioned(tmp_path, width=80, height=48)).notices
    assert [str(notice) for notice in notices] == [
        f"{number}.png: {number}.png is 80x48: enlarged to cover 64x64" for number in range(3)
    ]


# Lists with bad lines


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not JSON"),
        ("[]", "not an object"),
        ("", "not JSON"),
        ('\ufeff{"target": "target/1.png", "prompt": ""}', "byte order mark"),
        (json.dumps(row(1)) + "\r", "carriage return"),
        (json.dumps(row(0)), "the same pair as in line 1"),
        (json.dumps(row(1) | {"target": "/etc/passwd"}), "a path from the root"),
        (json.dumps(row(1) | {"target": "../1.png"}), "leads out of its folder"),
        (json.dumps(row(1) | {"source": "source/../../1.png"}), "leads out of its folder"),
        (json.dumps(row(1) | {"target": "C:\\pictures\\1.png"}), "of another system"),
        (json.dumps(row(1) | {"target": 1}), "no text"),
        (json.dumps(row(1) | {"source": ""}), "no text"),
        (json.dumps(row(1) | {"prompt": None}), "The prompt"),
        (json.dumps(row(1) | {"prompt": "x" * 8001}), "too long"),
        (json.dumps({"prompt": "x", "source": "source/1.png"}), "no text"),
        (json.dumps({key: value for key, value in row(1).items() if key != "source"}), "no hint"),
        ('{"target": "target/1.png", "target": "target/2.png", "prompt": ""}', "twice"),
    ],
)
def test_a_bad_line_is_refused_by_its_number(tmp_path: Path, line: str, told: str) -> None:
    listed(tmp_path)
    lines = (tmp_path / "prompt.json").read_text().splitlines()
    lines[1] = line
    write_list(tmp_path, lines)
    (problem,) = report(tmp_path).problems
    assert problem.place == "prompt.json:2"
    assert told in problem.what
    assert "prompt.json:2: " in refused(tmp_path)
    assert opened(tmp_path, skip_bad=True).prompts == ("thing 0", "thing 2")


def test_a_mark_before_the_first_line_is_refused(tmp_path: Path) -> None:
    path = listed(tmp_path) / "prompt.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert "prompt.json:1: the line begins with a byte order mark" in refused(tmp_path)


@pytest.mark.parametrize(
    ("data", "told"), [(None, "not there"), (b"\xff\xff", "UTF-8"), (b"x" * 9000, "too long")]
)
def test_a_bad_caption_is_refused_by_its_picture(tmp_path: Path, data: bytes | None, told: str) -> None:
    captioned(tmp_path)
    (tmp_path / "1.txt").unlink()
    if data is not None:
        (tmp_path / "1.txt").write_bytes(data)
    message = refused(tmp_path)
    assert "1.png: The caption" in message
    assert told in message


# What is known already


def test_what_is_known_is_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = captioned(tmp_path / "set"), tmp_path / "cache"
    first = report(folder, cache=cache)
    asked: list[str] = []

    def look(path: Path) -> Fact | str:
        asked.append(path.name)
        return real(path)

    real = facts.look
    monkeypatch.setattr(facts, "look", look)
    assert report(folder, cache=cache) == first
    assert asked == []
    save(folder / "1.png", picture(9))
    (folder / "2.png").write_bytes(b"no picture")
    found = report(folder, cache=cache)
    assert asked == ["1.png", "2.png"]
    assert [problem.place for problem in found.problems] == ["2.png"]
    report(folder, cache=cache)
    assert asked == ["1.png", "2.png", "2.png"], "what is bad may have been mended"


def test_what_was_found_before_an_interruption_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = captioned(tmp_path / "set"), tmp_path / "cache"

    def told(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    names = ["0.png", "1.png", "2.png"]
    with pytest.raises(KeyboardInterrupt):
        look_at(folder, names, cache=cache, workers=1, told=told)
    assert list(Kept(folder, cache).known(names)) == names[:2]


def test_a_cache_that_is_damaged_is_made_anew(tmp_path: Path) -> None:
    folder, cache = captioned(tmp_path / "set"), tmp_path / "cache"
    first = report(folder, cache=cache)
    (path,) = cache.iterdir()
    path.write_bytes(b"{")
    assert report(folder, cache=cache) == first
    assert path.stat().st_size > 10


def test_many_files_are_looked_at_by_several_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "ALONE", 2)
    captioned(tmp_path, 5)
    (tmp_path / "3.png").write_bytes(b"no picture")
    told: list[tuple[int, int]] = []
    found = look_at(
        tmp_path,
        [f"{number}.png" for number in range(5)],
        cache=None,
        workers=2,
        told=lambda *now: told.append(now),
    )
    assert [type(look) for look in found.values()] == [Fact, Fact, Fact, str, Fact]
    assert told == [(done, 5) for done in range(1, 6)]
