"""The tables themselves: that every entry fits the others, says what it must, and costs nothing to read."""

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest

from annotators import ANNOTATORS
from annotators.base import Annotator
from conditions import CONDITIONS, Agreement, Condition, MapResize, Need, Polarity
from errors import CODES, FOREIGN
from models.catalogue import FAMILIES, Family
from params import Param
from pipelines.request import controls
from pipelines.schedulers import SCHEDULERS
from scripts import docs

ROOT = Path(__file__).parents[1]
NAMES = (
    "canny softedge mlsd scribble lineart lineart_anime openpose depth normal seg "
    "shuffle ip2p inpaint tile qr"
).split()

# As lllyasviel's own apps and monster-labs name them on the Hub: written here once more, to be held against.
SD15_REPOSITORIES = {
    "canny": "lllyasviel/control_v11p_sd15_canny",
    "softedge": "lllyasviel/control_v11p_sd15_softedge",
    "mlsd": "lllyasviel/control_v11p_sd15_mlsd",
    "scribble": "lllyasviel/control_v11p_sd15_scribble",
    "lineart": "lllyasviel/control_v11p_sd15_lineart",
    "lineart_anime": "lllyasviel/control_v11p_sd15s2_lineart_anime",
    "openpose": "lllyasviel/control_v11p_sd15_openpose",
    "depth": "lllyasviel/control_v11f1p_sd15_depth",
    "normal": "lllyasviel/control_v11p_sd15_normalbae",
    "seg": "lllyasviel/control_v11p_sd15_seg",
    "shuffle": "lllyasviel/control_v11e_sd15_shuffle",
    "ip2p": "lllyasviel/control_v11e_sd15_ip2p",
    "inpaint": "lllyasviel/control_v11p_sd15_inpaint",
    "tile": "lllyasviel/control_v11f1e_sd15_tile",
    "qr": "monster-labs/control_v1p_sd15_qrcode_monster",
}

REQUEST_PARAMS = tuple(value for value in vars(controls).values() if isinstance(value, Param))
PARAMS = [
    *(pytest.param(param, id=f"{a.name}-{param.name}") for a in ANNOTATORS.values() for param in a.params),
    *(pytest.param(param, id=f"request-{param.name}") for param in REQUEST_PARAMS),
]
every_condition = pytest.mark.parametrize("condition", CONDITIONS.values(), ids=lambda c: c.name)
every_annotator = pytest.mark.parametrize("annotator", ANNOTATORS.values(), ids=lambda a: a.name)
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda f: f.name)
every_param = pytest.mark.parametrize("param", PARAMS)


def is_one_sentence(text: str) -> bool:
    """Whether the text begins large, ends with a full stop and has none before."""
    return bool(re.fullmatch(r"[^a-z\s][^.!?]*(?:[.!?](?! )[^.!?]*)*[.!?]", text)) and text == text.strip()


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Keeps every edge.", True),
        ("“auto” keeps the shape; or 768x512.", True),
        ("From 0.5 to 1, such as “make it snow”.", True),
        ("keeps every edge.", False),
        ("Keeps every edge", False),
        ("Keeps every edge. And more.", False),
        ("", False),
    ],
)
def test_what_a_sentence_is(text: str, answer: bool) -> None:
    assert is_one_sentence(text) is answer


def test_the_fifteen_conditions_have_their_names() -> None:
    assert list(CONDITIONS) == NAMES


@pytest.mark.parametrize("table", [CONDITIONS, ANNOTATORS, FAMILIES, SCHEDULERS, CODES])
def test_an_entry_is_found_under_its_own_name(table: Mapping[str, object]) -> None:
    assert table
    assert [getattr(entry, "name", None) for entry in table.values()] == list(table)


@pytest.mark.parametrize(
    ("file", "name", "table"),
    [
        ("conditions.py", "CONDITIONS", CONDITIONS),
        ("annotators/__init__.py", "ANNOTATORS", ANNOTATORS),
        ("models/catalogue.py", "FAMILIES", FAMILIES),
        ("pipelines/schedulers.py", "SCHEDULERS", SCHEDULERS),
    ],
)
def test_no_name_is_given_twice(file: str, name: str, table: Mapping[str, object]) -> None:
    """A table would hide it, so the entries are counted where they are listed."""
    assignments = [
        n for n in ast.parse((ROOT / file).read_text("utf-8")).body if isinstance(n, ast.AnnAssign)
    ]
    (value,) = (node.value for node in assignments if ast.unparse(node.target) == name)
    assert isinstance(value, ast.DictComp)
    listed = value.generators[0].iter
    assert isinstance(listed, ast.Tuple)
    assert len(listed.elts) == len(table)


