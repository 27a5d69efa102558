"""What can go wrong, each with a code, and the one table that turns foreign errors into ours.

    ArmatureError
    ├── InputError      a picture, a value, a prompt or a data set that can't be taken
    ├── ModelError      a model file that is missing, broken, or made for something else
    ├── HubError        a download that didn't arrive
    ├── StorageError    a disk that is full or read-only
    ├── DeviceError     a processor that is missing, busy, out of memory, or failed
    ├── JobError        a job that was cancelled, interrupted, refused for now, or too slow
    ├── AccessError     somebody who may not do that
    └── InternalError   a mistake of ours

A code is one frozen entry, and raising it builds the right class::

    raise IMG_EMPTY("The file holds no picture", found="0 bytes", todo="Choose another file")

Codes arrive with the part that raises them: there is none here that nothing raises.
"""

import errno
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path


class ArmatureError(Exception):
    """A refusal in words: what happened, the value found, what is allowed, what to do."""

    def __init__(
        self, code: "Code", what: str, *, found: str = "", allowed: str = "", todo: str = ""
    ) -> None:
        self.code = code
        self.what = what.rstrip(".")
        self.found = found
        self.allowed = allowed
        self.todo = todo.rstrip(".")
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The whole refusal as sentences that may be shown to anybody: no paths of the machine, no traces."""
        facts = [("found", self.found), ("allowed", self.allowed)]
        details = "; ".join(f"{label}: {value}" for label, value in facts if value)
        first = f"{self.what} ({details})." if details else f"{self.what}."
        return f"{first} {self.todo}." if self.todo else first

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"

    def __reduce__(self) -> tuple[Callable[..., "ArmatureError"], tuple["Code", str]]:
        # It crosses from the worker's process to ours, and an exception travels by its `args` otherwise.
        again = partial(type(self), found=self.found, allowed=self.allowed, todo=self.todo)
        return again, (self.code, self.what)


class InputError(ArmatureError):
    """A picture, a value, a prompt or a data set that can't be taken."""


class ModelError(ArmatureError):
    """A model file that is missing, broken, or made for something else."""


class HubError(ArmatureError):
    """A download that didn't arrive."""


class StorageError(ArmatureError):
    """A disk that is full or read-only."""


class DeviceError(ArmatureError):
    """A processor that is missing, busy, out of memory, or failed."""


class JobError(ArmatureError):
    """A job that was cancelled, interrupted, refused for now, or too slow."""


class AccessError(ArmatureError):
    """Somebody who may not do that."""


