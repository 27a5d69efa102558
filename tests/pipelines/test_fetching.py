"""Fetching from a Hub on loopback: what comes is whole, right, written down, and never half in its place."""

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from annotators import ANNOTATORS
from errors import ArmatureError, ours
from gate import LIMITS, Profile
from models.catalogue import FAMILIES
from models.hub import Hub
from models.layout import BASE_FILES
from models.store import Store
from pipelines import bundles, durable, fetching, glancing, home, manifest
from pipelines.engine import Engine
from pipelines.fetching import Fetching
from pipelines.homes import ThreadHome
from pipelines.jobs import JobBook
from pipelines.kinds import FETCH, kinds
from pipelines.request import Progress
from pipelines.request.fetching import Fetched, FetchRequest, in_words
from pipelines.worker import Worker
from tests.fake_hub import COMMIT, FakeHub, Fault, content_of, fake_hub, sha256
from tests.models import made_files
from tests.pipelines import recipes
from tests.pipelines.recipes import KINDS, wait_for
from tests.pipelines.test_durable import Failing, Faults
from tests.pipelines.test_engine import gate, last

NAME, FILE = "softedge_pidi", "table5_pidinet.pth"
PLACE = f"annotators/lllyasviel--Annotators/{FILE}"
BYTES = bytes(range(256)) * 4000
CANNY = "lllyasviel/control_v11p_sd15_canny"
HALF = content_of("half.safetensors")
PIDI = FetchRequest(names=(NAME,))
BASE = FetchRequest(names=("sd15", "sd15/canny"))


@pytest.fixture
def far() -> Iterator[FakeHub]:
    """The Hub with the file of one annotator, and with the base and a control of Stable Diffusion 1.5."""
    with fake_hub() as hub:
        hub.add("lllyasviel/Annotators", FILE, BYTES)
        base = FAMILIES["sd15"].base
        assert base is not None
        for path in FAMILIES["sd15"].base_files:
            hub.add(base.repo, path, content_of(path))
        for path in ("config.json", "diffusion_pytorch_model.safetensors"):
            hub.add(CANNY, path, content_of(path))
        yield hub


@pytest.fixture
def here(far: FakeHub, tmp_path: Path) -> Fetching:
    """An empty folder of weights, and whom it asks."""
    hub = Hub(endpoint=far.url, pauses=(0.0, 0.0, 0.0), patience=20.0)
    return Fetching(weights=tmp_path / "weights", hub=hub)


def fetch(here: Fetching, request: FetchRequest = PIDI) -> tuple[Fetched, list[Progress]]:
    """What came of a fetch, and what it said meanwhile."""
    *said, outcome = here.run(request)
    assert isinstance(outcome, Fetched)
    assert all(isinstance(one, Progress) for one in said)
    return outcome, said  # type: ignore[return-value]


def refusal(here: Fetching, request: FetchRequest = PIDI) -> ArmatureError:
    with pytest.raises(ArmatureError) as refused:
        fetch(here, request)
    return refused.value


def files(here: Fetching) -> dict[str, bytes]:
    """All that lies in the weights, without the lock and the record."""
    found = (path for path in here.weights.rglob("*") if path.is_file())
    others = (fetching.LOCK, manifest.NAME)
    return {
        path.relative_to(here.weights).as_posix(): path.read_bytes()
        for path in found
        if path.name not in others
    }


def half(here: Fetching, far: FakeHub) -> bytes:
    """Stop a fetch in the middle; what is there then."""
    far.fail(FILE, "holds", 1)
    run = here.run(PIDI)
    for progress in run:
        if isinstance(progress, Progress) and progress.stage == "fetching":
            break
    run.close()  # type: ignore[attr-defined]
    far.go.set()
    ((name, content),) = files(here).items()
    assert name.startswith(f"{PLACE}.tmp-")
    return content


# What comes


