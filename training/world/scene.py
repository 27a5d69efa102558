"""From a seed to a scene: which kind, when, in which style, and what its recipe makes of it."""

from types import MappingProxyType

from training.world.dice import Dice
from training.world.kinds import KINDS, Kind
from training.world.recipe import Draft, Scene
from training.world.settings import setting_of
from training.world.styles import STYLES, Style
from training.world.tables import Matter

STYLE_SHARES = MappingProxyType({"photo": 0.4, "flat": 0.28, "watercolour": 0.16, "line": 0.16})


def drafted(seed: int) -> tuple[Kind, Style, Draft]:
    """The kind and the style of a seed's scene, and the draft that its recipe has filled in."""
    dice = Dice(seed)
    kind = KINDS[dice.weighted({kind.name: kind.share for kind in KINDS.values()})]
    style = STYLES[dice.weighted(STYLE_SHARES)]
    draft = Draft(dice, setting_of(dice, snow=kind.snow))
    kind.recipe(draft)
    return kind, style, draft


def scene(seed: int) -> Scene:
    """The scene of a seed; always the same one."""
    kind, style, draft = drafted(seed)
    return Scene(
        seed=seed,
        kind=kind.name,
        style=style.name,
        setting=draft.setting,
        where=draft.dice.pick(draft.where),
        lit_by=draft.lit_by,
        seasonal=draft.ground.kind == "grass",
        matter=Matter.of(draft.ground, draft.ground_thing, draft.root.solids),
        camera=draft.camera,
        light=draft.light.but(detail=style.detail, steps=style.steps),
        things=tuple(draft.things),
        figures=tuple(draft.figures),
    )