class InternalError(ArmatureError):
    """A mistake of ours; the details are in the log under its id."""


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of refusal: its name, its class, its HTTP status, and whether a retry can help."""

    name: str
    kind: type[ArmatureError]
    status: int
    retry: bool = False

    def __call__(self, what: str, *, found: str = "", allowed: str = "", todo: str = "") -> ArmatureError:
        return self.kind(self, what, found=found, allowed=allowed, todo=todo)

    def __reduce__(self) -> tuple[Callable[[str], "Code"], tuple[str]]:
        return code_named, (self.name,)  # there is one of each: in another process too


def code_named(name: str) -> Code:
    """The code of that name."""
    return CODES[name]


IMG_EMPTY = Code("IMG_EMPTY", InputError, 422)
IMG_FORMAT = Code("IMG_FORMAT", InputError, 422)
IMG_CORRUPT = Code("IMG_CORRUPT", InputError, 422)
IMG_TRUNCATED = Code("IMG_TRUNCATED", InputError, 422)
IMG_TOO_MANY_PIXELS = Code("IMG_TOO_MANY_PIXELS", InputError, 422)
IMG_TOO_SMALL = Code("IMG_TOO_SMALL", InputError, 422)
IMG_ASPECT = Code("IMG_ASPECT", InputError, 422)
FILE_TOO_LARGE = Code("FILE_TOO_LARGE", InputError, 413)
BODY_TOO_LARGE = Code("BODY_TOO_LARGE", InputError, 413)
INPUT_SOURCE = Code("INPUT_SOURCE", InputError, 422)
INPUT_GONE = Code("INPUT_GONE", InputError, 422)
TARGET_TAKEN = Code("TARGET_TAKEN", InputError, 409)
PARAM_TYPE = Code("PARAM_TYPE", InputError, 422)
PARAM_RANGE = Code("PARAM_RANGE", InputError, 422)
PARAM_CHOICE = Code("PARAM_CHOICE", InputError, 422)
PROMPT_TOO_LONG = Code("PROMPT_TOO_LONG", InputError, 422)
PROMPT_SYNTAX = Code("PROMPT_SYNTAX", InputError, 422)
POSE_INVALID = Code("POSE_INVALID", InputError, 422)
CONTENT_BLOCKED = Code("CONTENT_BLOCKED", InputError, 451)
BUDGET = Code("BUDGET", InputError, 422)
META_MISSING = Code("META_MISSING", InputError, 422)
META_INVALID = Code("META_INVALID", InputError, 422)
DATASET_INVALID = Code("DATASET_INVALID", InputError, 422)
DATASET_CHANGED = Code("DATASET_CHANGED", InputError, 409)
MODEL_MISSING = Code("MODEL_MISSING", ModelError, 422)
MODEL_CORRUPT = Code("MODEL_CORRUPT", ModelError, 422)
MODEL_TOO_LARGE = Code("MODEL_TOO_LARGE", ModelError, 422)
MODEL_PAIRING = Code("MODEL_PAIRING", ModelError, 422)
MODEL_UNSAFE = Code("MODEL_UNSAFE", ModelError, 422)
MODEL_ARCH = Code("MODEL_ARCH", ModelError, 422)
MODEL_KEYS = Code("MODEL_KEYS", ModelError, 422)
MODEL_DTYPE = Code("MODEL_DTYPE", ModelError, 422)
MODEL_NUMERIC = Code("MODEL_NUMERIC", ModelError, 422)
HUB_UNREACHABLE = Code("HUB_UNREACHABLE", HubError, 503, retry=True)
HUB_PARTIAL = Code("HUB_PARTIAL", HubError, 503, retry=True)
HUB_INTEGRITY = Code("HUB_INTEGRITY", HubError, 502)
HUB_GATED = Code("HUB_GATED", HubError, 502)
HUB_NOT_FOUND = Code("HUB_NOT_FOUND", HubError, 502)
DISK_FULL = Code("DISK_FULL", StorageError, 507)
DIR_READONLY = Code("DIR_READONLY", StorageError, 507)
DISK_FAILED = Code("DISK_FAILED", StorageError, 507)
PACKAGE_MISSING = Code("PACKAGE_MISSING", DeviceError, 503)
RESUME_MISMATCH = Code("RESUME_MISMATCH", InputError, 422)
TRAIN_DIVERGED = Code("TRAIN_DIVERGED", DeviceError, 500)
NO_GPU = Code("NO_GPU", DeviceError, 503)
GPU_OOM = Code("GPU_OOM", DeviceError, 503, retry=True)
GPU_FAULT = Code("GPU_FAULT", DeviceError, 503, retry=True)
PORT_BUSY = Code("PORT_BUSY", AccessError, 503)
NOT_ALLOWED = Code("NOT_ALLOWED", AccessError, 403)
BAD_HOST = Code("BAD_HOST", AccessError, 421)
BAD_ORIGIN = Code("BAD_ORIGIN", AccessError, 403)
CANCELLED = Code("CANCELLED", JobError, 499)
INTERRUPTED = Code("INTERRUPTED", JobError, 499)
WORKER_LOST = Code("WORKER_LOST", JobError, 503, retry=True)
DRAINING = Code("DRAINING", JobError, 503, retry=True)
TIMEOUT = Code("TIMEOUT", JobError, 504)
QUEUE_FULL = Code("QUEUE_FULL", JobError, 429, retry=True)
NUMERIC = Code("NUMERIC", DeviceError, 500)
INTERNAL = Code("INTERNAL", InternalError, 500)

CODES: dict[str, Code] = {code.name: code for code in tuple(globals().values()) if isinstance(code, Code)}


@dataclass(frozen=True, slots=True)
class Foreign:
    """How an error of another library is recognised and renamed: by qualified name, by errno, or by words
    in a plain RuntimeError, which is how the makers of devices speak. `places` says that it matters where.
    """

    names: frozenset[str]
    errnos: frozenset[int]
    code: Code
    what: str
    todo: str
    words: tuple[str, ...] = ()
    places: bool = False

    def matches(self, error: BaseException) -> bool:
        """Names are compared along the whole class tree, so that no library is imported here."""
        if isinstance(error, OSError) and error.errno in self.errnos:
            return True
        if isinstance(error, RuntimeError) and any(words in str(error) for words in self.words):
            return True
        ancestry = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
        return not self.names.isdisjoint(ancestry)


def _foreign(
    code: Code,
    what: str,
    todo: str,
    *,
    names: tuple[str, ...] = (),
    errnos: tuple[int, ...] = (),
    words: tuple[str, ...] = (),
    places: bool = False,
) -> Foreign:
    return Foreign(frozenset(names), frozenset(errnos), code, what, todo, words, places)


FOREIGN: tuple[Foreign, ...] = (
    _foreign(
        GPU_OOM,
        "The device ran out of memory",
        "Choose a smaller size or fewer pictures at once",
        names=("torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError", "builtins.MemoryError"),
        words=(
            *("DefaultCPUAllocator: can't allocate memory", "MPS backend out of memory"),
            *("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"),
        ),
    ),
    _foreign(  # after the row above: the same words are said for want of memory too
        GPU_FAULT,
        "The device failed in the middle of its work",
        "Start it again; if it happens again, restart the program",
        names=("torch.AcceleratorError",),
        words=("CUDA error:", "CUDNN_STATUS_", "CUBLAS_STATUS_", "HIP error:"),
    ),
    _foreign(
        DISK_FULL,
        "There is no space left on the disk",
        "Free some space and try again",
        errnos=(errno.ENOSPC, errno.EDQUOT),
    ),
    _foreign(
        DIR_READONLY,
        "A folder can't be written to",
        "Give the program write access, or name other folders with --weights and --outputs",
        errnos=(errno.EROFS, errno.EACCES, errno.EPERM),
        places=True,
    ),
    _foreign(
        DISK_FAILED,
        "A disk did not do what it was told",
        "Check the disk and try again",
        errnos=(errno.EIO,),
    ),
    _foreign(
        MODEL_CORRUPT,
        "A model file can't be read",
        "Fetch the file again",
        names=("safetensors._safetensors_rust.SafetensorError", "safetensors_rust.SafetensorError"),
    ),
    _foreign(
        HUB_UNREACHABLE,
        "The model hub can't be reached",
        "Check the connection, or place the files by hand as weights/README.md says",
        names=(
            "huggingface_hub.errors.OfflineModeIsEnabled",
            "huggingface_hub.errors.LocalEntryNotFoundError",
            "httpx.TransportError",
            "httpx2.TransportError",  # the hub's own since 2.x
        ),
    ),
)


def means(code: Code, error: BaseException) -> bool:
    """Whether an error of another library is what we call by this code."""
    return next((row.code is code for row in FOREIGN if row.matches(error)), False)


def ours(error: BaseException, *, below: Path | None = None) -> ArmatureError:
    """The error as one of ours: itself, its row in FOREIGN, or INTERNAL with an id for the log.

    A place is told only from a folder `below` which it is: visitors must not learn what is above that.
    """
    if isinstance(error, ArmatureError):
        return error
    for row in FOREIGN:
        if row.matches(error):
            found = _place(error, below) if row.places and below else ""
            return row.code(row.what, found=found, todo=row.todo)
    return INTERNAL(
        "Something failed inside the program",
        found=f"id {uuid.uuid4().hex[:8]}",
        todo="Try again; if it stays, report the id with the log",
    )


def _place(error: BaseException, below: Path) -> str:
    """Where the disk refused, from a folder on; that folder's own name, where it can't be made itself."""
    named = getattr(error, "filename", None)
    if not isinstance(named, str | bytes | os.PathLike):
        return ""
    path, folder = (Path(os.path.abspath(os.fsdecode(one))) for one in (named, below))
    if folder.is_relative_to(path):
        return folder.name
    return Path(folder.name, path.relative_to(folder)).as_posix() if path.is_relative_to(folder) else ""