def test_a_file_comes_whole_into_its_place_and_is_written_down(here: Fetching) -> None:
    outcome, said = fetch(here)
    assert files(here) == {PLACE: BYTES}
    assert outcome == Fetched(titles=("Soft edges, PiDiNet",), places=(PLACE,), size=len(BYTES))
    assert (said[0].stage, said[-1].stage) == ("checking", "fetching")
    assert (said[-1].step, said[-1].total) == (len(BYTES), len(BYTES))
    steps = [one.step for one in said]
    assert steps == sorted(steps)
    entry = json.loads((here.weights / "manifest.json").read_text())[PLACE]
    assert entry == {
        "repo": "lllyasviel/Annotators",
        "path": FILE,
        "commit": COMMIT,
        "size": len(BYTES),
        "sha256": sha256(BYTES),
        "licence": "for research only",
    }


def test_what_is_here_is_not_fetched_and_nobody_is_asked(here: Fetching, far: FakeHub) -> None:
    fetch(here)
    far.asked.clear()
    outcome, _ = fetch(here)
    assert (outcome.places, outcome.size, far.asked) == ((), 0, [])


def test_a_base_and_its_control_come_in_the_layout_of_the_store(here: Fetching, far: FakeHub) -> None:
    store = Store(here.weights)
    assert not store.has("sd15", "canny")
    outcome, said = fetch(here, BASE)
    assert store.has("sd15", "canny")
    assert len(outcome.places) == len(FAMILIES["sd15"].base_files) + 2
    assert files(here)["sd15/base/unet/config.json"] == b"this is unet/config.json" * 50
    assert said[-1].step == said[-1].total == sum(len(data) for data in files(here).values())
    assert set(manifest.read(here.weights)) == set(outcome.places)


def test_the_tokenizer_of_a_base_comes_alone_for_a_file_of_ones_own(here: Fetching) -> None:
    store = Store(here.weights)
    made_files.write(store.own_bases / "mine.safetensors", made_files.checkpoint())
    assert store.missing("sd15/mine.safetensors")
    outcome, _ = fetch(here, FetchRequest(names=("sd15/tokenizer",)))
    assert store.missing("sd15/mine.safetensors") == ()
    assert {place.rpartition("/")[0] for place in outcome.places} == {"sd15/base/tokenizer"}
    rest, _ = fetch(here, BASE)
    assert len(rest.places) == len(FAMILIES["sd15"].base_files) + 2 - len(outcome.places)


def test_what_serves_as_well_is_not_fetched(here: Fetching, far: FakeHub) -> None:
    half_precision = Store(here.weights).base("sd15") / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    half_precision.parent.mkdir(parents=True)
    half_precision.write_bytes(HALF)
    fetch(here, BASE)
    assert not half_precision.with_name("diffusion_pytorch_model.safetensors").exists()
    assert Store(here.weights).has("sd15", "canny")


def test_half_precision_is_fetched_where_the_hub_has_it(here: Fetching, far: FakeHub) -> None:
    base = FAMILIES["sd15"].base
    assert base is not None
    far.add(base.repo, "unet/diffusion_pytorch_model.fp16.safetensors", HALF)
    outcome, said = fetch(here, BASE)
    there = files(here)
    assert there["sd15/base/unet/diffusion_pytorch_model.fp16.safetensors"] == HALF
    assert "sd15/base/unet/diffusion_pytorch_model.safetensors" not in there
    assert "sd15/base/vae/diffusion_pytorch_model.safetensors" in there, "of this the Hub has no other"
    assert Store(here.weights).has("sd15", "canny")
    assert set(outcome.places) == set(manifest.read(here.weights)) == set(there)
    assert said[-1].total == sum(len(content) for content in there.values())


def test_what_was_fetched_whole_comes_again_whole(here: Fetching, far: FakeHub) -> None:
    fetch(here, BASE)
    before = files(here)
    far.add(CANNY, "diffusion_pytorch_model.fp16.safetensors", HALF)
    lost = "sd15/controls/canny/diffusion_pytorch_model.safetensors"
    (here.weights / lost).unlink()
    outcome, _ = fetch(here, BASE)
    assert (outcome.places, files(here)) == ((lost,), before)


def test_an_offer_tells_the_size_and_fetches_nothing(here: Fetching, far: FakeHub) -> None:
    offer = here.offer(PIDI)
    assert (offer.files, offer.size, offer.here) == (1, len(BYTES), 0)
    assert offer.sources == (("lllyasviel/Annotators", "for research only"),)
    assert offer.free > 0
    assert far.bodies() == []
    assert not here.weights.exists()
    kept = half(here, far)
    assert here.offer(PIDI).here == len(kept)


