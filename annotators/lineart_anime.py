"""Lines of anime drawings by the network of Anime2Sketch (Xiang et al. 2021)."""

from functools import partial
from pathlib import Path

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.lines import rgb
from annotators.networks import ANNOTATORS_REPO, plane_through, signed
from models.catalogue import Weight

HALVINGS = 8


def load(files: tuple[Path, ...]) -> Network:
    """A U-Net that halves the picture eight times, filled from netG.pth."""
    from torch.nn import InstanceNorm2d

    from models.checkpoints import building, filled, read

    with building():
        from controlnet_aux.lineart_anime import UnetGenerator

        norm = partial(InstanceNorm2d, affine=False, track_running_stats=False)
        return filled(UnetGenerator(3, 1, HALVINGS, 64, norm_layer=norm), read(files[0]))


def run(picture: Pixels, network: Network) -> Annotation:
    """Lines, white on black, of an RGB uint8 (H, W, 3) drawing; the network answers -1 where a line is."""
    paper = plane_through(network, signed(picture), stride=2**HALVINGS)
    return Annotation(map=255 - rgb(paper * 127.5 + 127.5))


LINEART_ANIME = Annotator(
    name="lineart_anime",
    label="Anime line art",
    help="The ink lines of an anime or manga drawing, without its colours.",
    weights=(Weight(repo=ANNOTATORS_REPO, file="netG.pth", licence="MIT", size=218_000_000),),
    load=load,
    run=run,
    mended=(
        "The original stretches a picture to multiples of 256 pixels; here it is padded to them, which "
        "keeps its shape."
    ),
)
