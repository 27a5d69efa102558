"""The pages for people: their links lead somewhere, and what they say about commands and versions is so."""

import re
import subprocess
from pathlib import Path

import pytest

from annotators import ANNOTATORS
from models.catalogue import FAMILIES
from models.store import Store

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "weights" / "README.md")
    if path.is_file()
)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def links(text: str) -> list[str]:
    """The targets of a page's links and pictures, those to the web left out."""
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page.read_text("utf-8")):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), f"{link} has no such heading"


def test_links_are_found() -> None:
    assert links("[a](b.md#c) ![d](e.png) [f](https://g.example)") == ["b.md#c", "e.png"]
    assert anchors("# One, two\ntext\n## QR code\n") == {"one-two", "qr-code"}
    assert len(PAGES) > 10


@pytest.fixture(scope="module")
def front_matter() -> dict[str, str]:
    """The head of the README, which a Hugging Face Space reads."""
    head = (ROOT / "README.md").read_text("utf-8").split("---\n")[1]
    pairs = (line.partition(":") for line in head.splitlines() if not line.startswith(" "))
    return {key: value.strip().strip('"') for key, _, value in pairs}


def test_a_space_gets_the_pinned_gradio_and_a_python_that_fits(front_matter: dict[str, str]) -> None:
    assert f"gradio=={front_matter['sdk_version']}\n" in (ROOT / "constraints.txt").read_text("utf-8")
    assert front_matter["sdk"] == "gradio"
    assert re.fullmatch(r"3\.1[123](\.\d+)?", front_matter["python_version"])
    assert (ROOT / front_matter["app_file"]).is_file()
    assert front_matter["license"] == "apache-2.0"
    assert len(front_matter["short_description"]) <= 60


def test_the_lines_that_fetch_models_are_those_of_the_store(tmp_path: Path) -> None:
    """An empty folder lacks everything, so the store says how to get all of it."""
    page = (ROOT / "weights" / "README.md").read_text("utf-8")
    store = Store(tmp_path / "weights")
    for control in FAMILIES["sd15"].controls:
        commands = re.findall(
            r"\.venv/bin/hf download .+? --local-dir \S+", store.how_to_get("sd15", control.name)
        )
        assert len(commands) == 2
        assert [command for command in commands if command not in page.splitlines()] == []


def test_the_line_that_fetches_the_safety_checker_is_that_of_the_store(tmp_path: Path) -> None:
    page = (ROOT / "weights" / "README.md").read_text("utf-8").splitlines()
    (command,) = re.findall(
        r"\.venv/bin/hf download .+? --local-dir \S+", Store(tmp_path / "weights").how_to_get_safety()
    )
    assert command in page


def test_the_lines_that_fetch_annotators_are_those_of_the_store(tmp_path: Path) -> None:
    page = (ROOT / "weights" / "README.md").read_text("utf-8").splitlines()
    store = Store(tmp_path / "weights")
    for method in ANNOTATORS.values():
        if method.is_fetched:
            command = store.how_to_get_annotator(method.weights).removeprefix("Run ")
            assert command.removesuffix(" in the project's folder") in page


def test_the_readme_fetches_the_first_tab(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (names,) = re.findall(r"^\.venv/bin/python cli\.py weights get (.+)$", readme, re.MULTILINE)
    assert f"weights get {names} " in Store(tmp_path).how_to_get("sd15", "canny")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_make_commands_that_pages_name_exist(page: str) -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / page).read_text("utf-8"), re.MULTILINE))
    assert named
    for target in named:
        # -n prints what it would do, and does nothing
        answer = subprocess.run(
            ["make", "--no-print-directory", "-n", target],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert answer.returncode == 0, answer.stderr


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (declared,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    answer = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, timeout=20, check=True
    )
    assert {line.split()[1] for line in answer.stdout.splitlines()} == set(declared.split())


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_library_is_named_with_its_licence(file: str) -> None:
    page = (ROOT / "THIRD_PARTY.md").read_text("utf-8")
    lines = (ROOT / file).read_text("utf-8").splitlines()
    names = {re.split(r"[=<>]", line)[0] for line in lines if line and not line.startswith("#")}
    rows = {row.split("|")[1].strip() for row in page.splitlines() if row.startswith("| ")}
    assert names
    assert names <= rows


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text("utf-8")
    pages = {path.name for path in folder.glob("0*.md")}
    assert pages == set(re.findall(r"\]\((0\d{3}-[a-z-]+\.md)\)", index))


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
