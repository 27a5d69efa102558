"""Captions: words of the vocabulary only, enough of them, and true."""

import colorsys
import re
from collections import Counter

import pytest
import torch

from training.world import words
from training.world.caption import LEAST, Seen, caption
from training.world.colours import COLOURS, could_be_called
from training.world.recipe import Scene
from training.world.render import World
from training.world.scene import scene
from training.world.styles import STYLES

HUES = {
    "red": 0,
    "orange": 28,
    "yellow": 49,
    "green": 123,
    "turquoise": 178,
    "blue": 220,
    "purple": 274,
    "pink": 339,
}


@pytest.fixture(scope="module")
def captions(scenes: list[Scene]) -> list[str]:
    """Captions of scenes of which everything is seen: so none has to be rendered."""
    return [caption(own, Seen()) for own in scenes]


def said(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text)


def test_only_words_of_the_vocabulary_are_used(captions: list[str], small: World) -> None:
    used = {word for text in (*captions, *small.captions) for word in said(text)}
    assert used <= words.WORDS


def test_at_least_150_words_are_reached(captions: list[str]) -> None:
    used = {word for text in captions for word in said(text)} - {
        *words.VOCABULARY["glue"],
        *words.VOCABULARY["numbers"],
    }
    assert len(used) >= 150
    assert words.WORDS - used <= {*words.VOCABULARY["glue"], *words.VOCABULARY["numbers"]}


