"""What is said about a picture that is a map already, or is taken for one and is none."""

from annotators.base import BLACK, Annotator, Pixels
from annotators.looking import NOTHING
from conditions import Condition


def told(condition: Condition, method: Annotator, picture: Pixels) -> tuple[str, ...]:
    """Notices where an annotator and an RGB uint8 (H, W, 3) picture of a user don't seem to go together.

    They are guesses, and change nothing: the annotator that was chosen is the one that runs.
    """
    look = condition.kind.look(picture)
    if condition.kind.always or look == NOTHING or picture.max(initial=0) < BLACK:
        return ()
    turned = look.negative and condition.polarity == "white_on_black"
    fitting = _taking(condition, negative=turned)
    if not method.keeps:
        if not look.is_map:
            return ()
        return (
            f"The picture looks like {condition.kind.noun} already: {look.seen}. "
            f"To follow it instead of taking one out of it, {fitting}.",
        )
    if not look.is_map:
        return (f"The picture does not look like {condition.kind.noun}, and is taken as one all the same.",)
    if condition.polarity == "white_on_black" and turned != (method.takes == "negative"):
        return (f"The map has dark lines on a light ground, and the model follows the reverse: {fitting}.",)
    return ()


def _taking(condition: Condition, *, negative: bool) -> str:
    """How the page and the API take a map as it is, or its negative."""
    method = condition.taking("negative" if negative else "map")[0]
    switch = " with “Inverted”" if negative else ""
    return f"choose “My picture is already a map”{switch} (annotator {method.name})"