def test_every_annotator_file_is_in_the_table() -> None:
    paths = (ROOT / "annotators").glob("*.py")
    files = {path.stem for path in paths if re.search(r"^\w+ = Annotator\(", path.read_text("utf-8"), re.M)}
    assert len(files) > 1
    assert files <= {annotator.run.__module__.split(".")[-1] for annotator in ANNOTATORS.values()}


@every_condition
def test_a_condition_fits_the_other_tables(condition: Condition) -> None:
    assert condition.annotators
    assert len(set(condition.annotators)) == len(condition.annotators)
    assert set(condition.annotators) <= set(ANNOTATORS)
    assert "sd15" in condition.controls
    for family, control in condition.controls.items():
        assert FAMILIES[family].control(control) is not None, f"{family} has no control {control}"


@every_condition
def test_a_condition_takes_its_words_from_the_lists(condition: Condition) -> None:
    assert condition.polarity in get_args(Polarity)
    assert condition.resize in get_args(MapResize)
    assert condition.needs in get_args(Need)
    assert condition.agreement in get_args(Agreement)


@every_condition
def test_a_condition_takes_a_map_of_ones_own(condition: Condition) -> None:
    assert "none" in condition.annotators or condition.needs == "canvas"


def test_titles_and_labels_are_unique() -> None:
    for texts in (
        [condition.title for condition in CONDITIONS.values()],
        [annotator.label for annotator in ANNOTATORS.values()],
        [family.title for family in FAMILIES.values()],
        [scheduler.label for scheduler in SCHEDULERS.values()],
    ):
        assert all(texts)
        assert len(set(texts)) == len(texts)


@every_condition
def test_a_condition_is_explained_in_a_sentence(condition: Condition) -> None:
    assert is_one_sentence(condition.help)


@every_annotator
def test_an_annotator_is_explained_in_a_sentence(annotator: Annotator) -> None:
    assert is_one_sentence(annotator.help)


@every_family
def test_a_family_is_explained_in_a_sentence(family: Family) -> None:
    assert is_one_sentence(family.help)


@every_param
def test_a_param_is_explained_in_a_sentence(param: Param) -> None:
    assert is_one_sentence(param.help)
    assert param.label
    assert param.label[0].isupper()


@every_param
def test_a_default_is_within_its_bounds(param: Param) -> None:
    assert param.check(param.default) == param.default
    if param.minimum is not None and param.maximum is not None:
        assert isinstance(param.default, int | float)
        assert param.minimum <= param.default <= param.maximum
    if param.choices:
        assert len(set(param.choices)) == len(param.choices)


@every_param
def test_a_default_is_on_a_step(param: Param) -> None:
    """Otherwise the slider would change the value as soon as it is touched."""
    if param.step is not None:
        assert param.minimum is not None
        assert isinstance(param.default, int | float)
        steps = (param.default - param.minimum) / param.step
        assert steps == pytest.approx(round(steps))


@every_annotator
def test_params_are_the_arguments_of_run(annotator: Annotator) -> None:
    arguments = inspect.signature(annotator.run).parameters.values()
    by_name = [argument for argument in arguments if argument.kind is argument.KEYWORD_ONLY]
    by_place = [argument for argument in arguments if argument.kind is argument.POSITIONAL_OR_KEYWORD]
    assert len(by_place) == 2, "the source and the network, and the rest by name"
    assert len(by_place) + len(by_name) == len(arguments), "no *args, no **kwargs"
    assert [argument.name for argument in by_name] == [param.name for param in annotator.params]
    assert all(argument.default is argument.empty for argument in by_name), "defaults are declared once"


@every_family
def test_sizes_of_a_family_go_together(family: Family) -> None:
    assert 0 < family.smallest <= family.side <= family.largest
    assert all(side % family.multiple == 0 for side in (family.smallest, family.side, family.largest))
    names = [control.name for control in family.controls]
    assert len(set(names)) == len(names)


