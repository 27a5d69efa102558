"""The kinds of scenes, as a table: which share of all scenes each has, and what draws its recipe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from training.world.kinds import farm, landscape, people, room, still, street, water
from training.world.recipe import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of scene. `snow` tells whether it may lie there."""

    name: str
    share: float
    recipe: Callable[[Draft], None]
    snow: bool = True


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind(name="cottage", share=0.14, recipe=landscape.cottage),
            Kind(name="mountains", share=0.06, recipe=landscape.wild),
            Kind(name="castle", share=0.05, recipe=landscape.fortress),
            Kind(name="windmill", share=0.04, recipe=landscape.mill),
            Kind(name="lake", share=0.07, recipe=water.lake),
            Kind(name="sea", share=0.08, recipe=water.sea),
            Kind(name="street", share=0.07, recipe=street.across),
            Kind(name="road", share=0.05, recipe=street.along),
            Kind(name="park", share=0.04, recipe=street.park),
            Kind(name="farm", share=0.06, recipe=farm.farm),
            Kind(name="wild animals", share=0.05, recipe=farm.wildlife),
            Kind(name="pond", share=0.03, recipe=farm.pond, snow=False),
            Kind(name="garden", share=0.03, recipe=still.garden, snow=False),
            Kind(name="people", share=0.13, recipe=people.group),
            Kind(name="people indoors", share=0.06, recipe=people.indoors),
            Kind(name="living room", share=0.05, recipe=room.living),
            Kind(name="bedroom", share=0.04, recipe=room.bedroom),
            Kind(name="kitchen", share=0.04, recipe=room.kitchen),
            Kind(name="table", share=0.07, recipe=still.table_top),
        )
    }
)
