"""Every tab in a real browser: a picture goes in and its map comes out, or the tab says what to download."""

from pathlib import Path

import pytest

from annotators import ANNOTATORS
from conditions import CONDITIONS, Condition
from tests.browsing import PATIENCE, Studio
from tests.e2e.test_studio import pixels
from ui.examples import EXAMPLES
from ui.methods import named


def choose(studio: Studio, condition: Condition, annotator: str) -> None:
    """Choose an annotator of a tab by its name, unless it is chosen."""
    box, label = studio.page.locator(f"#{condition.name}-annotator input"), named(ANNOTATORS[annotator])
    if box.input_value() != label:
        box.click()
        studio.page.get_by_role("option", name=label, exact=True).click()
        studio.wait_until_idle()


def take(studio: Studio, condition: Condition) -> None:
    """Set a tab to what makes a map of a picture without a download, or keeps the picture itself."""
    quick = [method for method in condition.making if method.source == "picture" and not method.weights]
    if quick:
        choose(studio, condition, quick[0].name)
    elif condition.making:
        studio.page.locator(f"#{condition.name}-own-map input").check()


def walk(studio: Studio, condition: Condition, scene: Path) -> None:
    """A picture in, a map out, and then each of the tab's networks, whose files are not here."""
    studio.choose_tab(condition.title, condition.name)
    take(studio, condition)
    studio.drop(scene, condition.name)
    shown = studio.mask_after if condition.needs == "mask" else studio.map_after
    assert pixels(shown(condition=condition.name)).std() > 1, condition.name
    if condition.making:
        studio.page.locator(f"#{condition.name}-own-map input").uncheck()
    for method in condition.available_annotators:
        if method.weights:
            choose(studio, condition, method.name)
            studio.wait_for_text(f"#{condition.name}-notes", f"{method.label} runs a network")
            studio.page.click(f"#{condition.name}-annotate")
            studio.wait_for_text(f"#{condition.name}-notes .refusal", "has not all of its weights here")
            told = studio.text(f"#{condition.name}-notes")
            for weight in method.weights:
                if not weight.repo:
                    assert "is not part of this checkout" in told
                    continue
                assert f"hf download {weight.repo} " in told
                assert weight.file in told
            assert studio.page.locator(f"#{condition.name}-map img").count() == 0


@pytest.mark.slow
def test_a_picture_goes_into_each_of_fifteen_tabs_and_a_map_or_what_to_download_comes_out(
    studio: Studio, scene: Path
) -> None:
    assert len(CONDITIONS) == 15
    for condition in CONDITIONS.values():
        walk(studio, condition, scene)


def test_a_model_that_is_not_here_is_named_with_the_way_to_get_it(studio: Studio) -> None:
    """Of the small family the tests have one control, for lines: each tab has it or says what is missing."""
    for condition in CONDITIONS.values():
        studio.choose_tab(condition.title, condition.name)
        button = studio.page.locator(f"#{condition.name}-generate")
        if condition.controls.get("pocket") == "lines":
            assert button.is_enabled(), condition.name
        else:
            studio.page.wait_for_selector(f"#{condition.name}-missing li", timeout=PATIENCE)
            assert button.is_disabled(), condition.name
            if "pocket" not in condition.controls:
                told = studio.text(f"#{condition.name}-missing")
                assert f"Pocket has no control for {condition.title}" in told


@pytest.mark.parametrize("name", ["canny", "qr"])
def test_one_click_on_the_example_shows_what_a_tab_does(name: str, studio: Studio) -> None:
    condition = CONDITIONS[name]
    studio.choose_tab(condition.title, name)
    studio.page.click(f"#{name}-example")
    assert pixels(studio.map_after(condition=name)).std() > 5
    assert studio.page.input_value("#prompt textarea") == EXAMPLES[name].prompt