def test_every_control_of_a_family_serves_a_condition() -> None:
    for family in FAMILIES.values():
        served = {condition.controls.get(family.name) for condition in CONDITIONS.values()}
        assert {control.name for control in family.controls} == served - {None}


def test_sd15_comes_from_the_repositories_of_its_authors() -> None:
    found = {}
    for name, condition in CONDITIONS.items():
        weight = condition.control("sd15").weight
        assert weight is not None
        found[name] = weight.repo
    assert found == SD15_REPOSITORIES
    qr = CONDITIONS["qr"].control("sd15").weight
    assert qr is not None
    assert qr.subfolder == "v2"
    base = FAMILIES["sd15"].base
    assert base is not None
    assert base.repo == "stable-diffusion-v1-5/stable-diffusion-v1-5"


def test_everything_from_the_hub_names_its_licence() -> None:
    weights = [weight for annotator in ANNOTATORS.values() for weight in annotator.weights]
    weights += [c.weight for family in FAMILIES.values() for c in family.controls if c.weight]
    weights += [family.base for family in FAMILIES.values() if family.base]
    assert weights
    assert [weight.repo for weight in weights if not weight.licence] == []


ENTRIES = [
    *(CONDITIONS["canny"], ANNOTATORS["canny"], ANNOTATORS["canny"].params[0]),
    *(FAMILIES["sd15"], FAMILIES["sd15"].controls[0], FAMILIES["sd15"].controls[0].weight),
    *(SCHEDULERS["unipc"], CODES["IMG_EMPTY"], FOREIGN[0]),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_an_entry_can_not_be_changed(entry: object) -> None:
    assert dataclasses.is_dataclass(entry)
    for field in dataclasses.fields(entry):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(entry, field.name, None)
        assert not isinstance(getattr(entry, field.name), list | set), f"{field.name} can be changed in place"


@every_condition
def test_the_controls_of_a_condition_can_not_be_changed(condition: Condition) -> None:
    with pytest.raises(TypeError):
        condition.controls["sd15"] = "canny"  # type: ignore[index]


@pytest.mark.parametrize(
    "modules",
    [
        "conditions",
        "annotators",
        "models.catalogue",
        "pipelines.request.intake, pipelines.engine",
        "pipelines.folders",
        "settings",
    ],
)
def test_reading_the_tables_imports_nothing_big(modules: str) -> None:
    """A fresh Python, so that nothing is there from another test."""
    program = f"import sys, {modules}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert modules.split(",")[0] in loaded
    big = {"torch", "torchvision", "diffusers", "transformers", "gradio", "controlnet_aux", "timm", "scipy"}
    assert big.isdisjoint(loaded)


@pytest.mark.parametrize("path", docs.PAGES, ids=lambda path: path.name)
def test_generated_docs_are_as_the_tables_have_it(path: Path) -> None:
    assert path.read_text("utf-8") == docs.PAGES[path](), "run make docs"


def test_the_docs_know_every_word_of_the_tables() -> None:
    assert set(docs.POLARITIES) == set(get_args(Polarity))
    assert set(docs.RESIZES) == set(get_args(MapResize))
    assert set(docs.NEEDS) == set(get_args(Need))
    assert set(docs.AGREEMENTS) == set(get_args(Agreement))


def test_the_docs_name_everything() -> None:
    page = docs.conditions_page()
    for condition in CONDITIONS.values():
        assert f"\n## {condition.title}\n" in page
        assert f"](#{condition.title.lower().replace(' ', '-')})" in page
    for annotator in ANNOTATORS.values():
        assert f"`{annotator.name}`" in page
        assert all(f"`{param.name}`" in page and param.help in page for param in annotator.params)
    for repository in SD15_REPOSITORIES.values():
        assert f"`{repository}`" in page


def test_checking_the_docs_tells_a_stale_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    monkeypatch.setattr(docs, "PAGES", {page: lambda: "new"})
    page.write_text("old")
    assert docs.main(["--check"]) == 1
    assert "page.md is not as the tables have it" in capsys.readouterr().err
    assert docs.main([]) == 0
    assert page.read_text() == "new"
    assert docs.main(["--check"]) == 0
