"""From raw values to a request, the same way for browser, API and command line.

    picture -> gate -> final size -> annotate -> Draft (shown, editable) -> GenerateRequest

The picture is first brought to the final size and annotated there; its map is never resampled afterwards.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np

import annotators
import conditions
import gate
from annotators.base import Annotation, Annotator, Pixels, Source
from conditions import Condition, MapResize
from errors import IMG_EMPTY, MODEL_MISSING, PARAM_CHOICE
from gate import Limits, Picture
from models.catalogue import FAMILIES, Family, family_of, own_base
from params import Param, Value
from pipelines import prompts
from pipelines.lately import Lately
from pipelines.pictures import PictureStore, content_hash
from pipelines.request import ControlUnit, GenerateRequest, own_maps, safety
from pipelines.request.annotating import Annotated, AnnotateRequest, Lack
from pipelines.request.checks import checked
from pipelines.request.controls import (
    LARGEST_SEED,
    NEGATIVE_PROMPT,
    PROMPT,
    RUN_PARAMS,
    SIZE,
    UNIT_PARAMS,
    VAE,
    allowed_params,
)
from pipelines.request.presets import in_modes

Far: TypeAlias = Callable[[AnnotateRequest], Annotated]

TYPED: Mapping[Source, str] = {"text": "Text or address", "pose": "Pose, in OpenPose's JSON"}
MOST_TYPED = 4 * 2**20  # characters; a pose with faces and hands is long
DECODED_BYTES = 256 * 2**20  # a slider that moves must not decode its picture each time
ANNOTATED_BYTES = 128 * 2**20  # and Generate must not annotate again what is on the page
MUCH_LARGER = 2  # times the side that a family learnt from, at which things repeat and blur


def nowhere(request: AnnotateRequest) -> Annotated:
    """Where there is no engine, there are no networks."""
    raise MODEL_MISSING(f"{annotators.find(request.annotator).label} needs the engine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A map at the final size, RGB uint8 (height, width, 3), with all that it came from."""

    condition: Condition
    annotator: str
    values: Mapping[str, Value]
    map: Pixels
    data: Mapping[str, Any] | None
    notices: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the map, and so of the pictures."""
        height, width = self.map.shape[:2]
        return width, height


class Desk:
    """Where users' values become drafts and requests, within the limits of one profile."""

    def __init__(
        self,
        pictures: PictureStore,
        limits: Limits,
        far: Far = nowhere,
        lack: Callable[[str], Lack | None] = lambda name: None,
        bases: Callable[[], tuple[tuple[str, str], ...]] = tuple,
        own_files: Callable[[GenerateRequest], None] = lambda request: None,
        vaes: Callable[[], tuple[str, ...]] = tuple,
        require_safety: Callable[[], None] = lambda: None,
    ) -> None:
        """`far` annotates with a network, where the networks live; `lack` says what an annotator needs.

        `bases` are the users' own, each with a title and a name, as they are there at the moment; `own_files`
        refuses a request for files of the user's that are not there, or do not fit; `vaes` are their
        names. `require_safety` refuses where the safety checker is not here.
        """
        self._require_safety = require_safety
        self._bases = bases
        self._own_files = own_files
        self.vaes = vaes
        self._far = far
        self.lack = lack
        self.limits = limits
        self.controls = allowed_params((PROMPT, NEGATIVE_PROMPT, *UNIT_PARAMS, *RUN_PARAMS), limits)
        self._pictures = pictures
        self._decoded = Lately[Picture](DECODED_BYTES, lambda picture: picture.pixels.nbytes)
        self._annotated = Lately[Annotation](ANNOTATED_BYTES, lambda annotation: annotation.map.nbytes)

    def first(self, condition: Condition) -> Annotator:
        """The annotator that a condition begins with, of those whose files are here."""
        return condition.first(lambda name: self.lack(name) is None)

    def method(self, condition: Condition, annotator: object = None) -> str:
        """The name of the annotator that was asked for, or of the one to begin with."""
        if annotator is None:
            return self.first(condition).name
        if annotator not in condition.annotators:
            raise PARAM_CHOICE(
                f"{condition.title} has no such annotator",
                found=repr(annotator),
                allowed="one of " + ", ".join(condition.annotators),
                todo="Change the annotator",
            )
        return str(annotator)

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """Title and name of every model to choose from: the families, then the users' own bases."""
        return (*((family.title, family.name) for family in FAMILIES.values()), *self._bases())

    def picture(self, path: Path) -> Picture:
        """The picture in a file, through the gate; decoded once while the file stays as it is."""
        found = path.stat() if path.exists() else None
        key = f"{path} {found.st_mtime_ns if found else 0} {found.st_size if found else 0}"
        return self._decoded.get(key, lambda: gate.open_picture(path, self.limits))

    def annotation(
        self, name: str, pixels: Pixels, resolution: int, values: Mapping[str, Value]
    ) -> Annotation:
        """The annotation of an RGB uint8 (H, W, 3) picture: at once, or where the networks live.

        The same picture with the same values is not annotated again while its map is kept.
        """
        known: dict[str, Any] = dict(annotators.checked_values(annotators.find(name), dict(values)))

        def annotated() -> Annotation:
            if not annotators.find(name).weights:
                return _kept(annotators.annotate(name, pixels, resolution=resolution, **known))
            return self.answered(self._far(self.asked(name, pixels, resolution, known)))

        wish = AnnotateRequest(
            annotator=name, picture=content_hash(pixels), resolution=resolution, values=known
        )
        return self._annotated.get(wish.to_json(), annotated)

    def asked(
        self, name: str, pixels: Pixels, resolution: int, values: Mapping[str, Value]
    ) -> AnnotateRequest:
        """What the engine is asked for an annotation of an RGB uint8 (H, W, 3) picture."""
        digest = self._pictures.put(pixels)
        return AnnotateRequest(annotator=name, picture=digest, resolution=resolution, values=dict(values))

    def answered(self, found: Annotated) -> Annotation:
        """The annotation that the engine found."""
        return _kept(Annotation(map=self._pictures.get(found.map), data=found.data, notices=found.notices))

    def draft(
        self,
        condition: str,
        picture: Picture | None,
        *,
        typed: object = "",
        annotator: object = None,
        values: Mapping[str, object] | None = None,
        family: str,
        size: object = SIZE.default,
    ) -> Draft:
        """The map for a condition, at the size that the result will have.

        It comes from the picture, or from what was typed where the annotator starts from a text or a pose.
        """
        entry = conditions.find(condition)
        name = self.method(entry, annotator)
        method = annotators.find(name)
        if method.source == "picture" and picture is None:
            raise IMG_EMPTY("There is no picture yet", todo="Drop one in, paste one, or use the camera")
        known = gate.check_values(method.params, values or {})
        if picture is not None and method.source == "picture":
            annotation, notices = self._from_picture(entry, method, picture, known, _family(family), size)
        else:
            annotation, notices = self._from_typed(entry, method, typed, known, _family(family), size)
        return Draft(
            condition=entry,
            annotator=name,
            values=known,
            map=annotation.map,
            data=annotation.data,
            notices=(*notices, *annotation.notices),
        )

    def _from_picture(
        self,
        condition: Condition,
        method: Annotator,
        picture: Picture,
        values: Mapping[str, Value],
        family: Family,
        size: object,
    ) -> tuple[Annotation, tuple[str, ...]]:
        """The picture is first brought to its final size, and annotated there."""
        width, height, notices = self._final_size(family, size, picture.pixels)
        notices = (*picture.notices, *notices, *own_maps.told(condition, method, picture.pixels))
        if method.keeps:
            own = self._own_map(condition, picture.pixels, width, height)
            taken = self.annotation(method.name, own.map, min(width, height), values)
            return replace(own, map=taken.map, notices=(*own.notices, *taken.notices)), notices
        fitted = fit(picture.pixels, width, height, "area" if method.rescales else condition.resize)
        return self.annotation(method.name, fitted, min(width, height), values), notices

    def _own_map(self, condition: Condition, pixels: Pixels, width: int, height: int) -> Annotation:
        """A user's own map, RGB uint8 (H, W, 3), set right, at the size (height, width).

        It is set right where it is smaller, before or after: enlarged, a blend at a border is an area.
        """
        if width * height < pixels.shape[0] * pixels.shape[1]:
            pixels = fit(pixels, width, height, condition.resize)
        key = f"own map {condition.kind.noun} {content_hash(pixels)}"
        own = self._annotated.get(key, lambda: _kept(condition.kind.tidied(pixels)))
        return replace(own, map=fit(own.map, width, height, condition.resize))

    def _from_typed(
        self,
        condition: Condition,
        method: Annotator,
        typed: object,
        values: Mapping[str, Value],
        family: Family,
        size: object,
    ) -> tuple[Annotation, tuple[str, ...]]:
        """The map has a size of its own, and is shown whole."""
        known: dict[str, Any] = dict(values)
        annotation = annotators.annotate(method.name, source_of(method, typed), **known)
        width, height, notices = self._final_size(family, size, annotation.map)
        whole = contain(annotation.map, width, height, condition.resize)
        return replace(annotation, map=whole), notices

    def request(self, draft: Draft, *, family: str, values: Mapping[str, object]) -> GenerateRequest:
        """The request for a draft; `values` are raw, by the names of `controls`. Draws a seed for -1."""
        known = settled(self.controls, values)
        unit = {param.name: known.pop(param.name) for param in UNIT_PARAMS}
        width, height = draft.size
        control = ControlUnit(
            condition=draft.condition.name,
            map=self._pictures.put(draft.map),
            annotator=draft.annotator,
            values=dict(draft.values),
            **unit,
        )
        request = GenerateRequest(
            controls=(control,), width=width, height=height, **model_fields(family), **known
        )
        return self.accepted(request)

    def accepted(self, request: GenerateRequest) -> GenerateRequest:
        """The request, within bounds, with all its files there, in modes that suit the model, and checked for
        safety as the profile demands it."""
        self._own_files(checked(request, self.limits))
        request = in_modes(request)
        if not safety.is_checked(request, demanded=self.limits.safety):
            return request
        self._require_safety()
        return replace(request, safety=True)

    def keep(self, pixels: Pixels) -> str:
        """The hash of an RGB uint8 (H, W, 3) picture, by which a request names it."""
        return self._pictures.put(pixels)

    def kept(self, digest: str) -> Pixels:
        """The RGB uint8 (H, W, 3) picture of that hash."""
        return self._pictures.get(digest)

    def _final_size(self, family: Family, size: object, pixels: Pixels) -> tuple[int, int, tuple[str, ...]]:
        largest = min(family.largest, self.limits.largest_side)
        if size == SIZE.default:
            return *_natural_size(family, largest, pixels), ()
        width, height, notices = gate.check_size(
            size, multiple=family.multiple, smallest=family.smallest, largest=largest
        )
        return width, height, notices + _far_from_native(family, min(width, height))


