"""The hours and the weathers: which light they make, and which sky. What a scene is lit by is a `Light`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from training.world.solids import Colour, Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """All that shines in a scene. Colours of light are linear; those of the sky as a screen takes them.

    The key throws shadows: from the way `key`, or if it is `near`, from that point. `above` and `below` come
    from all over the sky and the ground. `horizon` and `zenith` are the sky's ends, `flare` what is around
    the sun or the moon, whose disc of `disc` half degrees stands towards `sun`. `haze` is the distance in
    metres at which things have half the colour of the horizon. `stars` and `snow` go from 0 to 1. `glow` is
    how much things that glow do, and `lamp` a light without shadows that reaches `reach` metres. `detail` is
    how much of the unevenness of things is drawn, and `steps` whether light falls in steps, as in a flat
    drawing.
    """

    key: Point
    near: bool = False
    bright: Colour
    above: Colour
    below: Colour
    horizon: Colour
    zenith: Colour
    flare: Colour = (0.0, 0.0, 0.0)
    sun: Point = (0.0, -1.0, 0.0)
    disc: float = 0.0
    disc_colour: Colour = (1.0, 1.0, 1.0)
    haze: float = 400.0
    stars: float = 0.0
    snow: float = 0.0
    glow: float = 0.0
    lamp: Point = (0.0, 3.0, 0.0)
    lamp_colour: Colour = (0.0, 0.0, 0.0)
    reach: float = 6.0
    cloud: Colour = (1.0, 1.0, 1.0)
    detail: float = 1.0
    steps: float = 0.0

    def but(self, **changes: Any) -> "Light":
        """The same with some of it changed."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """A time of day: how high the sun or moon stands in degrees, and the light and sky it makes."""

    name: str
    height: tuple[float, float]
    bright: Colour
    above: Colour
    below: Colour
    horizon: Colour
    zenith: Colour
    flare: Colour
    disc: float
    disc_colour: Colour
    cloud: Colour
    stars: float = 0.0
    glow: float = 0.0


HOURS: Mapping[str, Hour] = MappingProxyType(
    {
        hour.name: hour
        for hour in (
            Hour(
                name="morning",
                height=(18, 30),
                bright=(1.02, 0.84, 0.62),
                above=(0.34, 0.38, 0.50),
                below=(0.24, 0.21, 0.17),
                horizon=(1.0, 0.87, 0.74),
                zenith=(0.50, 0.74, 0.95),
                flare=(0.50, 0.34, 0.12),
                disc=3.0,
                disc_colour=(1.0, 0.96, 0.80),
                cloud=(1.0, 0.95, 0.90),
            ),
            Hour(
                name="noon",
                height=(48, 62),
                bright=(0.92, 0.88, 0.78),
                above=(0.36, 0.42, 0.50),
                below=(0.26, 0.26, 0.22),
                horizon=(0.80, 0.92, 1.0),
                zenith=(0.28, 0.60, 0.95),
                flare=(0.10, 0.09, 0.04),
                disc=2.6,
                disc_colour=(1.0, 1.0, 0.86),
                cloud=(1.0, 1.0, 1.0),
            ),
            Hour(
                name="sunset",
                height=(10, 16),
                bright=(1.15, 0.58, 0.26),
                above=(0.40, 0.31, 0.40),
                below=(0.26, 0.18, 0.15),
                horizon=(1.0, 0.62, 0.32),
                zenith=(0.46, 0.42, 0.70),
                flare=(0.50, 0.26, 0.02),
                disc=4.0,
                disc_colour=(1.0, 0.90, 0.55),
                cloud=(1.0, 0.70, 0.58),
                glow=0.35,
            ),
            Hour(
                name="dusk",
                height=(14, 22),
                bright=(0.34, 0.26, 0.36),
                above=(0.26, 0.25, 0.42),
                below=(0.14, 0.12, 0.16),
                horizon=(0.88, 0.56, 0.62),
                zenith=(0.22, 0.22, 0.48),
                flare=(0.22, 0.10, 0.04),
                disc=0.0,
                disc_colour=(1.0, 1.0, 1.0),
                cloud=(0.62, 0.48, 0.64),
                stars=0.25,
                glow=0.9,
            ),
            Hour(
                name="night",
                height=(32, 40),
                bright=(0.17, 0.21, 0.34),
                above=(0.085, 0.11, 0.21),
                below=(0.045, 0.05, 0.085),
                horizon=(0.20, 0.27, 0.46),
                zenith=(0.05, 0.07, 0.20),
                flare=(0.10, 0.12, 0.18),
                disc=3.4,
                disc_colour=(0.98, 0.97, 0.86),
                cloud=(0.22, 0.26, 0.40),
                stars=1.0,
                glow=1.0,
            ),
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What the air does with the light of an hour.

    `spoken` is how often captions speak of it, `grey` is how much of the sky's colour is taken by its
    greyness, `direct` how much of the key is left.
    """

    name: str
    grey: float = 0.0
    direct: float = 1.0
    diffuse: float = 1.0
    haze: float = 420.0
    clouds: tuple[int, int] = (1, 4)
    snow: float = 0.0
    falling: str = ""
    spoken: float = 0.8
    hours: tuple[str, ...] = ("morning", "noon", "sunset", "dusk", "night")


