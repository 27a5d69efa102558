"""How well a picture kept what a control asked for: as a share where that could be measured, and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType

import conditions
from conditions import Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One control on one picture. `share` is 1 at best, and None where it could not be measured.

    `annotator` is the name of the one that looked at the picture. `remark` says why there is no share, or why
    another one looked at it.
    """

    condition: str
    share: float | None
    annotator: str = ""
    remark: str = ""

    @property
    def notice(self) -> str:
        """The remark as a sentence for the artist; nothing where all went as it should."""
        title = conditions.find(self.condition).title
        if self.share is None:
            return f"Agreement with {title} could not be measured: {self.remark}."
        return f"Agreement with {title}: {self.remark}." if self.remark else ""


def overall(controls: Sequence[Kept]) -> float | None:
    """The mean over the controls that could be measured, by which pictures are sorted; None without any."""
    shares = [kept.share for kept in controls if kept.share is not None]
    return fmean(shares) if shares else None


SENTENCES: Mapping[Agreement, str] = MappingProxyType(
    {
        "edge_f1": "keeps {} of the edges",
        "depth_correlation": "agrees in depth by {}",
        "normal_angle": "agrees in its surfaces by {}",
        "miou": "keeps {} of the areas",
        "pck": "keeps {} of the joints",
        "qr_decodes": "its code can be read: {}",
        "colour": "agrees in colour by {}",
    }
)
YES_OR_NO: frozenset[Agreement] = frozenset({"qr_decodes"})


def in_words(pictures: Sequence[Sequence[Kept]]) -> list[str]:
    """What one or more pictures of a request have kept, a sentence for each control that was measured."""
    sentences = []
    for column in zip(*pictures, strict=True):
        if any(kept.share is not None for kept in column):
            condition = conditions.find(column[0].condition)
            values = ", ".join(_value(condition.agreement, kept.share) for kept in column)
            sentence = SENTENCES[condition.agreement].format(values)
            several = len(pictures[0]) > 1
            sentences.append(f"{condition.title}: {sentence}" if several else sentence)
    return sentences


def _value(measure: Agreement, share: float | None) -> str:
    if share is None:
        return "–"
    if measure in YES_OR_NO:
        return "yes" if share else "no"
    return f"{round(100 * share)} %"