def test_all_files_of_a_repository_come_from_one_commit(here: Fetching, far: FakeHub) -> None:
    fetch(here, BASE)
    revisions = {one.path.split("/resolve/")[1].split("/")[0] for one in far.asked if "/resolve/" in one.path}
    assert revisions == {"main", COMMIT}
    firsts = [one for one in far.asked if "/resolve/main/" in one.path]
    assert len(firsts) == 2, "one for each repository"


def test_a_name_that_is_none_is_refused(here: Fetching) -> None:
    for name in ("banana", "pocket", "../x", "canny"):
        error = refusal(here, FetchRequest(names=(name,)))
        assert (error.code.name, "sd15/canny" in error.allowed) == ("PARAM_CHOICE", True)


# What breaks off


def test_what_broke_off_goes_on_where_it_was(here: Fetching, far: FakeHub) -> None:
    kept = half(here, far)
    assert 0 < len(kept) < len(BYTES)
    assert BYTES.startswith(kept)
    _, said = fetch(here)
    assert far.bodies()[-1].range == f"bytes={len(kept)}-"
    assert files(here) == {PLACE: BYTES}
    checked = [one.step for one in said if one.stage == "checking"]
    assert checked[-1] == len(kept)


def test_a_connection_that_breaks_several_times_is_no_trouble(here: Fetching, far: FakeHub) -> None:
    far.fail(FILE, "breaks", 5)
    fetch(here)
    assert files(here) == {PLACE: BYTES}
    assert len(far.bodies()) == 6


def test_what_was_left_of_another_file_is_left_alone_and_cleared_away_at_last(
    here: Fetching, far: FakeHub
) -> None:
    half(here, far)
    other = far.add("lllyasviel/Annotators", FILE, BYTES[::-1])
    fetch(here)
    assert far.bodies()[-1].range == ""
    assert files(here) == {PLACE: other}


def test_damage_in_what_was_left_is_found_and_thrown_away(here: Fetching, far: FakeHub) -> None:
    half(here, far)
    (aside,) = here.weights.rglob("*.tmp-*")
    with open(aside, "r+b") as file:
        file.write(b"damage")
    assert refusal(here).code.name == "HUB_INTEGRITY"
    assert files(here) == {}
    fetch(here)
    assert files(here) == {PLACE: BYTES}


def test_what_was_left_and_is_too_long_is_begun_anew(here: Fetching, far: FakeHub) -> None:
    half(here, far)
    (aside,) = here.weights.rglob("*.tmp-*")
    aside.write_bytes(BYTES + b"more")
    fetch(here)
    assert files(here) == {PLACE: BYTES}


# What is thrown away


def test_what_is_left_of_a_fetch_can_be_thrown_away(here: Fetching, far: FakeHub) -> None:
    kept = half(here, far)
    outcome, _ = fetch(here, replace(PIDI, discard=True))
    assert (outcome.places, outcome.size, files(here)) == ((), len(kept), {})
    assert here.offer(PIDI).here == 0


def test_what_was_fetched_can_be_thrown_away_and_fetched_anew(here: Fetching, far: FakeHub) -> None:
    fetch(here, BASE)
    fetch(here)
    outcome, _ = fetch(here, replace(BASE, discard=True))
    assert len(outcome.places) == len(FAMILIES["sd15"].base_files) + 2
    assert outcome.size == sum(len(data) for name, data in far.files.items() if not name.endswith(FILE))
    assert files(here) == {PLACE: BYTES}
    assert set(manifest.read(here.weights)) == {PLACE}
    fetch(here, BASE)
    assert Store(here.weights).has("sd15", "canny")


def test_what_somebody_has_put_there_is_never_thrown_away(here: Fetching, far: FakeHub) -> None:
    (here.weights / PLACE).parent.mkdir(parents=True)
    (here.weights / PLACE).write_bytes(b"mine")
    outcome, _ = fetch(here, replace(PIDI, discard=True))
    assert (outcome.places, outcome.size) == ((), 0)
    assert files(here) == {PLACE: b"mine"}
    assert far.asked == []


