"""The table of conditions: one frozen entry is one tab of the page.

The tab, its endpoint, the command line's listing and `docs/conditions.md` are made from the entry.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from annotators import ANNOTATORS
from annotators.base import Annotator, Takes
from annotators.map_kinds import (
    CLASSES,
    CODES,
    DEPTH,
    LINES,
    NORMALS,
    PICTURES,
    PLAIN,
    POSES,
    STIRRED,
    MapKind,
)
from errors import MODEL_MISSING, PARAM_CHOICE
from models.catalogue import FAMILIES, Control, family_of
from params import Value

MapResize: TypeAlias = Literal["nearest", "area"]
Polarity: TypeAlias = Literal["white_on_black", "black_on_white", "near_is_white", "colour"]
Need: TypeAlias = Literal["none", "canvas", "mask", "pose_editor"]
Agreement: TypeAlias = Literal[
    "edge_f1", "depth_correlation", "normal_angle", "miou", "pck", "qr_decodes", "colour", "none"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One kind of structure that a picture can be made to keep.

    `annotators` are names, in the order of the screen; `first` is the one to begin with. `controls` names the
    control for each family that has one.
    `kind` is what its maps are.
    `resize` is the rule for a map that the user brings, `polarity` what its values mean, `needs` the tool
    that its tab carries beside the upload, `agreement` how well a result kept the structure is measured;
    `judge_values` are the settings with which its annotator then looks at the result. A map that `has_hole`
    is the picture itself, and says nothing where the mask is.
    """

    name: str
    title: str
    help: str
    annotators: tuple[str, ...]
    controls: Mapping[str, str]
    kind: MapKind
    polarity: Polarity
    agreement: Agreement
    resize: MapResize = "area"
    needs: Need = "none"
    judge_values: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    has_hole: bool = False

    @property
    def available_annotators(self) -> tuple[Annotator, ...]:
        """The annotators to choose from."""
        return tuple(ANNOTATORS[name] for name in self.annotators)

    def first(self, is_here: Callable[[str], bool]) -> Annotator:
        """The annotator to begin with: of those that find the map in any picture, the first that is here.

        Where none is here it is the first of them, which says what it lacks; where there are none at all, the
        first of the list.
        """
        here = (method for method in self.finders if is_here(method.name))
        return next(here, self.finder or self.available_annotators[0])

    def taking(self, takes: Takes) -> tuple[Annotator, ...]:
        """Those of its annotators that take a picture for this."""
        return tuple(method for method in self.available_annotators if method.takes == takes)

    @property
    def making(self) -> tuple[Annotator, ...]:
        """Those of its annotators that make the map, and don't keep a picture that is one."""
        return tuple(method for method in self.available_annotators if not method.keeps)

    @property
    def finders(self) -> tuple[Annotator, ...]:
        """Those of its annotators that find the map in any picture."""
        return tuple(a for a in self.available_annotators if a.source == "picture" and not a.of_maps)

    @property
    def finder(self) -> Annotator | None:
        """The first annotator that finds the map in any picture; None where all start from something else."""
        return next(iter(self.finders), None)

    def control(self, family: str) -> Control:
        """The control that serves this condition in a family, or a refusal in words."""
        known = family_of(family)
        title, name = known.title, self.controls.get(known.name)
        control = known.control(name) if name else None
        if control is None:
            raise MODEL_MISSING(
                f"{title} has no control for {self.title}",
                allowed=", ".join(FAMILIES[other].title for other in self.controls),
                todo="Choose another model family or another tab",
            )
        return control


def _controls(sd15: str, *, pocket: str | None = None) -> Mapping[str, str]:
    """The control's name for each family that has one, the built-in family first."""
    names = {"pocket": pocket, "sd15": sd15}
    return MappingProxyType({family: name for family, name in names.items() if name})


