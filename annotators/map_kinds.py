"""The kinds of maps: what each is called, what it looks like, and how a user's own is set right."""

from collections.abc import Callable
from dataclasses import dataclass

from annotators import looking, palette
from annotators.base import Annotation, Pixels
from annotators.looking import Look


def as_it_is(picture: Pixels) -> Annotation:
    """A user's own map, RGB uint8 (H, W, 3), unchanged."""
    return Annotation(map=picture)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapKind:
    """One kind of maps, `noun` in words.

    `look` guesses, in a few milliseconds, whether a picture is one; `signs` says for people what it goes by.
    `tidied` sets a user's own map right. Where every picture is a map, `always` says why.
    """

    noun: str
    signs: str
    look: Callable[[Pixels], Look]
    tidied: Callable[[Pixels], Annotation] = as_it_is
    always: str = ""


LINES = MapKind(
    noun="a line map",
    signs="thin lines without colour, light on black or dark on a light ground",
    look=looking.lines,
)
DEPTH = MapKind(
    noun="a depth map", signs="greys that change smoothly and have no texture", look=looking.depth
)
NORMALS = MapKind(
    noun="a normal map", signs="colours that are directions, most of them bluish", look=looking.normals
)
POSES = MapKind(
    noun="a drawing of a pose",
    signs="limbs in the colours of OpenPose on black",
    look=looking.pose,
)
CLASSES = MapKind(
    noun="a segmentation map",
    signs="the colours of ADE20K's classes, or those that a JPEG makes of them",
    look=looking.classes,
    tidied=palette.snapped,
)
PLAIN = MapKind(
    noun="a picture without fine detail",
    signs="having no detail as fine as a pixel",
    look=looking.blurred,
)
STIRRED = MapKind(
    noun="a shuffled picture",
    signs="nothing: a shuffled picture looks like any other, so say so yourself",
    look=looking.unknowable,
)
CODES = MapKind(
    noun="a code or a pattern",
    signs="being there at all: the tab makes its own codes from text",
    look=looking.anything,
    always="Every picture is one here: codes are made from text.",
)
PICTURES = MapKind(
    noun="the picture to work on",
    signs="being there at all: the model follows the picture itself",
    look=looking.anything,
    always="Here the model follows the picture itself.",
)