# What is damaged


UNET = "sd15/base/unet/diffusion_pytorch_model.safetensors"
CUT = 100  # bytes


def damage(here: Fetching, request: FetchRequest) -> list[str]:
    """What is found damaged at a glance in the bundles of a request, in words."""
    known = manifest.read(here.weights)
    found = bundles.named(Store(here.weights), request.names)
    return [one.error.message for bundle in found for one in glancing.damaged(here.weights, bundle, known)]


@pytest.mark.parametrize(
    ("name", "place", "words"),
    [
        (NAME, PLACE, "is not as it was fetched (found: 100 bytes; allowed: 1024000 bytes)"),
        ("sd15", UNET, "is cut off (found: 100 bytes; allowed: at least"),
        ("sd15", "sd15/base/unet/config.json", "is not as it was fetched (found: 100 bytes; allowed: "),
    ],
)
def test_row_76_a_file_that_is_cut_off_does_not_count_as_here(
    name: str, place: str, words: str, here: Fetching, far: FakeHub
) -> None:
    request = FetchRequest(names=(name,))
    fetch(here, request)
    whole = files(here)
    assert damage(here, request) == []
    os.truncate(here.weights / place, CUT)
    (said,) = damage(here, request)
    assert words in said
    assert "Fetch the file again." in said
    offer = here.offer(request)
    assert (offer.files, offer.size) == (1, len(whole[place]))
    far.asked.clear()
    outcome, _ = fetch(here, request)
    assert (outcome.places, len(far.bodies())) == ((place,), 1)
    assert files(here) == whole
    assert damage(here, request) == []


def test_row_76_a_damaged_file_stays_until_the_right_one_has_come(here: Fetching, far: FakeHub) -> None:
    fetch(here)
    os.truncate(here.weights / PLACE, CUT)
    far.fail(FILE, "wrong", 1)
    assert refusal(here).code.name == "HUB_INTEGRITY"
    assert files(here) == {PLACE: BYTES[:CUT]}
    fetch(here)
    assert files(here) == {PLACE: BYTES}


@pytest.mark.parametrize("spoilt", [b"", bytes(3000), b"<!doctype html>Access denied", content_of(UNET)[:-4]])
def test_row_76_tensors_that_can_not_be_read_come_again_whoever_put_them_there(
    spoilt: bytes, here: Fetching
) -> None:
    fetch(here, BASE)
    whole = files(here)
    manifest.forget(here.weights, {UNET})
    (here.weights / UNET).write_bytes(spoilt)
    assert len(damage(here, BASE)) == 1
    outcome, _ = fetch(here, BASE)
    assert (outcome.places, files(here)) == ((UNET,), whole)


def test_row_76_the_whole_file_is_mended_where_half_precision_can_be_had(
    here: Fetching, far: FakeHub
) -> None:
    """The whole one is what is used where both are there, so another one beside it would not help."""
    base = FAMILIES["sd15"].base
    assert base is not None
    fetch(here, BASE)
    whole = files(here)
    far.add(base.repo, "unet/diffusion_pytorch_model.fp16.safetensors", HALF)
    manifest.forget(here.weights, {UNET})
    os.truncate(here.weights / UNET, CUT)
    fetch(here, BASE)
    assert files(here) == whole
    assert damage(here, BASE) == []


def test_another_whole_file_of_tensors_is_somebodys_wish_and_stays(here: Fetching, far: FakeHub) -> None:
    fetch(here, BASE)
    mine = content_of("mine.safetensors")
    (here.weights / UNET).write_bytes(mine)
    assert damage(here, BASE) == []
    outcome, _ = fetch(here, BASE)
    assert (outcome.places, files(here)[UNET]) == ((), mine)


def test_settings_that_somebody_has_changed_stay_as_long_as_they_can_be_read(
    here: Fetching, far: FakeHub
) -> None:
    fetch(here, BASE)
    place = next(place for place in files(here) if place.endswith("scheduler_config.json"))
    mine = b'{"prediction_type": "v_prediction"}'
    (here.weights / place).write_bytes(mine)
    assert damage(here, BASE) == []
    assert fetch(here, BASE)[0].places == ()
    (here.weights / place).write_bytes(mine[:-5])
    assert len(damage(here, BASE)) == 1
    fetch(here, BASE)
    assert files(here)[place] not in (mine, mine[:-5])


