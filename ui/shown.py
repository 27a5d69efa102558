"""The pictures that a page shows: their captions, and their order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.request import Saved
from pipelines.request.keeping import in_words
from ui.uploads import served


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One picture in the gallery: a file that may be served, what stands below it, and the job it came from.

    `kept` is how well it kept its controls, where that was measured.
    """

    path: str
    caption: str
    job: str
    kept: float | None


def shown(job_id: str, saved: Saved) -> list[Shown]:
    """The pictures of a finished job, those that are still there."""
    return [
        Shown(
            path=served(image.path),
            caption=" · ".join([f"Seed {image.seed}", *in_words([image.agreement])]),
            job=job_id,
            kept=image.kept,
        )
        for image in saved.images
        if image.path.is_file()
    ]


def arranged(pictures: Iterable[Shown], *, best_first: bool) -> list[tuple[str, str]]:
    """The gallery's pictures and captions: the newest run first, and in each run the best where wanted.

    Across runs nothing is compared: they followed other maps. What was not measured comes after the rest.
    """
    ordered = list(pictures)
    if best_first:
        runs = list(dict.fromkeys(picture.job for picture in ordered))
        ordered.sort(key=lambda picture: (runs.index(picture.job), _worst_last(picture)))
    return [(picture.path, picture.caption) for picture in ordered]


def _worst_last(picture: Shown) -> float:
    return float("inf") if picture.kept is None else -picture.kept


def can_be_arranged(pictures: Sequence[Shown]) -> bool:
    """Whether two pictures of one run were measured."""
    runs = [picture.job for picture in pictures if picture.kept is not None]
    return len(runs) > len(set(runs))
