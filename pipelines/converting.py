"""Pickled checkpoints become safetensors once, when somebody asks for exactly that.

Everything else here reads safetensors only. Torch does not come into this process: `pipelines/unpickling.py`
opens the file in a child of its own.
"""

import os
import secrets
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from errors import (
    DISK_FULL,
    MODEL_ARCH,
    MODEL_CORRUPT,
    MODEL_NUMERIC,
    MODEL_UNSAFE,
    NOT_ALLOWED,
    PARAM_CHOICE,
    TIMEOUT,
    ArmatureError,
    Code,
)
from gate import Limits
from models import inspect
from models.inspect import Finding
from pipelines import durable

ROOT = Path(__file__).parents[1]
PATIENCE = 1800.0  # seconds; a large checkpoint on a slow disk takes minutes
REFUSED = 3
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}  # all that the child gets
SECRET = 0x1 | 0x40 | 0x2000  # flags of an entry that is encrypted, or hides its name
PICKLE = "data.pkl"
# What diffusers and transformers call the same file, pickled and not.
NAMES: Mapping[str, str] = {"pytorch_model": "model"}
CHOOSE = "Choose a .safetensors file of the same model"
WORDS: Mapping[str, tuple[Code, str, str]] = {
    code.name: (code, what, todo)
    for code, what, todo in (
        (MODEL_UNSAFE, "asks for more than tensors, and opening it could run code", CHOOSE),
        (MODEL_CORRUPT, "can't be read: it is damaged, or was altered", "Fetch it again"),
        (MODEL_ARCH, "holds no tensors of a model", "Choose another file"),
        (MODEL_NUMERIC, "has numbers that are none", "Fetch it again, or choose another"),
    )
}


def default_target(source: Path) -> Path:
    """Beside the pickled file, under the name that a program that reads safetensors expects."""
    target = source.with_name(f"{NAMES.get(source.stem, source.stem)}.safetensors")
    return source.with_name(f"{source.stem}-converted.safetensors") if target == source else target


def find(source: Path, weights: Path) -> Path:
    """The file at a path; where there is none, the pickled one in the weights that refusals call so."""
    if source.exists() or source.is_absolute():
        return source
    folders = sorted(weights.iterdir()) if weights.is_dir() else []  # each of them may be a link
    inside = (Path(place, name) for root in folders for place, _, names in os.walk(root) for name in names)
    named = [path for path in inside if path.parts[-len(source.parts) :] == source.parts and path.is_file()]
    found = [path for path in named if inspect.is_pickled(path)]
    if len(found) > 1:
        raise PARAM_CHOICE(
            f"There is more than one file of the name {source.name}",
            found=", ".join(f"{weights.name}/{path.relative_to(weights).as_posix()}" for path in found),
            todo="Name the one that is meant with its folders",
        )
    return found[0] if found else source


def convert(source: Path, target: Path, limits: Limits, *, patience: float = PATIENCE) -> Finding:
    """Write the tensors of a pickled file into a new safetensors file; answers what it is."""
    _refuse(source, target, limits)
    durable.make_folder(target.parent)
    aside = target.with_name(f".{target.name}{durable.ASIDE}{secrets.token_hex(4)}")
    try:
        _open_in_a_child(source, aside, patience)
        found = inspect.look(aside)
        if found.kind is inspect.UNKNOWN:
            raise _refusal(source.name, MODEL_ARCH.name, found.title)
        shutil.copymode(source, aside)  # whoever could read the one can read the other
        durable.settle(aside, target)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
    return inspect.look(target)


def _refuse(source: Path, target: Path, limits: Limits) -> None:
    if not limits.converts:
        raise NOT_ALLOWED(
            "Pickled files are converted only by whoever owns this machine",
            allowed="the profile local",
            todo=CHOOSE,
        )
    if not inspect.is_pickled(source):
        found = inspect.look(source)  # what can't be used at all is refused here
        raise PARAM_CHOICE(
            f"{source.name} is not pickled", found=found.title, todo="Use it as it is: nothing is to be done"
        )
    if target.exists():
        raise PARAM_CHOICE(f"{target.name} is there already", todo="Remove it, or name another file")
    if zipfile.is_zipfile(source):
        _refuse_altered(source)
    place = next(folder for folder in target.absolute().parents if folder.exists())
    room, needed = shutil.disk_usage(place).free, source.stat().st_size
    if room < needed:
        raise DISK_FULL(
            "There is no room for the converted file",
            found=f"{room} bytes free",
            allowed=f"{needed} bytes",
            todo="Make room",
        )


def _refuse_altered(path: Path) -> None:
    """Refuse an archive that two programs could read in two ways; torch's own are plain."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            for entry in entries:
                archive.open(entry).close()  # which compares the list with what it lists
    except (zipfile.BadZipFile, RuntimeError, ValueError, NotImplementedError, EOFError, OSError) as error:
        raise _refusal(path.name, MODEL_UNSAFE.name, "an archive that contradicts itself") from error
    names = [entry.filename for entry in entries]
    faults = {
        "a name that comes twice": len(set(names)) < len(names),
        "more than one pickle": [name.rpartition("/")[2] for name in names if ".pkl" in name] != [PICKLE],
        "an entry that is encrypted": any(entry.flag_bits & SECRET for entry in entries),
        "an entry that is compressed": any(entry.compress_type != zipfile.ZIP_STORED for entry in entries),
    }
    for fault, found in faults.items():
        if found:
            raise _refusal(path.name, MODEL_UNSAFE.name, fault)


def _open_in_a_child(source: Path, target: Path, patience: float) -> None:
    """Run the child to its end, with nothing of our environment."""
    # -B: to keep what is compiled as it imports, Python makes folders and files, which the child must not
    command = [sys.executable, "-B", "-W", "ignore", "-m", "pipelines.unpickling"]
    paths = [str(path.absolute()) for path in (source, target)]
    try:
        done = subprocess.run(
            [*command, *paths],
            cwd=ROOT,
            env=dict(ENVIRONMENT),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=patience,
        )
    except subprocess.TimeoutExpired as error:
        raise TIMEOUT(f"Converting {source.name} took too long", todo=CHOOSE) from error
    if done.returncode == REFUSED:
        code, _, found = done.stdout.partition(" ")
        raise _refusal(source.name, code, found)
    if done.returncode:
        raise _refusal(source.name, MODEL_UNSAFE.name, "the process that opened it came to a bad end")


def _refusal(name: str, code: str, found: str) -> ArmatureError:
    known, what, todo = WORDS.get(code, WORDS[MODEL_UNSAFE.name])
    return known(f"{name} {what}", found=found[:150], todo=todo)