# What is wrong


def test_wrong_bytes_are_refused_and_the_old_file_stays(here: Fetching, far: FakeHub) -> None:
    fetch(here)
    (here.weights / PLACE).write_bytes(b"an old one of somebody's own")
    (here.weights / "manifest.json").unlink()
    far.fail(FILE, "wrong", 1)
    error = refusal(here, replace(PIDI, again=True))
    assert error.code.name == "HUB_INTEGRITY"
    assert files(here) == {PLACE: b"an old one of somebody's own"}
    assert manifest.read(here.weights) == {}
    fetch(here, replace(PIDI, again=True))
    assert files(here) == {PLACE: BYTES}


def test_what_was_fetched_once_is_held_to(here: Fetching, far: FakeHub) -> None:
    fetch(here)
    (here.weights / PLACE).unlink()
    far.add("lllyasviel/Annotators", FILE, BYTES[::-1])
    far.asked.clear()
    error = refusal(here)
    assert error.code.name == "HUB_INTEGRITY"
    assert "manifest.json" in error.message
    assert (files(here), far.bodies()) == ({}, [])
    far.add("lllyasviel/Annotators", FILE, BYTES)
    fetch(here)
    assert files(here) == {PLACE: BYTES}
    assert f"/resolve/{COMMIT}/" in "/" + far.asked[0].path


def test_a_small_file_is_held_to_as_well(here: Fetching, far: FakeHub) -> None:
    control = FetchRequest(names=("sd15/canny",))
    fetch(here, control)
    place = here.weights / "sd15" / "controls" / "canny" / "config.json"
    place.unlink()
    far.add(CANNY, "config.json", b'{"another": 1}')
    assert refusal(here, control).code.name == "HUB_INTEGRITY"
    assert not place.exists()


def test_a_record_that_can_not_be_read_is_refused_and_not_forgotten(here: Fetching, far: FakeHub) -> None:
    here.weights.mkdir()
    for text in ("{", "[]", '{"a": 1}', '{"a": {"repo": "b"}}'):
        (here.weights / "manifest.json").write_text(text)
        error = refusal(here)
        assert error.code.name == "MODEL_CORRUPT"
        assert (here.weights / "manifest.json").read_text() == text
    assert far.asked == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("not there", "HUB_NOT_FOUND"),
        ("gated", "HUB_GATED"),
        ("busy", "HUB_UNREACHABLE"),
        ("loop", "HUB_UNREACHABLE"),
        ("portal", "HUB_UNREACHABLE"),
        ("long", "HUB_INTEGRITY"),
    ],
)
def test_a_refusal_leaves_no_file(fault: Fault, code: str, here: Fetching, far: FakeHub) -> None:
    far.fail(FILE, fault)
    error = refusal(here)
    assert error.code.name == code
    assert PLACE not in files(here)
    by_hand = f"put it at weights/{PLACE}"
    assert (by_hand in error.message) is (code in ("HUB_GATED", "HUB_UNREACHABLE"))
    assert str(here.weights) not in error.message


def test_a_hub_out_of_reach_says_where_each_file_goes(here: Fetching, far: FakeHub) -> None:
    far.fail(FILE, "hangs")
    error = refusal(replace(here, hub=replace(here.hub, patience=0.2)))
    assert error.code.name == "HUB_UNREACHABLE"
    url = f"https://huggingface.co/lllyasviel/Annotators/resolve/main/{FILE}"
    assert f"get {url} in another way and put it at weights/{PLACE}" in error.message
    offline = refusal(replace(here, hub=replace(here.hub, offline=True)), BASE)
    assert "HF_HUB_OFFLINE is set" in offline.message
    assert "put it at weights/sd15/base/model_index.json, and likewise 13 more" in offline.message


