"""From several controls, a start picture and a mask to one request, all brought to one size.

Extending the canvas is inpainting: the new border is the hole, and what the controls say stays where it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

import gate
from annotators.base import Pixels
from errors import IMG_EMPTY, PARAM_RANGE
from pipelines.request import ControlUnit, GenerateRequest
from pipelines.request.controls import DENOISE, SIDE_PARAMS, START_PARAMS, UNIT_PARAMS
from pipelines.request.intake import Desk, Draft, fit, model_fields, settled

SAME_SHAPE = 0.03  # of the sides' proportion; sizes are rounded to whole pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One control of a stack: its draft, and its raw settings by the names of UNIT_PARAMS.

    `region` is RGB uint8 (H, W, 3) of any size, white where the control acts; None is everywhere.
    """

    draft: Draft
    values: Mapping[str, object] = field(default_factory=dict)
    layer_weights: tuple[float, ...] = ()
    region: Pixels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """By how many pixels a canvas grows on each side."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __post_init__(self) -> None:
        for side in (self.left, self.top, self.right, self.bottom):
            if side < 0:
                raise PARAM_RANGE(
                    "A canvas can only grow",
                    found=f"{side} pixels",
                    allowed="0 and more",
                    todo="Change extend",
                )

    @classmethod
    def of(cls, values: Mapping[str, object]) -> "Sides":
        """From raw values by the names of SIDE_PARAMS."""
        known: Mapping[str, Any] = gate.check_values(SIDE_PARAMS, values)
        return cls(**known)

    def __bool__(self) -> bool:
        return any((self.left, self.top, self.right, self.bottom))

    def grown(self, pixels: Pixels, colour: int | None) -> Pixels:
        """RGB uint8 (H, W, 3) with a border of one grey, or with its own edge drawn out."""
        kind = cv2.BORDER_REPLICATE if colour is None else cv2.BORDER_CONSTANT
        widths = (self.top, self.bottom, self.left, self.right)
        return np.asarray(cv2.copyMakeBorder(pixels, *widths, kind, value=(colour or 0,) * 3), np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a picture begins with, RGB uint8 (H, W, 3) of any size; raw values by the names of START_PARAMS.

    `mask` is white where new is made; `sides` are added to the canvas, and made new.
    """

    init: Pixels
    mask: Pixels | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    sides: Sides = Sides()


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """All pictures of a request, RGB uint8 in its one size (width, height), of controls and of the start."""

    size: tuple[int, int]
    maps: tuple[Pixels, ...]
    regions: tuple[Pixels | None, ...]
    init: Pixels | None = None
    mask: Pixels | None = None

    def grown(self, sides: Sides, holed: Sequence[bool]) -> "Laid":
        """The same on a larger canvas, of whose new part only maps speak that have it as their hole."""
        assert self.init is not None, "only a picture can be extended"
        nowhere, everywhere = np.zeros_like(self.init), np.full_like(self.init, 255)
        units = list(zip(self.maps, self.regions, holed, strict=True))
        width, height = self.size
        return Laid(
            size=(width + sides.left + sides.right, height + sides.top + sides.bottom),
            maps=tuple(sides.grown(map, None if hole else 0) for map, _, hole in units),
            regions=tuple(
                # where there was no region, it was all of the old part
                region
                if hole and region is None
                else sides.grown(everywhere if region is None else region, 255 if hole else 0)
                for _, region, hole in units
            ),
            init=sides.grown(self.init, None),
            mask=sides.grown(nowhere if self.mask is None else self.mask, 255),
        )