def _kept(annotation: Annotation) -> Annotation:
    """The annotation with a map that nobody can change any more, since others will be given the same."""
    map = annotation.map.view()
    map.flags.writeable = False
    return replace(annotation, map=map)


def settled(params: Iterable[Param], values: Mapping[str, object]) -> dict[str, Any]:
    """The values of a run, checked; the size is that of the map by now, and a seed of -1 is drawn.

    The LoRAs are those that the prompt names.
    """
    known: dict[str, Any] = dict(gate.check_values(params, values))
    known.pop(SIZE.name)
    if known["seed"] < 0:
        known["seed"] = secrets.randbelow(LARGEST_SEED + 1)
    known["loras"] = prompts.loras(known[PROMPT.name])
    known[VAE.name] = known[VAE.name] or None
    return known


def fit(
    pixels: Pixels, width: int, height: int, rule: MapResize, *, at: tuple[float, float] = (0.5, 0.5)
) -> Pixels:
    """RGB uint8 (H, W, 3) at exactly (height, width): scaled to cover it, and cropped at the centre.

    "nearest" keeps the exact colours of a palette; "area" averages where it shrinks. `at` is the place of the
    crop across and down, from (0, 0), left and top, to (1, 1).
    """
    old_height, old_width = pixels.shape[:2]
    if (old_height, old_width) == (height, width):
        return pixels
    scale = max(width / old_width, height / old_height)
    grown = (max(width, round(old_width * scale)), max(height, round(old_height * scale)))
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(pixels, grown, interpolation=cv2.INTER_NEAREST_EXACT if rule == "nearest" else smooth)
    left, top = int((grown[0] - width) * at[0]), int((grown[1] - height) * at[1])
    return np.ascontiguousarray(scaled[top : top + height, left : left + width]).astype(np.uint8, copy=False)