def test_a_disk_without_room_is_said_before_anything_comes(
    here: Fetching, far: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = fetching.LEFT_FREE + len(BYTES)

    def usage(path: Path) -> Any:
        return shutil._ntuple_diskusage(10**12, 0, room)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    room -= 1
    error = refusal(here)
    assert (error.code.name, "1.02 MB" in error.message) == ("DISK_FULL", True)
    with pytest.raises(ArmatureError, match="DISK_FULL"):
        here.offer(PIDI)
    assert far.bodies() == []
    room += 1
    fetch(here)


def test_g11_whatever_call_to_the_disk_fails_the_place_has_the_old_file_or_the_new(
    here: Fetching, far: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call fails, then the second, and so on, until nothing is left to fail."""
    content = far.add("lllyasviel/Annotators", FILE, BYTES[:100_000])
    really = {name: getattr(os, name) for name in ("fsync", "replace", "open")}
    for nth in range(1, 60):
        shutil.rmtree(here.weights, ignore_errors=True)
        place = here.weights / PLACE
        place.parent.mkdir(parents=True)
        place.write_bytes(b"old")
        faults = Faults(nth, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/secret/place"))

        def counted(call: Callable[..., Any], faults: Faults = faults) -> Callable[..., Any]:
            def made(*args: Any, **kwargs: Any) -> Any:
                faults.call()
                return call(*args, **kwargs)

            return made

        with monkeypatch.context() as patch:
            opened = counted(open)
            patch.setattr(fetching, "open", lambda *a, f=faults, o=opened: Failing(o(*a), f), raising=False)
            for name, call in really.items():
                patch.setattr(os, name, counted(call))
            error: Exception | None = None
            try:
                fetch(here, replace(PIDI, again=True))
            except (OSError, ArmatureError) as caught:
                error = caught
        if faults.over:
            assert error is None
            break
        assert place.read_bytes() in (b"old", content)
        if error is not None:
            assert ours(error).code.name == "DISK_FULL"
        fetch(here, replace(PIDI, again=True))
        assert files(here) == {PLACE: content}
        assert manifest.read(here.weights)[PLACE].sha256 == sha256(content)
    else:
        raise AssertionError("it never succeeds")
    assert nth > 8


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Until it is left, nothing in a folder, and not the folder either, can be made, changed or renamed."""

    def refusing(call: Callable[..., Any], changes: Callable[..., bool]) -> Callable[..., Any]:
        def made(path: Any, *args: Any, **kwargs: Any) -> Any:
            inside = not isinstance(path, int) and Path(os.fsdecode(path)).is_relative_to(folder)
            if inside and changes(*args, **kwargs):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), os.fsdecode(path))
            return call(path, *args, **kwargs)

        return made

    def writes(flags: int, *_: Any, **__: Any) -> bool:
        return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))

    with pytest.MonkeyPatch.context() as patch:
        opened = refusing(open, lambda mode="r", *_, **__: bool(set(mode) & set("wxa+")))
        for module in (durable, fetching):
            patch.setattr(module, "open", opened, raising=False)
        patch.setattr(os, "open", refusing(os.open, writes))
        for name in ("mkdir", "replace", "rename", "unlink"):
            patch.setattr(os, name, refusing(getattr(os, name), lambda *_, **__: True))
        yield


def test_row_104_all_that_is_wanted_is_in_a_read_only_folder(here: Fetching, far: FakeHub) -> None:
    fetch(here)
    (here.weights / fetching.LOCK).unlink(missing_ok=True)
    before = {path: path.stat().st_mtime_ns for path in (here.weights, *here.weights.rglob("*"))}
    far.asked.clear()
    with read_only(here.weights):
        assert here.offer(PIDI).files == 0
        outcome, _ = fetch(here)
    assert (outcome.places, outcome.size, far.asked) == ((), 0, [])
    assert {path: path.stat().st_mtime_ns for path in (here.weights, *here.weights.rglob("*"))} == before


