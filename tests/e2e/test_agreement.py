"""Agreement on the page: asked for in the settings, told below each picture, and an order to see them in."""

from pathlib import Path

import httpx

from pipelines.metadata import Memory, memory_from_png
from pipelines.request.keeping import overall
from tests.browsing import PATIENCE, Studio
from tests.e2e.test_studio import ready_to_generate


def memories(studio: Studio, folder: Path) -> list[Memory]:
    """What each picture of the gallery knows of itself, as the browser gets it."""
    found = []
    for address in studio.gallery():
        path = folder / "fetched.png"
        path.write_bytes(httpx.get(address).content)
        found.append(memory_from_png(path))
    return found


def captions(studio: Studio) -> list[str]:
    """What stands below the pictures of the gallery, in its order."""
    return [text.strip() for text in studio.page.locator("#gallery .caption-label").all_inner_texts()]


def wait_for_first(studio: Studio, seed: int) -> None:
    studio.page.wait_for_function(
        "seed => document.querySelector('#gallery .caption-label').innerText.includes(`Seed ${seed} `)",
        arg=seed,
        timeout=PATIENCE,
    )


def test_agreement_is_told_and_sorts_the_pictures(studio: Studio, scene: Path, tmp_path: Path) -> None:
    ready_to_generate(studio, scene)
    best_first = studio.page.locator("#best-first input")
    assert not best_first.is_visible()
    studio.set_number("count", 4)
    studio.set_number("seed", 11)
    studio.page.check("#agreement input")
    studio.generate()
    studio.picture_after()
    kept = {memory.seed: overall(memory.agreement) or 0.0 for memory in memories(studio, tmp_path)}
    assert list(kept) == [11, 12, 13, 14]
    percents = {seed: f"{round(100 * share)} %" for seed, share in kept.items()}
    said = [f"Seed {seed} · keeps {percent} of the edges" for seed, percent in percents.items()]
    assert captions(studio) == said
    assert f"keeps {', '.join(percents.values())} of the edges" in studio.text("#info .facts")

    best = sorted(kept, key=lambda seed: -kept[seed])
    best_first.check()
    wait_for_first(studio, best[0])
    assert [memory.seed for memory in memories(studio, tmp_path)] == best
    assert captions(studio) == [said[seed - 11] for seed in best]
    best_first.uncheck()
    wait_for_first(studio, 11)
    assert captions(studio) == said


def test_nothing_is_said_of_agreement_that_nobody_asked_for(studio: Studio, scene: Path) -> None:
    ready_to_generate(studio, scene)
    studio.set_number("count", 2)
    studio.generate()
    studio.picture_after()
    assert "keeps" not in studio.text("#info")
    assert not studio.page.locator("#best-first").is_visible()
