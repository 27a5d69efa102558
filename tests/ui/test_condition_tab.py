"""What a tab keeps when what can be chosen in it is listed anew."""

import pytest

from ui.condition_tab import still

CHOICES = [("The model's own", ""), ("mine", "mine"), ("yours", "yours")]


@pytest.mark.parametrize(
    ("chosen", "kept"), [("yours", "yours"), ("", ""), ("gone", ""), (None, ""), (["mine"], "")]
)
def test_a_choice_stays_for_as_long_as_it_is_there(chosen: object, kept: str) -> None:
    assert still(chosen, CHOICES) == kept


def test_what_is_gone_gives_way_to_the_first() -> None:
    assert still("", CHOICES[1:]) == "mine"
