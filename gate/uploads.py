"""Files that somebody names: inside their folder, plain, and of a bearable size before they are read."""

import base64
import binascii
import re
import stat
from pathlib import Path

from errors import FILE_TOO_LARGE, IMG_CORRUPT, IMG_EMPTY, INPUT_GONE, INPUT_SOURCE, ArmatureError
from gate.limits import MEGA, Limits

PAINTED = "data:image/png;base64,"
# Two letters at least: "C:" is a drive. Two strokes name another machine on Windows, which would go there.
ELSEWHERE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]+:|[\\/]{2})", re.IGNORECASE)


def resolve_upload(path: str, root: Path) -> Path:
    """The file under `root` that a browser says it has uploaded. Nothing is fetched."""
    if ELSEWHERE.match(path):
        raise _not_an_upload("an address")
    try:
        named = root / path
        file = named.resolve()
        if not file.is_relative_to(root.resolve()):
            raise _not_an_upload("a file of another folder")
        if named.is_symlink():
            raise _not_an_upload("a link")
        if file.is_file():
            return file
    except RuntimeError:
        raise _not_an_upload("a link") from None  # in a circle; Python 3.13 sees it above
    except (OSError, ValueError):
        pass  # a name that no file can have: too long, or with a NUL
    raise INPUT_GONE("The uploaded picture is not here any more", todo="Upload it again")


def painted_bytes(text: object, limits: Limits) -> bytes:
    """The PNG file that a browser has made of what was painted, out of its data address."""
    if not isinstance(text, str) or not text.startswith(PAINTED):
        raise INPUT_SOURCE(
            "This was not painted here", allowed="a PNG as a data address", todo="Paint it again"
        )
    packed = text[len(PAINTED) :]
    check_length(len(packed) * 3 // 4, limits)
    try:
        return base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise IMG_CORRUPT("What was painted can't be read", todo="Paint it again") from None


def _not_an_upload(found: str) -> ArmatureError:
    return INPUT_SOURCE(
        "This is not an uploaded picture",
        found=found,
        allowed="a file uploaded here",
        todo="Upload the picture itself",
    )


def file_bytes(path: Path, limits: Limits) -> bytes:
    """The content of a plain file, once its size is known to be in bounds."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise INPUT_SOURCE(
                "This is not a plain file",
                found="a link" if stat.S_ISLNK(status.st_mode) else "a folder or a device",
                allowed="a picture file",
                todo="Choose the file itself",
            )
        check_length(status.st_size, limits)
        with path.open("rb") as file:
            return file.read(limits.file_bytes + 1)
    except (OSError, ValueError):
        raise INPUT_GONE("The picture is not there or can't be read", todo="Bring it again") from None


def check_length(length: int, limits: Limits) -> None:
    """A file of `length` bytes is neither empty nor too large."""
    if length == 0:
        raise IMG_EMPTY("The file holds no picture", found="0 bytes", todo="Choose another file")
    if length > limits.file_bytes:
        raise FILE_TOO_LARGE(
            "The file is too large",
            found=f"{length / MEGA:.1f} MB",
            allowed=f"at most {limits.file_bytes / MEGA:g} MB",
            todo="Save it smaller, as a JPEG for example",
        )