@pytest.mark.parametrize(
    ("closed", "is_there", "told"),
    [
        ("..", False, "weights"),
        (".", False, "weights"),
        (".", True, f"weights/{fetching.LOCK}"),
        ("annotators", True, "weights/annotators"),
    ],
)
def test_row_104_what_is_wanted_can_not_come_into_a_read_only_folder(
    closed: str, is_there: bool, told: str, here: Fetching, far: FakeHub, tmp_path: Path
) -> None:
    """It is named from the folder of the weights on: what is above that is nobody's business."""
    below = replace(here, weights=tmp_path / "somewhere" / "weights") if closed == ".." else here
    if is_there:
        below.weights.mkdir(parents=True)
    with read_only(Path(os.path.normpath(below.weights / closed))):
        error = refusal(below)
    assert (error.code.name, error.found.removesuffix("/lllyasviel--Annotators")) == ("DIR_READONLY", told)
    assert "Give the program write access" in error.message
    assert tmp_path.name not in error.message
    assert far.bodies() == []
    fetch(below)
    assert files(below) == {PLACE: BYTES}


# Several at once


def test_another_program_that_fetches_is_waited_for(here: Fetching, far: FakeHub) -> None:
    here.weights.mkdir()
    held, free = threading.Event(), threading.Event()

    def other() -> None:
        with FileLock(here.weights / fetching.LOCK):
            held.set()
            free.wait(recipes.LIMIT)

    program = threading.Thread(target=other)
    program.start()
    assert held.wait(recipes.LIMIT)
    run = here.run(PIDI)
    for _ in range(3):
        said = next(run)
        assert isinstance(said, Progress)
        assert said.stage == "checking"
    assert far.asked == []
    free.set()
    program.join()
    *_, outcome = run
    assert files(here) == {PLACE: BYTES}
    assert isinstance(outcome, Fetched)


@pytest.fixture
def engine(here: Fetching, tmp_path: Path) -> Iterator[Engine]:
    """An engine for any job, that fetches beside them."""
    book = JobBook({**KINDS, **kinds(tmp_path)}, tmp_path / "jobs.sqlite3")
    engine = Engine(ThreadHome(recipes.ready), book, beside={FETCH: ThreadHome(here)})
    engine.start()
    yield engine
    engine.close(patience=0)


def test_fetching_goes_on_beside_a_running_job(engine: Engine, here: Fetching, tmp_path: Path) -> None:
    running = engine.submit("gated", gate(tmp_path / "gate", 1))
    wait_for(lambda: engine.look(running).step == 1)
    job = last(engine, engine.submit("fetch", PIDI))
    assert (job.state, job.outcome.places) == ("done", (PLACE,))
    assert engine.look(running).state == "denoising"
    engine.cancel(running)
    (tmp_path / "gate" / "2").touch()


def test_ten_who_want_the_same_at_once_make_one_download(engine: Engine, far: FakeHub) -> None:
    far.fail(FILE, "holds", 1)
    ids: list[str] = []
    wanting = [
        threading.Thread(target=lambda: ids.append(engine.submit("fetch", PIDI, owner="somebody")))
        for _ in range(10)
    ]
    for one in wanting:
        one.start()
    for one in wanting:
        one.join()
    assert far.held.wait(recipes.LIMIT)
    late = engine.submit("fetch", PIDI, owner="who comes later")
    far.go.set()
    assert set(ids) == {late}
    assert last(engine, late).state == "done"
    assert len(far.bodies()) == 1


def test_ten_programs_at_once_make_one_download(here: Fetching, far: FakeHub) -> None:
    """Each has its own lock, as the page and nine commands in other terminals have."""
    far.fail(FILE, "holds", 1)
    outcomes: list[Fetched] = []
    programs = [threading.Thread(target=lambda: outcomes.append(fetch(here)[0])) for _ in range(10)]
    for program in programs:
        program.start()
    assert far.held.wait(recipes.LIMIT)
    far.go.set()
    for program in programs:
        program.join(recipes.LIMIT)
    assert sorted(len(outcome.places) for outcome in outcomes) == [0] * 9 + [1]
    assert len(far.bodies()) == 1
    assert files(here) == {PLACE: BYTES}


def test_a_cancelled_fetch_is_over_at_once_and_the_next_goes_on(
    engine: Engine, far: FakeHub, here: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "GLANCE", 0.0)
    far.fail(FILE, "holds", 1)
    job_id = engine.submit("fetch", PIDI)
    job = wait_for(lambda: (job := engine.look(job_id)).state == "fetching" and job.step and job)
    assert job.total == len(BYTES)
    engine.cancel(job_id)
    assert last(engine, job_id).state == "cancelled"
    far.go.set()
    assert last(engine, engine.submit("fetch", PIDI)).state == "done"
    assert files(here) == {PLACE: BYTES}
    # nothing comes twice; the cancelled one may have got all of it before it saw that it was
    assert all(later.range.startswith("bytes=") for later in far.bodies()[1:])


