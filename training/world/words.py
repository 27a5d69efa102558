"""The vocabulary: every word that a caption can have, by what it is about."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

Phrases: TypeAlias = Mapping[str, tuple[str, ...]]

# Things that a caption begins with, if they are there, and things that are around them.
MAIN = (
    *("house castle windmill lighthouse tent barn building shop snowman car bus truck bicycle bench".split()),
    *("sailing boat,rowing boat,teddy bear,beach ball,traffic light".split(",")),
    *("man woman boy girl dog cat horse cow sheep pig goat fox bear elephant deer giraffe".split()),
    *("duck hen bird swan flower mushroom bed sofa armchair table fireplace television".split()),
    *("ball cube box cone cylinder pyramid cup teapot bowl cake vase bottle apple pear lemon books".split()),
    *("candle", "lamp"),
)
AROUND = (
    *("tree pine poplar birch palm bush rock mountains path lake sea beach pond fence".split()),
    *("apple tree,bare tree,street lamp".split(",")),
    *("chair cabinet wardrobe bookcase rug painting clock mirror window curtains door plant".split()),
    *("wall walls floor tablecloth".split()),
)
BACKDROP, BEHIND = ("building", "shop", "table"), 0.2
# What may be there more than once, all alike.
SEVERAL = (
    *("tree pine poplar birch palm bush rock fence chair lamp vase building flower mushroom".split()),
    *("dog cat horse cow sheep pig goat fox bear elephant deer giraffe duck hen bird swan".split()),
)
PEOPLE = ("man", "woman", "boy", "girl")
MANY = ("walls", "mountains", "curtains", "books")  # plural as they are
NUMBER_WORDS: Mapping[int, str] = MappingProxyType({2: "two", 3: "three", 4: "four"})
_PLURALS: Mapping[str, str] = MappingProxyType(
    {word: word for word in (*MANY, "sheep", "deer")}
    | {"man": "men", "woman": "women"}
    | {word: f"{word}es" for word in ("box", "bus", "bush", "fox", "birch", "bench")}
)


def plural(word: str) -> str:
    """Several of them."""
    return _PLURALS.get(word, f"{word}s")


TIMES: Phrases = MappingProxyType(
    {
        "morning": ("in the morning", "at sunrise", "in the early morning"),
        "noon": ("at noon", "by day", "in daylight", "at midday"),
        "sunset": ("at sunset", "at sunset", "in the evening"),
        "dusk": ("at dusk", "at twilight", "in the late evening"),
        "night": ("at night", "at night", "by night"),
    }
)
STARRY = ("under the stars", "in the moonlight")
INDOORS: Phrases = MappingProxyType(
    {
        "lamp": ("in the evening", "by lamplight", "at night"),
        "window": ("by day", "in daylight", ""),
        "": ("",),
    }
)
WEATHER: Phrases = MappingProxyType(
    {
        "clear": ("clear sky", "under a clear sky"),
        "fair": ("with clouds in the sky", "some clouds"),
        "cloudy": ("overcast", "cloudy sky", "under clouds", "cloudy"),
        "rainy": ("in the rain", "rain", "rainy"),
        "foggy": ("in the fog", "fog", "misty", "foggy"),
        "snowy": ("in the snow", "snow", "falling snow", "snowy"),
    }
)
SUNNY = ("sunny", "in the sunshine")
MOODS: Phrases = MappingProxyType(
    {
        "sunny": ("cheerful", "happy", "bright"),
        "sunset": ("warm", "golden", "romantic", "peaceful"),
        "starry": ("calm", "quiet", "peaceful", "magical", "dreamy"),
        "cloudy": ("quiet", "calm", "gloomy"),
        "rainy": ("gloomy", "sad"),
        "foggy": ("mysterious", "dreamy", "quiet"),
        "snowy": ("cold", "frosty", "quiet"),
        "lamp": ("cosy", "warm", "calm"),
        "window": ("tidy", "bright", "cheerful"),
        "": (),
    }
)
COMPANY, ALONE = ("lively",), ("lonely",)
COLOURLESS = ("quiet", "calm", "peaceful", "lively", "lonely", "cosy", "tidy")  # seen without colours, too


def _split(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for text in texts for word in text.replace(",", " ").split()))


def _of(phrases: Phrases) -> tuple[str, ...]:
    return _split(*(phrase for some in phrases.values() for phrase in some))


VOCABULARY: Phrases = MappingProxyType(
    {
        "things": _split(
            *MAIN,
            *AROUND,
            *map(plural, SEVERAL),
            "roof roofs flags sails awning blanket bands shirt jumper trousers shorts skirt dress hat",
        ),
        "colours": _split("red orange yellow green turquoise blue purple pink brown beige white grey black"),
        "materials": _split("wooden brick stone tiled carpeted marble"),
        "doing": _split(
            "standing walking running with arms up raised cheering waving pointing hands on hips wide open",
            "dancing jumping kicking bowing crouching kneeling sitting ground resting stretching thinking",
            "swimming pot",
        ),
        "places": _split(
            "meadow countryside field mountains valley hill lake sea coast beach street town city road park",
            "farm savanna dry grass wild forest clearing woods garden pond living bedroom kitchen dining",
            "room indoors outdoors table by under along",
        ),
        "times": _split(*_of(TIMES), *STARRY, *_of(INDOORS)),
        "weather": _split(*_of(WEATHER), *SUNNY),
        "seasons": _split("spring summer autumn winter"),
        "moods": _split(*_of(MOODS), *COMPANY, *ALONE),
        "styles": _split(
            "photo photograph realistic picture flat drawing illustration cartoon style line ink pen sketch",
            "black watercolour painting",
        ),
        "numbers": _split("a an some", *NUMBER_WORDS.values()),
        "glue": _split("of in on at the and with"),
    }
)
WORDS = frozenset(word for some in VOCABULARY.values() for word in some)