WEATHERS: Mapping[str, Weather] = MappingProxyType(
    {
        weather.name: weather
        for weather in (
            Weather(name="clear", spoken=0.45, clouds=(0, 1)),
            Weather(name="fair", spoken=0.45, clouds=(2, 5), hours=("morning", "noon", "sunset")),
            Weather(
                name="cloudy",
                grey=0.7,
                direct=0.22,
                diffuse=1.35,
                haze=260.0,
                clouds=(4, 6),
                hours=("morning", "noon"),
            ),
            Weather(
                name="rainy",
                grey=0.85,
                direct=0.06,
                diffuse=1.15,
                haze=110.0,
                clouds=(3, 5),
                falling="rain",
                hours=("morning", "noon", "dusk"),
            ),
            Weather(
                name="foggy",
                grey=0.8,
                direct=0.14,
                diffuse=1.3,
                haze=36.0,
                clouds=(0, 0),
                hours=("morning", "noon", "dusk"),
            ),
            Weather(
                name="snowy",
                grey=0.55,
                direct=0.45,
                diffuse=1.15,
                haze=160.0,
                clouds=(1, 3),
                snow=1.0,
                falling="snow",
                hours=("morning", "noon", "dusk", "night"),
            ),
        )
    }
)


def outdoors(hour: Hour, weather: Weather, *, height: float, bearing: float, showing: float) -> Light:
    """The light of an hour in a weather. The key comes from `bearing` degrees, 0 behind the viewer, to the
    right above 0; the disc is seen towards `showing` degrees, 0 straight ahead."""
    grey = sum(hour.horizon) / 3 * 0.96
    flat = (grey * 0.97, grey, grey * 1.02)
    top = sum(hour.zenith) / 3 * 0.9 + 0.06
    soft = sum(hour.above) / 3

    def mix(first: Colour, second: Colour, share: float) -> Colour:
        red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
        return red, green, blue

    def times(colour: Colour, factor: float) -> Colour:
        return colour[0] * factor, colour[1] * factor, colour[2] * factor

    clear = 1.0 - weather.grey
    low = hour.name != "noon"
    return Light(
        key=_way(height, bearing),
        bright=times(hour.bright, weather.direct),
        above=times(mix(hour.above, (soft, soft, soft * 1.05), weather.grey), weather.diffuse),
        below=times(hour.below, weather.diffuse),
        horizon=mix(hour.horizon, flat, weather.grey),
        zenith=mix(hour.zenith, (top, top * 1.01, top * 1.05), weather.grey),
        flare=times(hour.flare, clear),
        sun=_way(height * 0.5 if low else 80.0, 180.0 - showing),
        disc=hour.disc if weather.grey < 0.3 else 0.0,
        disc_colour=hour.disc_colour,
        haze=weather.haze,
        stars=hour.stars * clear,
        snow=weather.snow,
        glow=hour.glow if hour.glow else 0.25 * (weather.grey > 0.8),
        cloud=mix(hour.cloud, times(flat, 0.93), weather.grey),
    )


def _way(height: float, bearing: float) -> Point:
    up, turn = math.radians(height), math.radians(bearing)
    return math.cos(up) * math.sin(turn), math.sin(up), math.cos(up) * math.cos(turn)
