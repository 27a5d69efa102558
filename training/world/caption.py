"""Captions from the facts of a scene: true, in words of the vocabulary, and in changing order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.world import words
from training.world.colours import could_be_called
from training.world.dice import Dice
from training.world.recipe import Part, Scene, Thing
from training.world.solids import Colour
from training.world.styles import STYLES

LEAST = 0.004  # of the picture: what is smaller is not spoken of
LEAST_PART = 0.0015


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What of a scene is seen in its picture, by the numbers of things and parts.

    `shares` is how much of the picture each fills, `colours` its mean colour under white light. Without them
    all things count as seen, in their colours.
    """

    shares: Mapping[int, float] | None = None
    colours: Mapping[int, Colour] = field(default_factory=dict)

    def share(self, *numbers: int) -> float:
        """How much of the picture they fill together."""
        return 1.0 if self.shares is None else sum(self.shares.get(number, 0.0) for number in numbers)

    def colour(self, number: int, name: str) -> str:
        """The name, if this is what the colour is called."""
        own = self.colours.get(number)
        return name if own is None or could_be_called(own, name) else ""


class _Speaker:
    """Chooses what is said of one scene, and how."""

    def __init__(self, scene: Scene, seen: Seen) -> None:
        self.scene = scene
        self.seen = seen
        self.dice = Dice(scene.seed ^ 0x5EED)
        self.style = STYLES[scene.style]
        self.things = [thing for thing in scene.things if seen.share(*thing.numbers) >= LEAST]

    def caption(self) -> str:
        """All that is said, in one of several orders."""
        dice = self.dice
        about = self._about()
        when, air, mood = self._when(), self._air(), self._mood()
        order = dice.weighted({"short": 0.14, "before": 0.42, "when": 0.12, "after": 0.32})
        if order == "short":  # as people write who are in a hurry
            return about
        if order == "before":
            head, mood = self._headed(mood)
            said = [f"{head} {about}", when, air, mood]
        elif order == "when":
            said = [when, about, air, mood, dice.pick(self.style.after)]
        else:
            said = [about, when, air, mood, dice.pick(self.style.after)]
        return ", ".join(part for part in said if part)

    def _headed(self, mood: str) -> tuple[str, str]:
        """The words before what is shown, and the mood if it is not already among them."""
        before = self.dice.pick(self.style.before)
        if not mood or self.dice.chance(0.4):
            return before, mood
        return f"{_article(mood)} {mood} {before.split(' ', 1)[1]}", ""

    def _about(self) -> str:
        """The things and their place."""
        main, around = self._chosen()
        where = self.scene.where if self.dice.chance(0.85) or not main + around else ""
        spoken = [self._group(group) for group in main]
        what = _listed(spoken)
        if around:
            others = _listed([self._group(group) for group in around])
            what = (
                f"{what} with {others}"
                if what and not spoken[-1].count(" with ")
                else _listed([what, others])
            )
        return " ".join(part for part in (what, where) if part)

    def _chosen(self) -> tuple[list[list[Thing]], list[list[Thing]]]:
        """The groups of things that are spoken of, the largest first: those that matter, and those around."""
        place = self.scene.where.split()
        groups = _grouped([thing for thing in self.things if thing.word not in place])
        groups.sort(key=self._weight)
        main = [group for group in groups if group[0].word in words.MAIN]
        around = [group for group in groups if group[0].word not in words.MAIN]
        main = main[: self.dice.weighted({1: 0.35, 2: 0.4, 3: 0.25})]
        wanted = self.dice.whole(1, 2) if not main or self.dice.chance(0.45) else 0
        return main, self.dice.some(around[:4], wanted)

    def _weight(self, group: Sequence[Thing]) -> float:
        """Less for what fills more of the picture; what only stands behind counts for little."""
        share = sum(self.seen.share(*thing.numbers) for thing in group)
        return -share * (words.BEHIND if group[0].word in words.BACKDROP else 1.0)

    def _group(self, group: Sequence[Thing]) -> str:
        """Things with what is known of them: two red flowers, a white house with a blue door."""
        thing, dice = group[0], self.dice
        colour = self.seen.colour(thing.number, thing.colour) if self.style.colours and thing.colour else ""
        known = (colour if dice.chance(0.88) else "", thing.made if dice.chance(0.8) else "")
        adjectives = [word for word in known if word]
        noun = thing.word
        if len(group) > 1:
            noun = words.plural(thing.word)
            number = words.NUMBER_WORDS.get(len(group), "some")
        else:
            number = "" if thing.word in words.MANY else _article([*adjectives, noun][0])
        tail = [thing.doing if dice.chance(0.9) else "", self._parts(thing)]
        if dice.chance(0.5):
            tail.reverse()
        return " ".join(word for word in (number, *adjectives, noun, *tail) if word)

    def _parts(self, thing: Thing) -> str:
        """Its parts in colour: with a red roof and a blue door, in a green dress."""
        seen = [
            part
            for part in thing.parts
            if self.seen.share(part.number) >= LEAST_PART and self.seen.colour(part.number, part.colour)
        ]
        if not seen or not self.style.colours or self.dice.chance(0.12):
            return ""
        spoken = [_part(part) for part in self.dice.some(seen, self.dice.whole(1, len(seen)))]
        return ("in " if thing.word in words.PEOPLE else "with ") + _listed(spoken)

    def _when(self) -> str:
        """The time of day, where the light tells it."""
        hour, weather, dice = self.scene.setting.hour, self.scene.setting.weather.name, self.dice
        if self.scene.lit_by != "sky":
            said = dice.pick(words.INDOORS[self.scene.lit_by]) if dice.chance(0.6) else ""
            return said if self.style.colours else ""
        if not dice.chance(0.85) or not (self.style.colours or hour.stars):
            return ""
        if hour.name == "night" and weather == "clear" and dice.chance(0.3):
            return dice.pick(words.STARRY)
        return dice.pick(words.TIMES[hour.name])

    def _air(self) -> str:
        """The weather and the season, where they are seen."""
        dice, setting = self.dice, self.scene.setting
        if self.scene.lit_by != "sky" or not self.style.colours:
            return ""
        said = []
        if dice.chance(setting.weather.spoken):
            bright = self._sunny and dice.chance(0.5)
            said.append(dice.pick(words.SUNNY if bright else words.WEATHER[setting.weather.name]))
        if self.scene.seasonal and dice.chance(0.35):
            said.append(f"in {setting.season.name}")
        return ", ".join(said)

    @property
    def _sunny(self) -> bool:
        return self.scene.setting.weather.direct == 1.0 and self.scene.setting.hour.name in (
            "morning",
            "noon",
        )

    def _mood(self) -> str:
        """A mood that fits what is seen, or none."""
        moods = words.MOODS[self._air_of_mood()]
        if len(self.scene.figures) > 1:
            moods = (*moods, *words.COMPANY)
        elif self.scene.figures and self.scene.lit_by == "sky" and len(self.things) < 4:
            moods = (*moods, *words.ALONE)
        if not self.style.colours:
            moods = tuple(mood for mood in moods if mood in words.COLOURLESS)
        return self.dice.pick(moods) if moods and self.dice.chance(0.4) else ""

    def _air_of_mood(self) -> str:
        hour, weather = self.scene.setting.hour, self.scene.setting.weather
        if self.scene.lit_by != "sky":
            return self.scene.lit_by
        if weather.direct < 1.0:
            return weather.name
        return "starry" if hour.stars else "sunny" if self._sunny else hour.name