def test_a_fetch_that_fails_is_a_coded_error_and_the_next_works(engine: Engine, far: FakeHub) -> None:
    far.fail(FILE, "gated", 1)
    error = last(engine, engine.submit("fetch", PIDI)).error
    assert error is not None
    assert error.code.name == "HUB_GATED"
    assert last(engine, engine.submit("fetch", PIDI)).state == "done"


def test_a_fetch_is_read_back_from_the_book(engine: Engine, tmp_path: Path) -> None:
    job = last(engine, engine.submit("fetch", PIDI))
    engine.close(patience=1)
    book = JobBook(kinds(tmp_path), tmp_path / "jobs.sqlite3")
    again = book.get(job.id)
    assert (again.payload, again.outcome, again.state) == (PIDI, job.outcome, "done")
    book.close()


@pytest.mark.parametrize(("profile", "may"), [("local", True), ("lan", True), ("public", False)])
def test_nothing_is_fetched_for_the_public(
    profile: Profile, may: bool, here: Fetching, tmp_path: Path
) -> None:
    worker = Worker(weights=here.weights, outputs=tmp_path, device="cpu", family="pocket")
    engine = home.lasting_engine(worker, LIMITS[profile], in_process=True, fetching=here)
    if may:
        assert engine.look(engine.submit("fetch", PIDI)).state == "queued"
    else:
        with pytest.raises(AssertionError, match="somebody works on jobs of this kind"):
            engine.submit("fetch", PIDI)
    engine.close(patience=0)


# Whether it is still so


def test_verifying_reads_every_file_to_its_end(here: Fetching) -> None:
    fetch(here)
    fetch(here, BASE)
    entries = manifest.read(here.weights)
    assert {verdict for _, verdict in manifest.verify(here.weights, entries)} == {"ok"}
    (here.weights / PLACE).write_bytes(bytes([BYTES[0] ^ 1]) + BYTES[1:])
    (here.weights / "sd15/base/unet/config.json").write_bytes(b"short")
    (here.weights / "sd15/base/vae/config.json").unlink()
    found = dict(manifest.verify(here.weights, entries))
    assert {place: verdict for place, verdict in found.items() if verdict != "ok"} == {
        PLACE: "damaged",
        "sd15/base/unet/config.json": "damaged",
        "sd15/base/vae/config.json": "missing",
    }


# The table


def test_every_annotator_with_weights_and_every_control_can_be_fetched(tmp_path: Path) -> None:
    known = bundles.all_bundles(Store(tmp_path))
    assert {name for name, method in ANNOTATORS.items() if method.is_fetched} <= set(known)
    assert {f"sd15/{control.name}" for control in FAMILIES["sd15"].controls} <= set(known)
    assert not [name for name in known if name.startswith("pocket")]
    for bundle in known.values():
        assert bundle.missing == bundle.files != ()
        assert all(file.place.is_relative_to(tmp_path) and file.licence for file in bundle.files)
    places = tuple(file.place for file in known["openpose"].files)
    assert places == Store(tmp_path).annotator_files(ANNOTATORS["openpose"].weights)
    assert known["sd15/qr"].files[0].path == "v2/config.json"


def test_a_base_that_is_fetched_is_complete_only_when_all_of_it_is_there() -> None:
    """What the store asks for comes last: whoever finds it complete finds the small files too."""
    paths = list(FAMILIES["sd15"].base_files)
    asked = {name for names in BASE_FILES for name in names}
    assert all(any(name in paths for name in names) for names in BASE_FILES)
    assert paths[-1] in asked
    assert set(paths) - asked == {
        "model_index.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/special_tokens_map.json",
        "tokenizer/merges.txt",
    }


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (12_345_678, "12.3 MB"),
        (4_265_380_512, "4.27 GB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_a_size_has_three_digits_and_a_unit(size: int, words: str) -> None:
    assert in_words(size) == words
