"""Every refusal has a code, a class, a status and a sentence; every foreign error becomes one of ours."""

import copy
import errno
import pickle
import re
from pathlib import Path

import pytest

import errors
from errors import (
    CODES,
    DIR_READONLY,
    DISK_FULL,
    FOREIGN,
    GPU_FAULT,
    GPU_OOM,
    HUB_UNREACHABLE,
    IMG_EMPTY,
    INTERNAL,
    MODEL_CORRUPT,
    ArmatureError,
    Code,
    Foreign,
    means,
    ours,
)

SECRET = "/home/ada/.cache/huggingface/token hf_abcdefgh"


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_a_code_makes_an_error_of_its_class(code: Code) -> None:
    error = code("It went wrong.", found="3", allowed="1 to 2", todo="Change it.")
    assert type(error) is code.kind
    assert isinstance(error, ArmatureError)
    assert error.code is code
    assert error.message == "It went wrong (found: 3; allowed: 1 to 2). Change it."
    assert str(error) == f"{code.name}: {error.message}"


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({}, "It went wrong."),
        ({"found": "3"}, "It went wrong (found: 3)."),
        ({"allowed": "1"}, "It went wrong (allowed: 1)."),
        ({"todo": "Wait"}, "It went wrong. Wait."),
        ({"found": "3", "todo": "Wait"}, "It went wrong (found: 3). Wait."),
    ],
)
def test_a_message_says_what_is_known(facts: dict[str, str], message: str) -> None:
    assert IMG_EMPTY("It went wrong", **facts).message == message


def test_codes_are_in_one_table() -> None:
    for name, code in CODES.items():
        assert code.name == name
        assert getattr(errors, name) is code
    assert len(CODES) == len({id(code) for code in CODES.values()})


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_a_status_fits_its_class(code: Code) -> None:
    assert 400 <= code.status < 600
    assert issubclass(code.kind, ArmatureError)
    assert code.kind is not ArmatureError
    if code.retry:
        assert code.status in (429, 503), "a retry can only help where the fault may pass"


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    told = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    assert sorted(told) == sorted(kind.__name__ for kind in ArmatureError.__subclasses__())
    assert {code.kind for code in CODES.values()} == set(ArmatureError.__subclasses__())


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_crosses_to_another_process(again: object) -> None:
    assert callable(again)
    error = IMG_EMPTY("The file holds no picture", found="0 bytes", todo="Choose another file")
    other = again(error)
    assert type(other) is type(error)
    assert (other.code, other.message, str(other)) == (error.code, error.message, str(error))


# Foreign errors


def imitation(name: str, base: type[Exception] = Exception) -> type[Exception]:
    """A class that looks as if it came from where `name` says."""
    module, _, last = name.rpartition(".")
    return type(last, (base,), {"__module__": module, "__qualname__": last})


def checked(error: BaseException, row: Foreign) -> None:
    """The error becomes what its row says, and nothing of its own text remains."""
    mine = ours(error)
    assert mine.code is row.code
    assert (mine.what, mine.todo) == (row.what, row.todo)
    assert not any(word in str(mine) for word in SECRET.split())


NAMED = [(name, row) for row in FOREIGN for name in sorted(row.names)]
NUMBERED = [(number, row) for row in FOREIGN for number in sorted(row.errnos)]


@pytest.mark.parametrize(("name", "row"), NAMED, ids=[name for name, _ in NAMED])
def test_every_name_is_recognised_with_what_derives_from_it(name: str, row: Foreign) -> None:
    kind = MemoryError if name == "builtins.MemoryError" else imitation(name)
    checked(kind(SECRET), row)
    checked(imitation("elsewhere.Derived", kind)(SECRET), row)
    assert ours(imitation(f"not.{name}")(SECRET)).code is INTERNAL


@pytest.mark.parametrize(("number", "row"), NUMBERED, ids=[errno.errorcode[number] for number, _ in NUMBERED])
def test_every_number_is_recognised(number: int, row: Foreign) -> None:
    checked(OSError(number, "No", SECRET), row)


def test_every_row_has_a_sign_and_words() -> None:
    for row in FOREIGN:
        assert row.names or row.errnos
        assert row.what
        assert row.todo
    assert len(NAMED) == len(dict(NAMED)), "a name stands in one row"
    assert len(NUMBERED) == len(dict(NUMBERED)), "a number stands in one row"


