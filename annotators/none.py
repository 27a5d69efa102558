"""The picture is a map already."""

from annotators.base import Annotation, Annotator, Network, Pixels


def run(picture: Pixels, network: Network) -> Annotation:
    """The picture itself, RGB uint8 (H, W, 3)."""
    return Annotation(map=picture)


NONE = Annotator(
    name="none",
    label="My picture is already a map",
    help="The picture is used as it is: for maps drawn by hand or made elsewhere.",
    run=run,
    rescales=False,
    of_maps=True,
)
