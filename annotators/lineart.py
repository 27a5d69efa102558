"""Line drawings by the networks of Chan et al. 2022 ("informative drawings"), a fine and a coarse one."""

from pathlib import Path

from annotators.base import Annotation, Annotator, Network, Pixels
from annotators.lines import rgb
from annotators.networks import ANNOTATORS_REPO, plane_through, unit
from models.catalogue import Weight
from params import Param

RESIDUAL_BLOCKS = 3


def load(files: tuple[Path, ...]) -> Network:
    """The fine network and the coarse one, by these names."""
    from torch.nn import ModuleDict

    from models.checkpoints import building, filled, read

    with building():
        from controlnet_aux.lineart import Generator

        kinds = ("fine", "coarse")
        networks = {kind: Generator(3, 1, RESIDUAL_BLOCKS) for kind in kinds}
        return ModuleDict(
            {kind: filled(networks[kind], read(file)) for kind, file in zip(kinds, files, strict=True)}
        ).eval()


def run(picture: Pixels, network: Network, *, coarse: bool) -> Annotation:
    """Drawn lines, white on black, of an RGB uint8 (H, W, 3) picture. The network draws black on white."""
    pen = network["coarse" if coarse else "fine"]
    drawing = plane_through(pen, unit(picture), stride=4)
    return Annotation(map=255 - rgb(drawing * 255))


LINEART = Annotator(
    name="lineart",
    label="Line art",
    help="Clean lines as a draughtsman would draw them, with shading left out.",
    params=(
        Param(
            name="coarse",
            label="Coarse",
            kind="switch",
            default=False,
            help="Fewer and bolder lines.",
        ),
    ),
    weights=(
        Weight(repo=ANNOTATORS_REPO, file="sk_model.pth", licence="MIT", size=17_200_000),
        Weight(repo=ANNOTATORS_REPO, file="sk_model2.pth", licence="MIT", size=17_200_000),
    ),
    load=load,
    run=run,
)
