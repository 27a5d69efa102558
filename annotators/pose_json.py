"""A pose that was made elsewhere, in OpenPose's JSON: drawn as the pose control learnt it."""

from collections.abc import Iterator
from typing import Any, NoReturn

from annotators.base import Annotation, Annotator, Network
from annotators.pose import PARTS, Person, Points, as_json, draw
from errors import POSE_INVALID
from params import Param

MOST_PEOPLE = 20
LARGEST_SIDE = 4096
FURTHEST = 100_000.0  # a point may lie off the canvas, but not anywhere
LARGEST_SHARE = 2.0  # whose every coordinate is below this is given in shares of the canvas, not in pixels

# Where the eighteen points are in COCO's seventeen, whose neck is between the shoulders, and in BODY_25.
COCO_17 = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
BODY_25 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)
COUNTS = {"body": (17, 18, 25), "left_hand": (21,), "right_hand": (21,), "face": (68, 70)}


def run(pose: Any, network: Network, *, body: bool, hands: bool, face: bool) -> Annotation:
    """The drawing of a parsed OpenPose JSON, in the size of its canvas; `data` has what was understood."""
    notices = []
    if isinstance(pose, list) and pose:
        if len(pose) > 1:
            notices.append(f"The file holds {len(pose)} pictures: the first was taken.")
        pose = pose[0]
    if not isinstance(pose, dict):
        _refuse(f"a value of type {type(pose).__name__}", "people, canvas_width and canvas_height")
    width, height = _side(pose, "canvas_width"), _side(pose, "canvas_height")
    people = _people(pose.get("people"), width, height)
    map = draw(people, width, height, body=body, hands=hands, face=face)
    if not people:
        notices.append("The pose is empty: there are no people in it.")
    elif not map.any():
        notices.append("Nothing is drawn: no point of the chosen parts was seen on the canvas.")
    return Annotation(map=map, data=as_json(people, width, height), notices=tuple(notices))


def _refuse(found: str, allowed: str) -> NoReturn:
    raise POSE_INVALID(
        "The pose can't be read", found=found, allowed=allowed, todo="Give a pose in OpenPose's JSON"
    )


def _side(pose: dict[str, Any], name: str) -> int:
    side = pose.get(name)
    if isinstance(side, bool) or not isinstance(side, int | float) or not 1 <= side <= LARGEST_SIDE:
        found = "none" if side is None else repr(side)[:40]
        _refuse(f"{name}: {found}", f"{name} from 1 to {LARGEST_SIDE}")
    return int(side)


def _people(rows: Any, width: int, height: int) -> list[Person]:
    """The people in pixels, from coordinates in pixels or in shares of the canvas: they tell which."""
    rows = list(rows.values()) if isinstance(rows, dict) else rows
    if not isinstance(rows, list) or len(rows) > MOST_PEOPLE:
        found = f"{len(rows)} people" if isinstance(rows, list) else f"people of type {type(rows).__name__}"
        _refuse(found, f"a list of at most {MOST_PEOPLE} people")
    people = [_person(row) for row in rows]
    seen = [value for person in people for point in _points(person) for value in point[:2]]
    if any(abs(value) > LARGEST_SHARE for value in seen):
        return people
    return [_scaled(person, width, height) for person in people]


def _points(person: Person) -> Iterator[tuple[float, float, float]]:
    yield from (point for part in PARTS for point in getattr(person, part) if point)


def _scaled(person: Person, width: int, height: int) -> Person:
    return Person(
        **{
            part: tuple(
                point and (point[0] * width, point[1] * height, point[2]) for point in getattr(person, part)
            )
            for part in PARTS
        }
    )


def _person(row: Any) -> Person:
    if not isinstance(row, dict):
        _refuse(f"a person of type {type(row).__name__}", "an object with pose_keypoints_2d")
    parts = {part: _triples(row.get(f"{name}_keypoints_2d"), part) for part, name in PARTS.items()}
    return Person(**parts | {"body": _eighteen(parts["body"])})


def _triples(values: Any, part: str) -> Points:
    """Points from x, y and confidence in a row; whatever has any confidence was seen."""
    if values is None or values == []:
        return ()
    counts = COUNTS[part]
    if not isinstance(values, list) or len(values) not in [3 * count for count in counts]:
        found = f"{len(values)} numbers" if isinstance(values, list) else f"a {type(values).__name__}"
        allowed = " or ".join(f"{count} points" for count in counts)
        _refuse(f"{part.replace('_', ' ')}: {found}", f"{allowed}, each x, y and confidence")
    if not all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FURTHEST
        for value in values
    ):
        _refuse(f"{part.replace('_', ' ')}: what is no coordinate", f"numbers up to {FURTHEST:.0f}")
    triples = zip(values[0::3], values[1::3], values[2::3], strict=True)
    return tuple((float(x), float(y), float(seen)) if seen > 0 else None for x, y, seen in triples)


def _eighteen(points: Points) -> Points:
    """A body of 17, 18 or 25 points as one of 18."""
    if len(points) not in (17, 25):
        return points
    places = COCO_17 if len(points) == 17 else BODY_25
    found = [None if place is None else points[place] for place in places]
    right, left = found[2], found[5]
    if len(points) == 17 and right and left:
        found[1] = (right[0] + left[0]) / 2, (right[1] + left[1]) / 2, (right[2] + left[2]) / 2
    return tuple(found)


def _part(name: str, label: str, default: bool, help: str) -> Param:
    return Param(name=name, label=label, kind="switch", default=default, help=help)


POSE_JSON = Annotator(
    name="pose_json",
    label="Pose from key points",
    help="Draws a pose from OpenPose's JSON, in pixels or in shares of the canvas.",
    source="pose",
    params=(
        _part("body", "Body", True, "Draws heads, trunks, arms and legs."),
        _part("hands", "Hands", True, "Draws the fingers, where the pose has them."),
        _part("face", "Face", True, "Draws dots along the face, where the pose has them."),
    ),
    run=run,
    resample="nearest",
    mended=(
        "Other readers drop every point whose confidence is below 1, and with it all of OpenPose's own; "
        "here whatever was seen at all is drawn."
    ),
)
