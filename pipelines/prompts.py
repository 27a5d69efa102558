"""Prompts as artists write them elsewhere: words that count more or less, brackets meant as such, and parts.

    (word)          counts 1.1 times as much, and with each further pair of brackets again
    [word]          counts 1.1 times less
    (word:1.3)      counts 1.3 times as much
    \\( \\) \\[ \\] \\\\  only brackets, and only a backslash
    one BREAK two   what comes after it begins a part of its own
    <lora:ink:0.8>  no words, but a LoRA and how much it counts

A bracket without its partner does as in the program that all this comes from: one that opens holds to the
end, one that closes is only a bracket. No torch, and one look at each character: no prompt takes long.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from errors import PROMPT_SYNTAX, ArmatureError

FACTORS = {"(": 1.1, "[": 1 / 1.1}
PARTNERS = {")": "(", "]": "["}
LARGEST_WEIGHT = 10.0
NUMBER = r"[+-]?+(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)"
TOKEN = re.compile(
    r"\\(?P<escaped>[()\[\]\\])"
    rf"|:\s*+(?P<number>{NUMBER})\s*+(?P<weighing>\))"
    r"|(?P<opening>[(\[])"
    r"|(?P<closing>[)\]])"
    r"|[^\\()\[\]:]++|.",
    re.DOTALL,
)
AND = " AND "  # between the prompts that other programs mix
BREAK = re.compile(r"\bBREAK\b")
CHANGING = re.compile(r"(?<!\\)\[(?:[^\[\]|:]*+:[^\[\]|:]*+:\s*+[0-9.]++\s*+|[^\[\]|]++\|[^\[\]]*+)\]")
TAG = re.compile(r"<(?P<kind>lora|lyco|hypernet):(?P<name>[^<>:]++)(?::(?P<weights>[^<>]*+))?+>", re.I)


@dataclass(frozen=True, slots=True)
class Span:
    """Some words of a prompt, and how much they count; as much as usual is 1."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A bracket that opens or, with `closes`, one that closes; of which kind, and how much it weighs."""

    kind: str
    factor: float = 1.0
    closes: bool = False


def words(prompt: str) -> str:
    """The prompt without its tags."""
    return TAG.sub("", prompt)


def loras(prompt: str) -> tuple[tuple[str, float], ...]:
    """The LoRAs that a prompt asks for, each once, with its weight; of the same one the weights add up."""
    found: dict[str, float] = {}
    for tag in TAG.finditer(prompt):
        if tag["kind"].lower() == "hypernet":
            raise _refusal(tag[0], "no hypernetworks: take it out")
        name, weights = tag["name"].strip(), (tag["weights"] or "1").strip()
        if not re.fullmatch(NUMBER, weights):
            raise _refusal(tag[0], "a name and one weight, such as <lora:ink:0.8>")
        found[name] = found.get(name, 0.0) + float(weights)
    return tuple(found.items())


def tagged(prompt: str, asked: Iterable[tuple[str, float]]) -> str:
    """The prompt with a tag for each LoRA that it does not name."""
    known = dict(loras(prompt))
    tags = (f"<lora:{name}:{weight:.10g}>" for name, weight in asked if name not in known)
    return " ".join([prompt, *tags]).strip()


def _refusal(found: str, allowed: str) -> ArmatureError:
    return PROMPT_SYNTAX(
        "A tag in the prompt can't be read", found=found[:60], allowed=allowed, todo="Change the tag"
    )


def parse(prompt: str) -> tuple[tuple[Span, ...], ...]:
    """The parts of a prompt without its tags, each in spans; there is one part at least, maybe empty.

    A weight that no picture could bear is refused.
    """
    parts: list[list[Span]] = [[]]
    for weight, run in groupby(_weighed(words(prompt)), key=lambda span: span.weight):
        first, *others = BREAK.split("".join(span.text for span in run))
        parts[-1].append(Span(first, weight))
        parts += [[Span(other, weight)] for other in others]
    full = (tuple(span for span in part if span.text.strip()) for part in parts)
    return tuple(part for part in full if part) or ((),)


def unread(*prompts: str) -> tuple[str, ...]:
    """What the artist should know of words that would mean more elsewhere."""
    changing = (
        f"“{place[0][:60]}” is read as words that count less: prompts do not change along the way here."
        for place in map(CHANGING.search, prompts)
        if place
    )
    composed = (
        "“AND” is read as a word: here all of a prompt is one." for prompt in prompts if AND in prompt
    )
    return (*changing, *composed)


def _weighed(prompt: str) -> Iterator[Span]:
    """The words between brackets, each with the product of the factors around it."""
    inside = {kind: [1.0] for kind in FACTORS}
    for piece in _pieces(prompt):
        if isinstance(piece, str):
            yield Span(piece, inside["("][-1] * inside["["][-1])
        elif piece.closes:
            inside[piece.kind].pop()
        else:
            factors = inside[piece.kind]
            factors.append(_bearable(factors[-1] * piece.factor))


def _pieces(prompt: str) -> list[str | Pair]:
    """Words and brackets in their order. How much a bracket weighs is known where it closes."""
    pieces: list[str | Pair] = []
    opened: dict[str, list[int]] = {kind: [] for kind in FACTORS}
    for token in TOKEN.finditer(prompt):
        closing = token["closing"] or token["weighing"]
        if token["opening"]:
            opened[token[0]].append(len(pieces))
            pieces.append(Pair(token[0], FACTORS[token[0]]))
        elif closing and opened[PARTNERS[closing]]:
            kind = PARTNERS[closing]
            place = opened[kind].pop()
            if token["number"]:
                pieces[place] = Pair(kind, float(token["number"]))
            pieces.append(Pair(kind, closes=True))
        else:
            pieces.append(token["escaped"] or token[0])
    return pieces


def _bearable(weight: float) -> float:
    if abs(weight) > LARGEST_WEIGHT:
        raise PROMPT_SYNTAX(
            "Some words of the prompt count too much",
            found=f"{weight:.3g} times as much as usual",
            allowed=f"at most {LARGEST_WEIGHT:g} times",
            todo="Take away some brackets, or give a smaller weight",
        )
    return weight