def contain(pixels: Pixels, width: int, height: int, rule: MapResize) -> Pixels:
    """RGB uint8 (H, W, 3) whole inside (height, width); what is left over has the colour of its corner."""
    old_height, old_width = pixels.shape[:2]
    scale = min(width / old_width, height / old_height)
    inner = fit(pixels, max(1, round(old_width * scale)), max(1, round(old_height * scale)), rule)
    top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
    whole = np.empty((height, width, 3), np.uint8)
    whole[:] = pixels[0, 0]
    whole[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return whole


def source_of(method: Annotator, typed: object) -> object:
    """What an annotator starts from, out of what was typed: a text, or the plain data of a pose."""
    text = gate.clean_text(typed, label=TYPED[method.source], most=MOST_TYPED)
    return gate.parse_pose(text) if method.source == "pose" else text


def _natural_size(family: Family, largest: int, pixels: Pixels) -> tuple[int, int]:
    """The picture's shape with the short side at the family's own, rounded to what the family can make."""
    old_height, old_width = pixels.shape[:2]
    scale = family.side / min(old_height, old_width)

    def side(length: int) -> int:
        rounded: int = round(length * scale / family.multiple) * family.multiple
        return max(family.smallest, min(largest // family.multiple * family.multiple, rounded))

    return side(old_width), side(old_height)


def _far_from_native(family: Family, short_side: int) -> tuple[str, ...]:
    """What is said of a size that was asked for and is much larger than what the family learnt from."""
    if short_side < MUCH_LARGER * family.side:
        return ()
    own = f"{family.title} learnt from pictures of {family.side} pixels"
    return (f"{own}: larger ones work, and are worse. The size “{SIZE.default}” keeps to its own.",)


def _family(name: object) -> Family:
    if not isinstance(name, str) or name.partition("/")[0] not in FAMILIES:
        raise PARAM_CHOICE(
            "There is no such model family",
            found=repr(name),
            allowed="one of " + ", ".join(FAMILIES),
            todo="Change the model",
        )
    return family_of(name)


def model_fields(model: object) -> dict[str, Any]:
    """The fields of a request that name its model: the family, and the base of one's own, if it is that."""
    return {"family": _family(model).name, "base": own_base(str(model)) or None}
