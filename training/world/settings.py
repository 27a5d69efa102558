"""When a scene is: its hour, weather and season, and what follows for light, leaves and grass."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from training.world.colours import mixed
from training.world.dice import Dice
from training.world.light import HOURS, WEATHERS, Hour, Light, Weather, outdoors
from training.world.solids import Colour, Paint


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """The colours of a season, and which share of broad trees is bare."""

    name: str
    grass: Colour
    leaves: tuple[Colour, ...]
    blossom: tuple[Colour, ...] = ()
    bare: float = 0.0


SEASONS: Mapping[str, Season] = MappingProxyType(
    {
        season.name: season
        for season in (
            Season(
                name="spring",
                grass=(0.50, 0.78, 0.32),
                leaves=((0.50, 0.74, 0.28), (0.97, 0.71, 0.80), (0.98, 0.90, 0.92), (0.42, 0.70, 0.32)),
                blossom=((0.97, 0.60, 0.74), (0.99, 0.86, 0.30), (0.98, 0.97, 0.94)),
            ),
            Season(
                name="summer",
                grass=(0.42, 0.72, 0.30),
                leaves=((0.24, 0.58, 0.24), (0.32, 0.64, 0.26), (0.20, 0.52, 0.28)),
                blossom=((0.88, 0.24, 0.24), (0.98, 0.80, 0.22), (0.60, 0.36, 0.76), (0.97, 0.60, 0.74)),
            ),
            Season(
                name="autumn",
                grass=(0.62, 0.66, 0.28),
                leaves=((0.92, 0.48, 0.14), (0.84, 0.26, 0.16), (0.96, 0.72, 0.18), (0.72, 0.40, 0.16)),
                bare=0.1,
            ),
            Season(name="winter", grass=(0.55, 0.60, 0.36), leaves=((0.26, 0.50, 0.30),), bare=0.85),
        )
    }
)
NEEDLES = (0.13, 0.40, 0.28)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The time and the air of a scene."""

    hour: Hour
    weather: Weather
    season: Season
    light: Light

    @property
    def dark(self) -> bool:
        """Whether people have their lamps on."""
        return self.hour.stars > 0 or self.weather.falling == "rain"

    @property
    def grass(self) -> Paint:
        """The ground of the season."""
        return Paint("grass", self.season.grass, mottle=0.13)


HOUR_SHARES = MappingProxyType({"morning": 0.18, "noon": 0.36, "sunset": 0.2, "dusk": 0.12, "night": 0.14})
WEATHER_SHARES = MappingProxyType(
    {"clear": 0.30, "fair": 0.30, "cloudy": 0.10, "rainy": 0.08, "foggy": 0.06, "snowy": 0.14}
)


def setting_of(dice: Dice, *, snow: bool = True) -> Setting:
    """An hour with a weather that it can have, and a season that goes with both; `snow` tells whether it may
    snow."""
    hour = HOURS[dice.weighted(HOUR_SHARES)]
    fits = {
        name: share
        for name, share in WEATHER_SHARES.items()
        if hour.name in WEATHERS[name].hours and (snow or not WEATHERS[name].snow)
    }
    weather = WEATHERS[dice.weighted(fits)]
    seasons = {"spring": 0.25, "summer": 0.4, "autumn": 0.25, "winter": 0.06 * snow}
    season = SEASONS["winter" if weather.snow else dice.weighted(seasons)]
    side = dice.sign()
    light = outdoors(
        hour,
        weather,
        height=dice.between(*hour.height),
        bearing=side * dice.between(28, 62),
        showing=side * dice.between(6, 15),
    )
    return Setting(hour=hour, weather=weather, season=season, light=light)


def leaf(setting: Setting, dice: Dice) -> Colour:
    """A colour of leaves in this season."""
    own = dice.pick(setting.season.leaves)
    return mixed(own, dice.pick(setting.season.leaves), 0.15)