def caption(scene: Scene, seen: Seen) -> str:
    """What can be said of a scene of which this is seen."""
    return _Speaker(scene, seen).caption()


def named(scene: Scene, caption: str) -> Sequence[tuple[int, str]]:
    """The numbers of the things and parts that a caption names with their colour, and the colours."""
    padded = f" {caption.replace(',', ' ')} "
    spoken = []
    for thing in scene.things:
        words = " ".join(filter(None, (thing.colour, thing.made, thing.word)))
        if thing.colour and (f" {words} " in padded or f" {thing.colour} {thing.word} " in padded):
            spoken.append((thing.number, thing.colour))
        spoken += [
            (part.number, part.colour) for part in thing.parts if f" {part.colour} {part.word} " in padded
        ]
    return spoken


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _listed(spoken: Sequence[str]) -> str:
    """One after the other, the last one with an and."""
    spoken = [part for part in spoken if part]
    if len(spoken) < 2:
        return "".join(spoken)
    return ", ".join(spoken[:-1]) + " and " + spoken[-1]


def _part(part: Part) -> str:
    several = part.word.endswith("s") and not part.word.endswith("ss")
    return f"{part.colour} {part.word}" if several else f"{_article(part.colour)} {part.colour} {part.word}"


def _grouped(things: Sequence[Thing]) -> list[list[Thing]]:
    """Things that can be counted together: the same in every word, and without parts."""
    groups: dict[object, list[Thing]] = {}
    for thing in things:
        alike = thing.number if thing.parts else (thing.word, thing.colour, thing.made, thing.doing)
        groups.setdefault(alike, []).append(thing)
    return list(groups.values())