def test_captions_vary(captions: list[str]) -> None:
    many = len(captions)
    assert len(set(captions)) > 0.93 * many
    assert max(Counter(text.split(",")[0] for text in captions).values()) < 0.02 * many
    lengths = sorted(len(said(text)) for text in captions)
    assert lengths[many // 20] <= 8
    assert 12 <= lengths[many // 2] <= 24
    # With its commas, a beginning and an end, the longest fits into the 77 places of the text model.
    assert max(len(re.findall(r"[a-z]+|,", text)) for text in captions) <= 75


def test_captions_are_well_formed(captions: list[str]) -> None:
    for text in captions:
        assert text == text.strip()
        assert not re.search(r" ,|,,|  |^,|,$| a [aeiou]| an [^aeiou]", f" {text}".replace(" a u", " "))
        assert re.fullmatch(r"[a-z, ]+", text)


def test_the_caption_of_a_seed_stays_the_same() -> None:
    assert [caption(scene(seed), Seen()) for seed in range(40)] == [
        caption(scene(seed), Seen()) for seed in range(40)
    ]


def test_what_is_not_seen_is_not_spoken_of() -> None:
    nothing = Seen(shares={})
    for seed in range(300):
        own = scene(seed)
        text = caption(own, nothing)
        about = {word for thing in own.things for word in thing.word.split()} - set(own.where.split())
        about -= set(said(" ".join((*STYLES[own.style].before, *STYLES[own.style].after))))
        assert not about & set(said(text)), text


def test_a_colour_is_named_only_if_it_is_seen() -> None:
    for seed in range(300):
        own = scene(seed)
        numbers = [number for thing in own.things for number in thing.numbers]
        odd = (0.33, 0.36, 0.06)  # a colour that has no name here
        assert not any(could_be_called(odd, name) for name in ("pink", "white", "purple", "blue", "red"))
        seen = Seen(shares=dict.fromkeys(numbers, 0.1), colours=dict.fromkeys(numbers, odd))
        assert not {"pink", "white", "purple", "blue", "red"} & set(said(caption(own, seen)))


def test_line_drawings_name_no_colours(scenes: list[Scene], captions: list[str]) -> None:
    drawings = [text for own, text in zip(scenes, captions, strict=True) if not STYLES[own.style].colours]
    assert len(drawings) > 200
    colours = set(COLOURS) - {"black"}  # the ink
    assert not any(colours & set(said(text)) for text in drawings)


def test_line_drawings_name_an_hour_only_if_stars_tell_it(scenes: list[Scene], captions: list[str]) -> None:
    hours = {
        phrase for some in (words.TIMES, words.INDOORS) for phrases in some.values() for phrase in phrases
    }
    for own, text in zip(scenes, captions, strict=True):
        if own.style == "line" and (own.lit_by != "sky" or not own.setting.hour.stars):
            assert not (hours - {""}) & {part.strip() for part in text.split(",")}, text


def fits(colour: tuple[float, float, float], name: str) -> bool:
    """Whether a colour is what people call by a name, by its hue, its strength and its brightness alone."""
    hue, strength, value = colorsys.rgb_to_hsv(*colour)
    if name in ("white", "grey", "black", "beige"):
        bright = {
            "white": value > 0.65,
            "grey": 0.3 < value < 0.85,
            "black": value < 0.4,
            "beige": value > 0.6,
        }
        return strength < 0.5 and bright[name]
    if name == "brown":
        return value < 0.75 and (hue * 360 < 60 or hue * 360 > 330)
    away = abs(hue * 360 - HUES[name]) % 360
    return strength > 0.15 and min(away, 360 - away) < 32


def named(world: World, number: int) -> list[tuple[int, str]]:
    """The numbers of things and parts whose colour the caption names, as far as that can be told for sure."""
    text = f" {world.captions[number]} ".replace(",", " ,")
    found = []
    own = world.scenes[number]
    names = [(thing.number, thing.colour, [thing.made, ""], thing.word) for thing in own.things]
    names += [(part.number, part.colour, [""], part.word) for thing in own.things for part in thing.parts]
    for place, colour, made, word in names:
        alone = sum(other[3] == word for other in names) == 1
        if alone and any(f" {colour} {f'{m} ' if m else ''}{word} " in text for m in made):
            found.append((place, colour))
    return found


def test_named_colours_are_those_of_the_masks_under_white_light(small: World) -> None:
    wrong, total = [], 0
    for number in range(len(small.scenes)):
        for place, name in named(small, number):
            mask = small.things[number] == place
            red, green, blue = (small.white[number][:, mask].float().mean(dim=1) / 255).tolist()
            total += 1
            if not fits((red, green, blue), name):
                wrong.append((small.captions[number], name, (red, green, blue)))
    assert total > 60
    assert len(wrong) <= 0.03 * total, wrong


def test_named_colours_are_seen_in_pictures_in_daylight(small: World) -> None:
    right, total = 0, 0
    for number, own in enumerate(small.scenes):
        plain = (
            own.lit_by == "sky"
            and own.setting.hour.name in ("noon", "morning")
            and own.style in ("photo", "flat")
        )
        if not plain or own.setting.weather.grey:
            continue
        for place, name in named(small, number):
            mask = small.things[number] == place
            red, green, blue = (small.picture[number][:, mask].float().mean(dim=1) / 255).tolist()
            total += 1
            right += fits((red, green, blue), name) or could_be_called((red, green, blue), name)
    assert total > 12
    assert right >= 0.85 * total


def test_counts_are_right(small: World) -> None:
    for number, own in enumerate(small.scenes):
        for count, word in words.NUMBER_WORDS.items():
            for match in re.findall(rf"\b{word} ([a-z ]+)", small.captions[number]):
                seen = Counter(
                    words.plural(thing.word)
                    for thing in own.things
                    if sum((small.things[number] == n).float().mean().item() for n in thing.numbers)
                    >= LEAST * 0.99
                )
                nouns = [noun for noun in seen if noun in match]
                assert nouns
                assert max(seen[noun] for noun in nouns) >= count


def test_names_of_colours_do_not_mean_each_other() -> None:
    for name, colour in COLOURS.items():
        assert could_be_called(colour, name)
        assert sum(could_be_called(colour, other) for other in COLOURS) <= 2
        assert fits(colour, name)
    assert torch.tensor(list(COLOURS.values())).shape == (13, 3)
