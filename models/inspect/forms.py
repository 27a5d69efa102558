"""What a file is by its first bytes, whatever it is called; all but safetensors is refused in words."""

import re
import shlex
import zipfile
from dataclasses import dataclass
from pathlib import Path

from errors import MODEL_ARCH, MODEL_CORRUPT, MODEL_MISSING, MODEL_UNSAFE, ArmatureError, Code
from models.inspect import headers

# The name alone is enough, since whoever is refused may not know where the weights are.
CONVERT = "Convert it once: .venv/bin/python cli.py weights convert FILE, or choose a .safetensors file"
CHOOSE = "Choose a .safetensors file"
PICKLED = (".ckpt", ".pt", ".pth", ".bin", ".pkl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One way in which a file may begin: what it is then, for people, and why it is not taken."""

    name: str
    title: str
    beginning: re.Pattern[bytes]
    code: Code
    todo: str


def _form(name: str, title: str, beginning: bytes, code: Code, todo: str) -> Form:
    pattern = re.compile(beginning, re.DOTALL)
    return Form(name=name, title=title, beginning=pattern, code=code, todo=todo)


TEXT = rb"(?:\xef\xbb\xbf)?\s*"
FORMS: tuple[Form, ...] = (
    _form(
        "lfs",
        "a Git LFS pointer: a note of where the file is, not the file",
        rb"version https://git-lfs",
        MODEL_CORRUPT,
        "Fetch the file itself: git lfs pull, or the download button of its page",
    ),
    _form(
        "web page",
        "a web page, saved under the name of a model",
        TEXT + rb"<(?i:!doctype|html|head|body|\?xml|!--)",
        MODEL_CORRUPT,
        "Fetch it again; its site may ask you to log in, or to accept its terms, first",
    ),
    _form(
        "pickle", "a pickled file: opening one can run code", rb"\x80[\x02-\x05]", MODEL_UNSAFE, CONVERT
    ),
    _form("zip", "a zip archive", rb"PK(?:\x03\x04|\x05\x06)", MODEL_CORRUPT, "Unpack it"),
    _form("7z", "a 7z archive", rb"7z\xbc\xaf\x27\x1c", MODEL_UNSAFE, "Unpack it, if you trust its source"),
    _form("rar", "a RAR archive", rb"Rar!", MODEL_CORRUPT, "Unpack it"),
    _form("gzip", "a gzip archive", rb"\x1f\x8b", MODEL_CORRUPT, "Unpack it"),
    _form("gguf", "a GGUF file, for other programs", rb"GGUF|GGML|lmgg|tjgg", MODEL_ARCH, CHOOSE),
    _form("onnx", "an ONNX file, for other programs", rb"\x08[\x03-\x0d][\x12\x3a]", MODEL_ARCH, CHOOSE),
    _form("hdf5", "an HDF5 file, for other programs", rb"\x89HDF\r\n\x1a\n", MODEL_ARCH, CHOOSE),
    _form("numpy", "an array of NumPy", rb"\x93NUMPY", MODEL_ARCH, CHOOSE),
    _form(
        "picture",
        "a picture",
        rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF....WEBP|GIF8[79]a",
        MODEL_ARCH,
        "Pictures go into the page, not among the models",
    ),
    _form("JSON", "JSON: a configuration, or the answer of a server", TEXT + rb"\{", MODEL_CORRUPT, CHOOSE),
    _form("text", "a text", TEXT + rb"[\x09\x0a\x0d\x20-\x7e]{16}", MODEL_CORRUPT, CHOOSE),
)  # fmt: skip
BY_NAME = {form.name: form for form in FORMS}


def header(path: Path) -> headers.Header:
    """The header of a safetensors file; whatever else it is, is named in the refusal."""
    size, head = _beginning(path)
    form = _form_of(path, head)
    if headers.could_be(head) or (form is None and headers.begins(head)):
        return headers.read(path)
    raise _refusal(path, size, form)


def is_pickled(path: Path) -> bool:
    """Whether a file is one of torch's own, pickled, alone or in a zip archive."""
    _, head = _beginning(path)
    form = _form_of(path, head)
    return form is BY_NAME["pickle"]


def _beginning(path: Path) -> tuple[int, bytes]:
    try:
        if not path.is_file():
            raise FileNotFoundError(2, "no file")
        with path.open("rb") as file:
            return path.stat().st_size, file.read(1000)
    except OSError as error:
        raise MODEL_MISSING(
            f"{path.name} can't be opened", found=error.strerror or "", todo="Put it back, or choose another"
        ) from error


def _form_of(path: Path, head: bytes) -> Form | None:
    form = next((form for form in FORMS if form.beginning.match(head)), None)
    if form is BY_NAME["zip"] and _has_pickle(path):
        return BY_NAME["pickle"]
    return form


def _has_pickle(path: Path) -> bool:
    """Whether a zip archive is torch's, or is called so, whatever it lists."""
    if path.suffix.lower() in PICKLED:
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        return False


def _refusal(path: Path, size: int, form: Form | None) -> ArmatureError:
    if not size:
        return MODEL_CORRUPT(f"{path.name} is empty", found="0 bytes", todo=headers.FETCH_AGAIN)
    if form is not None:
        todo = form.todo.replace("FILE", shlex.quote(path.name))
        return form.code(f"{path.name} is {form.title}", todo=todo)
    if path.suffix.lower() in PICKLED:
        return MODEL_UNSAFE(
            f"{path.name} is no file of torch's that is known here, and may run code", todo=CHOOSE
        )
    return MODEL_CORRUPT(
        f"{path.name} is no safetensors file",
        found=f"{size} bytes of another kind",
        todo=headers.FETCH_AGAIN,
    )