def compose(
    desk: Desk,
    layers: Sequence[Layer],
    *,
    family: str,
    values: Mapping[str, object],
    ground: Ground | None = None,
    size: tuple[int, int] | None = None,
) -> GenerateRequest:
    """The request for a stack of controls and what they begin with; without a control it needs a `size`.

    `values` are raw, by the names of the desk's controls without those of a single control.
    """
    of_units = {param.name for param in UNIT_PARAMS}
    known = settled([param for param in desk.controls if param.name not in of_units], values)
    if ground is not None:
        default = {DENOISE.name: 1.0} if ground.sides else {}  # of what is not there nothing is kept
        known |= gate.check_values(START_PARAMS, default | dict(ground.values))
    laid = lay_out(layers, ground, size)
    units = zip(layers, laid.maps, laid.regions, strict=True)
    width, height = laid.size
    request = GenerateRequest(
        controls=tuple(_unit(desk, layer, map, region) for layer, map, region in units),
        init=None if laid.init is None else desk.keep(laid.init),
        mask=None if laid.mask is None else desk.keep(laid.mask),
        width=width,
        height=height,
        **model_fields(family),
        **known,
    )
    return desk.accepted(request)


def alone(
    desk: Desk, draft: Draft, *, family: str, values: Mapping[str, object], ground: Ground | None
) -> GenerateRequest:
    """The request for one control; `values` are raw, by the names of the desk's controls."""
    of_unit = {param.name for param in UNIT_PARAMS}
    layer = Layer(draft=draft, values={name: value for name, value in values.items() if name in of_unit})
    rest = {name: value for name, value in values.items() if name not in of_unit}
    return compose(desk, [layer], family=family, values=rest, ground=ground)


def _unit(desk: Desk, layer: Layer, map: Pixels, region: Pixels | None) -> ControlUnit:
    values: dict[str, Any] = dict(gate.check_values(UNIT_PARAMS, layer.values))
    return ControlUnit(
        condition=layer.draft.condition.name,
        map=desk.keep(map),
        annotator=layer.draft.annotator,
        values=dict(layer.draft.values),
        layer_weights=layer.layer_weights,
        region=None if region is None else desk.keep(region),
        **values,
    )


def lay_out(layers: Sequence[Layer], ground: Ground | None, size: tuple[int, int] | None = None) -> Laid:
    """All pictures of a request at the size of its maps, width and height, and then of the canvas."""
    sizes = list(dict.fromkeys([*(layer.draft.size for layer in layers), *([size] if size else [])]))
    assert sizes, "a stack without a control comes with a size"
    if len(sizes) > 1:
        raise PARAM_RANGE(
            "The maps of these controls have different sizes",
            found=", ".join(f"{width}x{height}" for width, height in sizes),
            allowed="one size",
            todo="Make all maps at the same size",
        )

    def plane(pixels: Pixels | None) -> Pixels | None:
        return None if pixels is None else grey(fit(pixels, *sizes[0], "area"))

    laid = Laid(
        size=sizes[0],
        maps=tuple(layer.draft.map for layer in layers),
        regions=tuple(plane(layer.region) for layer in layers),
        init=None if ground is None else fit(ground.init, *sizes[0], "area"),
        mask=None if ground is None else plane(ground.mask),
    )
    if laid.mask is not None and not laid.mask.any():
        raise IMG_EMPTY("Nothing is marked in the mask", todo="Paint over what is to be made anew, in white")
    if ground is not None and ground.mask is not None:
        _check_shapes(ground.init, ground.mask)
    if ground is None or not ground.sides:
        return laid
    return laid.grown(ground.sides, [layer.draft.condition.has_hole for layer in layers])


def _check_shapes(init: Pixels, mask: Pixels) -> None:
    """Refuse a mask that would be cut to size in another place than the picture below it."""
    (height, width), (mask_height, mask_width) = init.shape[:2], mask.shape[:2]
    if abs(np.log(width * mask_height / (height * mask_width))) > SAME_SHAPE:
        raise PARAM_RANGE(
            "The mask has another shape than the start picture",
            found=f"{mask_width}x{mask_height} over {width}x{height}",
            allowed="the same proportions",
            todo="Bring a mask of the picture's shape",
        )


def grey(pixels: Pixels) -> Pixels:
    """RGB uint8 (H, W, 3) without colour."""
    plane = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.repeat(np.asarray(plane, np.uint8)[..., None], 3, axis=2)
