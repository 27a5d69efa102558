"""Where files are, what is missing, and what is said about it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from errors import ArmatureError
from models.catalogue import FAMILIES, Weight
from models.layout import BASE_FILES, CONTROL_FILES
from models.store import Store

ROOT = Path(__file__).parents[2]


def fill(folder: Path, wanted: tuple[tuple[str, ...], ...], choice: int = 0) -> None:
    """Put a small file under the first, or the last, name of each wanted file."""
    for names in wanted:
        path = folder / names[choice]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")


def test_the_tiny_family_is_complete(store: Store) -> None:
    assert store.missing("pocket", "lines") == ()
    assert store.has("pocket", "lines")
    assert store.how_to_get("pocket", "lines") == ""
    store.require("pocket", "lines")


def test_an_empty_folder_lacks_everything(tmp_path: Path) -> None:
    store = Store(tmp_path / "weights")
    assert len(store.missing("sd15")) == len(BASE_FILES)
    assert len(store.missing("sd15", "canny")) == len(BASE_FILES) + len(CONTROL_FILES)
    assert store.size("sd15") == store.size("sd15", "canny") == 0


def test_the_commands_of_the_hub_are_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "weights")
    with pytest.raises(ArmatureError) as refusal:
        store.require("sd15", "canny")
    assert refusal.value.code.name == "MODEL_MISSING"
    message = refusal.value.message
    assert ".venv/bin/hf download stable-diffusion-v1-5/stable-diffusion-v1-5 " in message
    assert "--local-dir weights/sd15/base && " in message
    assert (
        ".venv/bin/hf download lllyasviel/control_v11p_sd15_canny config.json "
        "diffusion_pytorch_model.safetensors --local-dir weights/sd15/controls/canny." in message
    )
    assert "Run .venv/bin/python cli.py weights get sd15 sd15/canny in the project's folder, or" in message
    assert str(tmp_path) not in message


def test_only_what_is_missing_is_fetched(tmp_path: Path) -> None:
    store = Store(tmp_path)
    fill(store.base("sd15"), BASE_FILES)
    assert store.has("sd15")
    assert "stable-diffusion-v1-5" not in store.how_to_get("sd15", "canny")
    assert "control_v11p_sd15_canny" in store.how_to_get("sd15", "canny")
    fill(store.control("sd15", "canny"), CONTROL_FILES)
    assert store.has("sd15", "canny")
    assert not store.has("sd15", "depth")


def test_a_control_in_a_subfolder_of_its_repository_is_found_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.control("sd15", "qr") == tmp_path / "sd15" / "controls" / "qr" / "v2"
    assert " v2/config.json v2/diffusion_pytorch_model.safetensors " in store.how_to_get("sd15", "qr")


def test_half_precision_files_count(tmp_path: Path) -> None:
    store = Store(tmp_path)
    fill(store.base("sd15"), BASE_FILES, choice=-1)
    fill(store.control("sd15", "canny"), CONTROL_FILES, choice=-1)
    assert store.has("sd15", "canny")
    assert store.size("sd15") == 15
    assert store.size("sd15", "canny") == 5


def test_a_family_may_have_a_tiny_autoencoder(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert not store.has_preview("sd15")
    fill(store.preview("sd15"), CONTROL_FILES)
    assert store.preview("sd15") == tmp_path / "sd15" / "preview"
    assert store.has_preview("sd15")
    assert not store.has("sd15"), "it is no part of what a family needs"


def test_a_family_that_can_not_be_fetched_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArmatureError, match="not part of this checkout"):
        Store(tmp_path).require("pocket", "lines")


def test_every_control_of_every_family_has_a_way(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for family in FAMILIES.values():
        for control in family.controls:
            assert store.how_to_get(family.name, control.name)


def test_the_noise_schedule_is_read_without_torch(store: Store, tmp_path: Path) -> None:
    assert store.scheduler_config("pocket")["steps_offset"] == 1
    script = f"""
import sys
from pathlib import Path
from models.store import Store
store = Store(Path({str(store.weights)!r}))
assert store.scheduler_config("pocket") and store.has("pocket", "lines") and store.size("pocket")
import pipelines.request, pipelines.engine, pipelines.jobs, pipelines.schedulers, pipelines.pictures
heavy = {{"torch", "diffusers", "transformers"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff\xfe"])
def test_a_broken_noise_schedule_is_refused(text: str, store: Store, tmp_path: Path) -> None:
    copy = Store(tmp_path)
    shutil.copytree(store.base("pocket"), copy.base("pocket"))
    (copy.base("pocket") / "scheduler" / "scheduler_config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ArmatureError) as refusal:
        copy.scheduler_config("pocket")
    assert refusal.value.code.name == "MODEL_CORRUPT"


def test_a_missing_noise_schedule_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArmatureError) as refusal:
        Store(tmp_path).scheduler_config("pocket")
    assert refusal.value.code.name == "MODEL_MISSING"


def test_the_files_on_disk_are_what_diffusers_writes(store: Store) -> None:
    index = json.loads((store.base("pocket") / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionPipeline"


POSE = tuple(Weight(repo="a/b", file=file) for file in ("body.pth", "hand.pth"))


def test_the_files_of_an_annotator_lie_under_the_name_of_their_repository(tmp_path: Path) -> None:
    store = Store(tmp_path / "weights")
    body, hand = store.annotator_files(POSE)
    assert body == tmp_path / "weights" / "annotators" / "a--b" / "body.pth"
    fill(body.parent, (("body.pth",),))
    assert store.annotator_missing(POSE) == ("annotators/a--b/hand.pth",)
    with pytest.raises(ArmatureError) as refusal:
        store.require_annotator("Pose", POSE)
    assert refusal.value.message == (
        "Pose has not all of its weights here (found: no weights/annotators/a--b/hand.pth). "
        "Run .venv/bin/hf download a/b hand.pth --local-dir weights/annotators/a--b in the project's folder."
    )
    assert store.how_to_get_annotator(POSE, "pose").startswith(
        "Run .venv/bin/python cli.py weights get pose in the project's folder, or there .venv/bin/hf download"
    )
    fill(hand.parent, (("hand.pth",),))
    assert store.require_annotator("Pose", POSE) == (body, hand)
    assert store.how_to_get_annotator(POSE) == ""


def test_what_comes_with_the_program_is_never_fetched(tmp_path: Path) -> None:
    store = Store(tmp_path / "weights")
    shipped = (Weight(subfolder="pocket/annotators", file="heads.safetensors"),)
    assert store.annotator_files(shipped) == (
        tmp_path / "weights" / "pocket" / "annotators" / "heads.safetensors",
    )
    assert store.annotator_wanted(shipped) == ()
    assert store.how_to_get_annotator(shipped, "pocket_depth") == (
        "weights/pocket/annotators is not part of this checkout: choose another"
    )


def test_files_of_two_repositories_are_fetched_by_two_commands(tmp_path: Path) -> None:
    weights = (*POSE, Weight(repo="c/d", subfolder="e", file="f.bin"))
    text = Store(tmp_path).how_to_get_annotator(weights)
    assert "hf download a/b body.pth hand.pth --local-dir " in text
    assert " && .venv/bin/hf download c/d e/f.bin --local-dir " in text