CONDITIONS: dict[str, Condition] = {
    condition.name: condition
    for condition in (
        Condition(
            name="canny",
            controls=_controls("canny", pocket="lines"),
            title="Canny",
            help="Keeps every crisp edge: the most faithful to outlines and small details.",
            annotators=("canny", "none", "invert"),
            kind=LINES,
            polarity="white_on_black",
            agreement="edge_f1",
        ),
        Condition(
            name="softedge",
            controls=_controls("softedge", pocket="lines"),
            title="Soft edges",
            help="Keeps soft outlines and shading edges, and leaves the fine texture free.",
            annotators=("softedge_gradient", "none", "invert", "softedge_pidi", "softedge_hed"),
            kind=LINES,
            polarity="white_on_black",
            agreement="edge_f1",
        ),
        Condition(
            name="mlsd",
            controls=_controls("mlsd", pocket="lines"),
            title="Straight lines",
            help="Keeps only straight lines: rooms, buildings, furniture.",
            annotators=("hough", "none", "invert", "mlsd"),
            kind=LINES,
            polarity="white_on_black",
            agreement="edge_f1",
        ),
        Condition(
            name="scribble",
            controls=_controls("scribble", pocket="lines"),
            title="Scribble",
            help="Follows rough strokes: a quick sketch is enough.",
            annotators=(
                "scribble_synthetic",
                "scribble_xdog",
                "invert",
                "none",
                "scribble_hed",
                "scribble_pidi",
            ),
            kind=LINES,
            polarity="white_on_black",
            agreement="edge_f1",
            needs="canvas",
            judge_values=MappingProxyType({"roughness": 0.0}),  # what is there, not another hand's strokes
        ),
        Condition(
            name="lineart",
            controls=_controls("lineart", pocket="lines"),
            title="Line art",
            help="Keeps clean drawn lines, as a draughtsman would ink them.",
            annotators=("lineart_standard", "invert", "none", "lineart"),
            kind=LINES,
            polarity="white_on_black",
            agreement="edge_f1",
        ),
        Condition(
            name="lineart_anime",
            controls=_controls("lineart_anime"),
            title="Anime line art",
            help="Keeps the lines of anime drawings; best with an anime base.",
            annotators=("lineart_standard", "invert", "none", "lineart_anime"),
            kind=LINES,
            polarity="white_on_black",
            agreement="edge_f1",
        ),
        Condition(
            name="openpose",
            controls=_controls("openpose", pocket="openpose"),
            title="Pose",
            help="Keeps how people stand and move, and leaves everything else free.",
            annotators=("none", "pose_json", "openpose", "pocket_pose"),
            kind=POSES,
            polarity="colour",
            agreement="pck",
            resize="nearest",
            needs="pose_editor",
        ),
        Condition(
            name="depth",
            controls=_controls("depth", pocket="depth"),
            title="Depth",
            help="Keeps what is near and what is far: near is white, far is black.",
            annotators=("none", "invert", "depth_anything", "depth_midas", "depth_zoe", "pocket_depth"),
            kind=DEPTH,
            polarity="near_is_white",
            agreement="depth_correlation",
        ),
        Condition(
            name="normal",
            controls=_controls("normal", pocket="normal"),
            title="Normals",
            help="Keeps how surfaces face: relief and lighting follow the original.",
            annotators=("normal_from_depth", "none", "normal_bae", "normal_midas", "pocket_normal"),
            kind=NORMALS,
            polarity="colour",
            agreement="normal_angle",
        ),
        Condition(
            name="seg",
            controls=_controls("seg", pocket="seg"),
            title="Segmentation",
            help="Keeps which thing is where: each colour of the map is a kind of thing.",
            annotators=("none", "seg_upernet", "seg_oneformer", "pocket_seg"),
            kind=CLASSES,
            polarity="colour",
            agreement="miou",
            resize="nearest",
        ),
        Condition(
            name="shuffle",
            controls=_controls("shuffle"),
            title="Shuffle",
            help="Keeps the colours and the mood of a picture, not its composition.",
            annotators=("shuffle", "none"),
            kind=STIRRED,
            polarity="colour",
            agreement="none",
        ),
        Condition(
            name="ip2p",
            controls=_controls("ip2p"),
            title="Instruct",
            help="Changes a picture by an instruction, such as “make it snow”.",
            annotators=("none",),
            kind=PICTURES,
            polarity="colour",
            agreement="none",
        ),
        Condition(
            name="inpaint",
            controls=_controls("inpaint", pocket="inpaint"),
            title="Inpaint",
            help="Repaints the part that you mask, and keeps the rest.",
            annotators=("none",),
            kind=PICTURES,
            polarity="colour",
            agreement="colour",
            needs="mask",
            has_hole=True,
        ),
        Condition(
            name="tile",
            controls=_controls("tile", pocket="tile"),
            title="Tile",
            help="Keeps the whole picture and paints new detail into it.",
            annotators=("tile", "none"),
            kind=PLAIN,
            polarity="colour",
            agreement="colour",
        ),
        Condition(
            name="qr",
            controls=_controls("qr"),
            title="QR code",
            help="Hides a code that phones can read in a picture.",
            annotators=("qr", "none", "invert"),
            kind=CODES,
            polarity="black_on_white",
            agreement="qr_decodes",
            resize="nearest",
        ),
    )
}


def find(name: str) -> Condition:
    """The condition of that name, or a refusal that lists the names."""
    if name not in CONDITIONS:
        raise PARAM_CHOICE(
            "There is no such condition",
            found=repr(name),
            allowed="one of " + ", ".join(CONDITIONS),
            todo="Change the condition",
        )
    return CONDITIONS[name]
