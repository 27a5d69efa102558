"""The memory of what was made: two texts in every PNG, one for other tools and one of ours.

Ours is JSON under the key "armature":

    format      1
    request     all that makes the whole batch again; pictures in it by the hash of their pixels
    image       the place of this picture in the batch, from 0
    seed        its own seed
    maps        for each control: condition, the hash of its map, and the file beside the picture that has it
    others      for each other picture that the request names (start picture, mask, regions): what it is, its
                hash, and the file beside; none in pictures from before there were such files
    agreement   for each control, where that was asked for: condition, share, annotator, remark

It is read like anything from outside, whoever wrote it: through the gate, and into checked fields.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import annotators
import conditions
import gate
from errors import META_INVALID, META_MISSING, ArmatureError
from gate import LIMITS, OWN_FILES, Limits
from pipelines import a1111
from pipelines.pictures import content_hash
from pipelines.request import GenerateRequest, Result
from pipelines.request.checks import checked
from pipelines.request.controls import NEGATIVE_PROMPT, PROMPT
from pipelines.request.keeping import SENTENCES, Kept
from pipelines.request.plain import entry_of
from pipelines.request.presets import in_modes

CHUNK = "armature"
FORMAT = 1
MOST_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFile:
    """The map of one control: the hash that a request names it by, and the file beside the picture."""

    condition: str
    sha256: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFile:
    """A start picture, a mask or a region: its hash in the request, and the file beside the picture."""

    what: str
    sha256: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What one picture knows of how it was made; see the head of this module."""

    format: int
    request: GenerateRequest
    image: int
    seed: int
    maps: tuple[MapFile, ...]
    others: tuple[OtherFile, ...] = ()
    agreement: tuple[Kept, ...] = ()

    @property
    def beside(self) -> tuple[MapFile | OtherFile, ...]:
        """All the files that it was made from."""
        return (*self.maps, *self.others)


def texts(result: Result, index: int, maps: Sequence[str], others: Sequence[str] = ()) -> Mapping[str, str]:
    """The texts of picture `index` of a result, by their keys; `maps` and `others` name files beside it."""
    request, seed = result.request, result.seeds[index]
    memory = Memory(
        format=FORMAT,
        request=request,
        image=request.seeds.index(seed),
        seed=seed,
        maps=tuple(
            MapFile(condition=unit.condition, sha256=unit.map, file=name)
            for unit, name in zip(request.controls, maps, strict=True)
        ),
        others=tuple(
            OtherFile(what=what, sha256=digest, file=name)
            for (what, digest), name in zip(request.others.items(), others, strict=True)
        ),
        agreement=result.agreement[index] if result.agreement else (),
    )
    return {
        a1111.KEY: a1111.parameters(request, seed),
        CHUNK: json.dumps(asdict(memory), ensure_ascii=False, sort_keys=True),
    }


def request_from_png(path: Path, limits: Limits = LIMITS["local"]) -> GenerateRequest:
    """The request that makes the batch of a picture again, whole and within bounds, or a refusal in words.

    On the same machine it makes the same pixels again, for a batch of the same size.
    """
    return memory_from_png(path, limits).request


def memory_from_png(path: Path, limits: Limits = LIMITS["local"]) -> Memory:
    """All that a picture of ours knows of how it was made."""
    found = gate.png_texts(path, (CHUNK, a1111.KEY), OWN_FILES)
    if CHUNK in found:
        return _memory(found[CHUNK], limits)
    other = a1111.KEY in found
    raise META_MISSING(
        "This picture does not say how it can be made again",
        found="the settings of another program, without the map" if other else "a PNG without settings",
        allowed="a PNG as it was saved here",
        todo="Set them by hand, and bring the map" if other else "Choose the file itself, not a copy of it",
    )


def parameters_from_png(path: Path) -> str:
    """What a picture says of itself to other tools, whichever program made it; nothing where it is silent."""
    text = gate.png_texts(path, (a1111.KEY,), OWN_FILES).get(a1111.KEY, "")
    return gate.clean_text(text, label=a1111.KEY, most=MOST_BYTES)


def file_beside(picture: Path, entry: MapFile | OtherFile) -> Path | None:
    """The file that a picture was made from, where it still lies beside it and shows what it showed."""
    if entry.file != Path(entry.file).name or set(entry.file) & set("/\\:\0"):
        return None  # somebody wants us to look elsewhere
    path = picture.parent / entry.file
    try:
        pixels = gate.open_picture(path, OWN_FILES).pixels
    except ArmatureError:
        return None
    return path if content_hash(pixels) == entry.sha256 else None


def _memory(text: str, limits: Limits) -> Memory:
    try:
        data = gate.parse_json(text, most_bytes=MOST_BYTES)
        json.dumps(data, ensure_ascii=False).encode()  # half a character can be written in JSON, but not said
    except ArmatureError as error:
        raise _invalid(error.found, error.allowed) from None
    except UnicodeEncodeError:
        raise _invalid("half a character", "text") from None
    version = data.get("format") if isinstance(data, Mapping) else None
    if version != FORMAT:
        raise _invalid(
            f"settings of format {str(version)[:20]}", f"format {FORMAT}; a newer program may read it"
        )
    memory = entry_of(Memory, data)
    request = _request(memory.request, limits)
    if memory.image not in range(request.count) or request.seeds[memory.image] != memory.seed:
        raise _invalid("a seed that is not the picture's", "the seed of this picture of its batch")
    asked = [(unit.condition, unit.map) for unit in request.controls]
    if [(entry.condition, entry.sha256) for entry in memory.maps] != asked:
        raise _invalid("maps that are not the request's", "one for each control")
    if memory.others and {entry.what: entry.sha256 for entry in memory.others} != request.others:
        raise _invalid("pictures that are not the request's", "each that it names, once")
    if memory.agreement and not _fits(memory.agreement, [condition for condition, _ in asked]):
        raise _invalid("an agreement that is none", "one for each control, of 1 at most")
    return replace(memory, request=request)


def _fits(agreement: Sequence[Kept], asked: Sequence[str]) -> bool:
    """Whether there is one for each condition, and of each a share only as it can be measured."""
    return [kept.condition for kept in agreement] == asked and all(
        kept.share is None
        or (-1 <= kept.share <= 1 and conditions.find(kept.condition).agreement in SENTENCES)
        for kept in agreement
    )


def _request(request: GenerateRequest, limits: Limits) -> GenerateRequest:
    """A request from outside, as far as it can be checked before the models see it."""
    prompt, negative = (
        gate.clean_text(text, label=name, most=limits.prompt_characters)
        for name, text in ((PROMPT.label, request.prompt), (NEGATIVE_PROMPT.label, request.negative_prompt))
    )
    known = in_modes(checked(replace(request, prompt=prompt, negative_prompt=negative), limits))
    for unit in known.controls:
        gate.check_values(annotators.find(unit.annotator).params, unit.values)
    if known.seed < 0:
        raise _invalid("no seed", "the seed that was drawn")
    return known


def _invalid(found: str, allowed: str) -> ArmatureError:
    return META_INVALID(
        "The settings in this picture can't be read",
        found=found,
        allowed=allowed,
        todo="Choose another picture",
    )
