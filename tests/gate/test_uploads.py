"""Only a file that was uploaded here is an upload. Row numbers are those of the list of bad inputs."""

import os
import re
import socket
from pathlib import Path

import pytest

from errors import FILE_TOO_LARGE, IMG_CORRUPT, IMG_EMPTY, INPUT_GONE, INPUT_SOURCE, ArmatureError, Code
from gate import LIMITS, painted_bytes, resolve_upload


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An upload folder with one file in it, beside a secret."""
    folder = tmp_path / "uploads"
    (folder / "3f2a").mkdir(parents=True)
    (folder / "3f2a" / "photo.png").write_bytes(b"picture")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return folder


def refusal(path: str, root: Path) -> ArmatureError:
    with pytest.raises(ArmatureError) as caught:
        resolve_upload(path, root)
    for part in (str(root), root.parent.name, "secret", "photo"):
        assert part not in caught.value.message, "a message names no path"
    return caught.value


def test_an_upload_by_its_full_and_its_relative_path(root: Path) -> None:
    file = root / "3f2a" / "photo.png"
    assert resolve_upload(str(file), root) == file.resolve()
    assert resolve_upload("3f2a/photo.png", root) == file.resolve()
    assert resolve_upload("3f2a/../3f2a/./photo.png", root) == file.resolve()


def test_the_folder_itself_may_be_reached_by_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "shortcut").symlink_to(root)
    file = tmp_path / "shortcut" / "3f2a" / "photo.png"
    assert resolve_upload(str(file), tmp_path / "shortcut").read_bytes() == b"picture"
    assert resolve_upload(str(file), root).read_bytes() == b"picture"


ADDRESSES = [
    "http://127.0.0.1:{port}/a.png",
    "HTTPS://127.0.0.1:{port}/a.png",
    " http://127.0.0.1:{port}/a.png",
    "ftp://127.0.0.1:{port}/a.png",
    "data:image/png;base64,iVBORw0KGgo=",
    "file:///etc/passwd",
    "file:3f2a/photo.png",
    "gopher://127.0.0.1:{port}/_",
    "s3://bucket/key",
    "javascript:alert(1)",
    "\\\\127.0.0.1\\share\\a.png",
    "//127.0.0.1/share/a.png",
    "\\\\?\\UNC\\127.0.0.1\\share\\a.png",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_rows_47_and_48_an_address_is_refused_and_nothing_is_fetched(address: str, root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        refused = refusal(address.format(port=server.getsockname()[1]), root)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert refused.code is INPUT_SOURCE
    assert refused.found == "an address"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "3f2a/../../secret.txt",
        "{outside}",
        "//{outside}",
        "/etc/passwd",
        "/proc/self/environ",
        "..",
        "/",
        "{root}/../secret.txt",
        "{root}-other/photo.png",
    ],
)
def test_a_path_out_of_the_folder_is_refused_there_or_not(path: str, root: Path) -> None:
    outside = root.parent / "secret.txt"
    named = path.format(outside=outside, root=root)
    assert refusal(named, root).code is INPUT_SOURCE
    outside.unlink()
    assert refusal(named, root).code is INPUT_SOURCE


def test_links_are_refused_wherever_they_lead(root: Path) -> None:
    (root / "out.png").symlink_to(root.parent / "secret.txt")
    (root / "in.png").symlink_to(root / "3f2a" / "photo.png")
    (root / "nowhere.png").symlink_to(root / "gone.png")
    (root / "away").symlink_to(root.parent)
    (root / "circle.png").symlink_to(root / "circle.png")
    for name in ("out.png", "in.png", "nowhere.png", "away/secret.txt", "circle.png"):
        assert refusal(name, root).code is INPUT_SOURCE, name


@pytest.mark.parametrize(
    "name",
    [
        "gone.png",
        "3f2a",
        "",
        "x" * 400 + ".png",
        "3f2a/photo.png/more",
        "a\0b.png",
        "%2e%2e/secret.txt",
        "..\\secret.txt",
        "\ud800.png",
        "☃ \u202egnp.exe",
        "CON",
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="these names mean other things there")
def test_rows_46_and_50_names_of_nothing(name: str, root: Path) -> None:
    refused = refusal(name, root)
    assert refused.code is INPUT_GONE
    assert re.search("upload it again", refused.message, re.IGNORECASE)


def test_row_50_deleted_in_between(root: Path) -> None:
    file = root / "3f2a" / "photo.png"
    file.unlink()
    assert refusal(str(file), root).code is INPUT_GONE


def test_what_was_painted_is_the_bytes_of_its_file() -> None:
    assert painted_bytes("data:image/png;base64,iVBORw==", LIMITS["public"]) == b"\x89PNG"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (None, INPUT_SOURCE),
        (["data:image/png;base64,iVBORw=="], INPUT_SOURCE),
        ("https://armature.example/mask.png", INPUT_SOURCE),
        ("data:image/svg+xml;base64,iVBORw==", INPUT_SOURCE),
        ("data:image/png;base64,iVBORw", IMG_CORRUPT),
        ("data:image/png;base64,iV BO Rw==", IMG_CORRUPT),
        ("data:image/png;base64,\u00e9\u00e9\u00e9\u00e9", IMG_CORRUPT),
        ("data:image/png;base64,", IMG_EMPTY),
        ("data:image/png;base64," + "A" * 28_000_000, FILE_TOO_LARGE),
    ],
    ids=["nothing", "a list", "an address", "another kind", "cut", "spaces", "letters", "empty", "too large"],
)
def test_what_was_not_painted_here_is_refused(given: object, code: Code) -> None:
    with pytest.raises(ArmatureError) as refused:
        painted_bytes(given, LIMITS["public"])
    assert refused.value.code is code
