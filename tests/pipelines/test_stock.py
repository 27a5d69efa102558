"""Taking stock: what is here by the disk, what can be had by the tables, and what is of no use in words."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotators import ANNOTATORS
from conditions import CONDITIONS
from models.hub import Hub
from models.store import Store
from pipelines import bundles, manifest
from pipelines.fetching import Fetching
from pipelines.own_stock import PLACES
from pipelines.request.fetching import FetchRequest
from pipelines.request.stock import Item, OwnFile, Stock
from pipelines.stock import take_stock
from tests.fake_hub import FakeHub, content_of, fake_hub
from tests.models import made_files

NAME, REPO, FILE = "softedge_pidi", "lllyasviel/Annotators", "table5_pidinet.pth"
BYTES = bytes(range(256)) * 400


@pytest.fixture
def far() -> Iterator[FakeHub]:
    with fake_hub() as hub:
        hub.add(REPO, FILE, BYTES)
        yield hub


@pytest.fixture
def here(tmp_path: Path) -> Store:
    return Store(tmp_path / "weights")


def fetching(far: FakeHub, here: Store) -> Fetching:
    return Fetching(weights=here.weights, hub=Hub(endpoint=far.url, pauses=(0.0,)))


def item(stock: Stock, name: str) -> Item:
    """The one item that is fetched under a name."""
    (found,) = (item for group in stock.groups for item in group.items if item.name == name)
    return found


def own(store: Store) -> dict[str, OwnFile]:
    return {file.place: file for file in take_stock(store).own}


def test_everything_that_can_be_had_is_there_once_with_its_size_and_licence(here: Store) -> None:
    stock = take_stock(here)
    names = [item.name for group in stock.groups for item in group.items if item.name]
    known = bundles.all_bundles(here)
    assert len(set(names)) == len(names)
    assert set(names) <= set(known)
    files = {file for name in names for file in known[name].files}
    assert files == {file for bundle in known.values() for file in bundle.files}
    for group in stock.groups:
        for one in group.items:
            assert not one.whole
            assert not one.removable
            assert one.here == 0
            if one.name:
                assert one.size > 0
                assert all(licence for _, licence in one.sources)


def test_annotators_that_share_their_files_are_one_item(here: Store) -> None:
    found = item(take_stock(here), NAME)
    sharing = [method.label for method in ANNOTATORS.values() if method.weights == ANNOTATORS[NAME].weights]
    assert len(sharing) > 1
    assert found.title == " · ".join(sharing)
    assert found.sources == ((REPO, "for research only"),)


def test_a_control_is_called_after_the_tabs_that_it_serves(here: Store) -> None:
    stock = take_stock(here)
    for condition in CONDITIONS.values():
        assert condition.title in item(stock, f"sd15/{condition.controls['sd15']}").title.split(", ")


def test_what_comes_with_the_program_is_here_and_not_to_be_removed(store: Store) -> None:
    pocket = take_stock(store).groups[0]
    base, canny = pocket.items[:2]
    assert (base.name, base.title, base.whole, base.removable) == ("", "Base", True, False)
    assert base.here == sum(path.stat().st_size for path in store.base("pocket").rglob("*") if path.is_file())
    assert canny.title.split(", ")[0] == CONDITIONS["canny"].title
    assert (canny.whole, pocket.items[2].whole) == (True, False)


def test_it_follows_what_is_fetched_paused_and_removed(here: Store, far: FakeHub) -> None:
    ways = fetching(far, here)
    run = ways.run(FetchRequest(names=(NAME,)))
    far.fail(FILE, "holds", 1)
    for progress in run:
        if getattr(progress, "stage", "") == "fetching" and progress.step:  # type: ignore[union-attr]
            break
    run.close()  # type: ignore[attr-defined]
    far.go.set()
    paused = item(take_stock(here), NAME)
    assert 0 < paused.here < len(BYTES)
    assert (paused.whole, paused.removable) == (False, True)

    list(ways.run(FetchRequest(names=(NAME,))))
    fetched = item(take_stock(here), NAME)
    assert (fetched.here, fetched.whole, fetched.removable) == (len(BYTES), True, True)

    list(ways.run(FetchRequest(names=(NAME,), discard=True)))
    gone = item(take_stock(here), NAME)
    assert (gone.here, gone.whole, gone.removable) == (0, False, False)


def test_what_somebody_put_there_by_hand_is_not_ours_to_remove(here: Store) -> None:
    (place,) = here.annotator_files(ANNOTATORS[NAME].weights)
    place.parent.mkdir(parents=True)
    place.write_bytes(BYTES)
    found = item(take_stock(here), NAME)
    assert (found.whole, found.removable, found.here) == (True, False, len(BYTES))


def test_row_76_what_is_damaged_is_named_and_not_whole(here: Store) -> None:
    files = {file.path: file.place for file in bundles.all_bundles(here)["sd15"].files}
    for path, place in files.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content_of(path))
    assert (item(take_stock(here), "sd15").whole, item(take_stock(here), "sd15").trouble) == (True, "")
    cut = [path for path in files if path.endswith(".safetensors")]
    for path in cut:
        os.truncate(files[path], files[path].stat().st_size - 4)
    found = item(take_stock(here), "sd15")
    assert not found.whole
    assert f"{files[cut[0]].name} is cut off (found: " in found.trouble
    assert found.trouble.endswith(f"Fetch the file again. Also damaged: {', '.join(cut[1:])}.")


def test_the_disk_is_counted_by_folder_the_largest_first(here: Store) -> None:
    assert (take_stock(here).folders, take_stock(here).used) == ((), 0)
    for name, size in (("loras", 10), ("sd15", 300), ("empty", 0)):
        (here.weights / name / "deep").mkdir(parents=True)
        (here.weights / name / "deep" / "a").write_bytes(bytes(size))
    (here.weights / "loras" / "linked").symlink_to(here.weights / "sd15" / "deep" / "a")
    stock = take_stock(here)
    link = (here.weights / "loras" / "linked").lstat().st_size
    assert stock.folders == (("sd15", 300), ("loras", 10 + link))
    assert stock.used == 310 + link
    disk = shutil.disk_usage(here.weights)
    assert stock.total == disk.total
    assert 0 < stock.free <= disk.total


def test_a_list_of_what_was_fetched_that_can_not_be_read_is_said_and_hides_nothing(here: Store) -> None:
    here.weights.mkdir()
    (here.weights / manifest.NAME).write_text("{")
    stock = take_stock(here)
    assert manifest.NAME in stock.trouble
    assert len(stock.groups) == 3


def test_files_of_ones_own_are_told_by_their_header(here: Store) -> None:
    made_files.write(here.weights / "loras" / "ink.safetensors", made_files.kohya(768))
    made_files.write(here.weights / "bases" / "mine.safetensors", made_files.checkpoint())
    made_files.write(here.weights / "vaes" / "soft.safetensors", made_files.vae()[1])
    made_files.write(here.weights / "embeddings" / "style.safetensors", {"emb_params": (4, 768)})
    made_files.write(here.weights / "controls" / "canny" / "lines.safetensors", made_files.control()[1])
    found = own(here)
    assert {place: (file.what, file.refusal) for place, file in found.items()} == {
        "bases/mine.safetensors": ("a checkpoint: a whole base in one file for Stable Diffusion 1.5", ""),
        "controls/canny/lines.safetensors": ("a ControlNet for Stable Diffusion 1.5", ""),
        "embeddings/style.safetensors": ("a textual inversion for Stable Diffusion 1.5", ""),
        "loras/ink.safetensors": ("a LoRA for Stable Diffusion 1.5", ""),
        "vaes/soft.safetensors": ("a VAE for Stable Diffusion 1.5, 2 and XL alike", ""),
    }
    assert found["vaes/soft.safetensors"].size > 10**6


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.folder)
def test_a_file_of_another_kind_is_refused_in_every_place(place: object, here: Store) -> None:
    folder = place.folder  # type: ignore[attr-defined]
    wrong = made_files.vae()[1] if folder != "vaes" else made_files.kohya(768)
    inside = "controls/canny" if folder == "controls" else folder
    made_files.write(here.weights / inside / "odd.safetensors", wrong)
    (file,) = own(here).values()
    assert "MODEL_ARCH" not in file.refusal, "words, and not a code"
    assert f"odd.safetensors is not {place.title}" in file.refusal  # type: ignore[attr-defined]
    assert f"Put it into weights/{'loras' if folder == 'vaes' else 'vaes'}" in file.refusal


def test_what_was_made_for_another_base_says_for_which(here: Store) -> None:
    made_files.write(here.weights / "loras" / "xl.safetensors", made_files.kohya(2048))
    made_files.write(here.weights / "bases" / "two.safetensors", made_files.checkpoint(1024))
    found = own(here)
    assert "was made for Stable Diffusion XL" in found["loras/xl.safetensors"].refusal
    assert "Stable Diffusion 2" in found["bases/two.safetensors"].refusal


def test_what_lies_where_no_tab_looks_says_where_to_put_it(here: Store) -> None:
    made_files.write(here.weights / "controls" / "lines.safetensors", made_files.control()[1])
    (file,) = own(here).values()
    assert "lies where no tab looks" in file.refusal
    assert "weights/controls/canny" in file.refusal


def test_what_is_no_model_at_all_is_refused_and_hides_nothing(here: Store) -> None:
    folder = here.weights / "loras"
    folder.mkdir(parents=True)
    (folder / "page.safetensors").write_bytes(b"<!doctype html><html>Please log in</html>")
    (folder / "empty.safetensors").write_bytes(b"")
    (folder / "nothing").mkdir()
    made_files.write(folder / "ink.safetensors", made_files.kohya(768))
    found = own(here)
    assert "is a web page" in found["loras/page.safetensors"].refusal
    assert found["loras/page.safetensors"].size == 41
    assert found["loras/empty.safetensors"].refusal
    assert found["loras/nothing"].refusal
    assert found["loras/ink.safetensors"].refusal == ""


def test_pictures_and_notes_beside_a_model_are_no_files_of_their_own(here: Store) -> None:
    folder = here.weights / "loras"
    made_files.write(folder / "ink.safetensors", made_files.kohya(768))
    for name in ("ink.png", "ink.preview.JPG", "ink.civitai.info", ".hidden", "new.safetensors.tmp-1"):
        (folder / name).write_bytes(b"x")
    (folder / "alone.json").write_text(json.dumps({}))
    found = set(own(here))
    assert {"loras/ink.safetensors", "loras/alone.json"} <= found
    assert found.isdisjoint({"loras/ink.png", "loras/ink.preview.JPG", "loras/ink.civitai.info"})
    assert found.isdisjoint({"loras/.hidden", "loras/new.safetensors.tmp-1"})


def test_a_file_that_changes_is_looked_at_again(here: Store) -> None:
    path = made_files.write(here.weights / "loras" / "ink.safetensors", made_files.kohya(2048))
    assert own(here)["loras/ink.safetensors"].refusal
    made_files.write(path, made_files.kohya(768))
    os.utime(path, (1, 1))
    assert own(here)["loras/ink.safetensors"].refusal == ""
    path.unlink()
    assert own(here) == {}


def test_what_could_not_be_chosen_is_not_shown_as_fit(here: Store, tmp_path: Path) -> None:
    """The tab asks as the choice itself does: a base for inpainting, a control of no RGB map, a link away."""
    made_files.write(here.weights / "bases" / "hole.safetensors", made_files.checkpoint(channels=9))
    canny = here.weights / "controls" / "canny"
    made_files.write(canny / "five.safetensors", made_files.control(hint=5)[1])
    away = made_files.write(tmp_path / "away.safetensors", made_files.control()[1])
    (canny / "away.safetensors").symlink_to(away)
    found = own(here)
    assert "can't paint here" in found["bases/hole.safetensors"].refusal
    assert "follows another kind of map" in found["controls/canny/five.safetensors"].refusal
    assert "leads out of the folder of models" in found["controls/canny/away.safetensors"].refusal