def test_a_full_disk_is_seen_through_a_derived_class() -> None:
    full = imitation("shutil.Error", OSError)(errno.ENOSPC, "No space left on device", SECRET)
    assert ours(full).code is DISK_FULL


def test_the_real_errors_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OverflowError):  # not a MemoryError: an index that is too large
        bytearray(10**30)
    with pytest.raises(MemoryError) as memory:
        bytearray(2**62)
    assert ours(memory.value).code is GPU_OOM
    assert ours(PermissionError(errno.EACCES, "Permission denied", SECRET)).code is DIR_READONLY
    with pytest.raises(FileNotFoundError) as gone:
        (tmp_path / "gone").read_bytes()
    assert ours(gone.value).code is INTERNAL
    assert str(tmp_path) not in str(ours(gone.value))


def test_the_real_error_of_torch() -> None:
    torch = pytest.importorskip("torch")
    assert ours(torch.OutOfMemoryError("CUDA out of memory")).code is GPU_OOM


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), GPU_OOM),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), GPU_OOM),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), GPU_OOM),
        (RuntimeError("CUDA error: out of memory"), GPU_OOM),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), GPU_OOM),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), GPU_FAULT),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), GPU_FAULT),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), INTERNAL),
        (ValueError("CUDA error: out of memory"), INTERNAL),
    ],
)
def test_devices_speak_in_plain_words(error: Exception, code: Code) -> None:
    assert ours(error).code is code
    assert [known for known in (GPU_OOM, GPU_FAULT) if means(known, error)] == [code] * (code is not INTERNAL)


def test_this_machine_says_in_known_words_that_there_is_no_memory() -> None:
    import torch

    with pytest.raises(RuntimeError) as refusal:
        torch.empty(2**60, dtype=torch.uint8)
    assert means(GPU_OOM, refusal.value)


def test_the_real_error_of_safetensors() -> None:
    safetensors = pytest.importorskip("safetensors")
    with pytest.raises(safetensors.SafetensorError) as caught:
        safetensors.deserialize(b"no model at all")
    assert ours(caught.value).code is MODEL_CORRUPT


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_the_real_errors_of_the_network(library: str) -> None:
    client = pytest.importorskip(library)
    with pytest.raises(client.ConnectError) as caught:
        client.get("http://127.0.0.1:9", trust_env=False)
    assert ours(caught.value).code is HUB_UNREACHABLE
    assert ours(client.ReadTimeout("slow")).code is HUB_UNREACHABLE


def test_the_real_errors_of_the_hub() -> None:
    hub = pytest.importorskip("huggingface_hub.errors")
    assert ours(hub.OfflineModeIsEnabled(SECRET)).code is HUB_UNREACHABLE
    assert ours(hub.LocalEntryNotFoundError(SECRET)).code is HUB_UNREACHABLE


# Places


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("/home/ada/weights/sd15/base/a.bin", "weights/sd15/base/a.bin"),
        (Path("/home/ada/weights/sd15"), "weights/sd15"),
        (b"/home/ada/weights", "weights"),
        ("/home/ada", "weights"),  # the folder itself can't be made
        ("/home/ada/.cache/token", ""),
        ("/home/ada/weights/../.cache/token", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_a_folder_that_can_not_be_written_is_named_from_a_known_folder_on(place: object, found: str) -> None:
    error = OSError(errno.EROFS, "No", place)
    mine = ours(error, below=Path("/home/ada/weights"))
    assert (mine.code, mine.found) == (DIR_READONLY, found)
    assert ours(error).found == "", "no folder is known, so nothing of it is told"
    assert ours(OSError(errno.EIO, "No", place), below=Path("/home/ada/weights")).found == ""


def test_a_known_folder_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    error = PermissionError(errno.EACCES, "No", str(tmp_path / "weights" / "a"))
    assert ours(error, below=Path("weights")).found == "weights/a"


# Everything else


def test_an_error_of_ours_stays_itself() -> None:
    error = IMG_EMPTY("The file holds no picture")
    assert ours(error) is error


@pytest.mark.parametrize(
    "error",
    [ValueError(SECRET), KeyError(SECRET), OSError(SECRET), RuntimeError(SECRET), AssertionError(SECRET)],
)
def test_what_nobody_knows_is_internal_with_an_id(error: Exception) -> None:
    mine, other = ours(error), ours(error)
    assert mine.code is INTERNAL
    assert re.fullmatch(r"id [0-9a-f]{8}", mine.found)
    assert mine.found != other.found
    assert not any(word in str(mine) for word in SECRET.split())
