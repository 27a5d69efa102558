"""A scene that we draw ourselves, for the pictures in the docs: a person in a garden with house and table.

It is drawn twice with the same shapes, in colours and by nearness, and the person stands on known key points.
"""

import math
import random
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from annotators.base import Pixels

WIDTH, HEIGHT = 768, 576
FINER = 3  # drawn so many times as large and then shrunk, so that edges are smooth
HORIZON = 300

Point: TypeAlias = tuple[float, float]
Colour: TypeAlias = tuple[int, int, int]

# OpenPose's eighteen: nose, neck, right and left arm, right and left leg (the person's own), eyes, ears.
PERSON: tuple[Point, ...] = (
    *((520, 262), (522, 300), (496, 304), (480, 345), (488, 384), (549, 300), (575, 268), (594, 226)),
    *((504, 392), (500, 456), (496, 520), (538, 392), (546, 455), (554, 518)),
    *((513, 255), (527, 255), (507, 261), (536, 260)),
)


class Painter:
    """Draws every shape into two pictures at once: its colour, and its nearness from 0, far, to 255."""

    def __init__(self) -> None:
        size = (WIDTH * FINER, HEIGHT * FINER)
        self.colours = Image.new("RGB", size)
        self.nearness = Image.new("L", size)
        self._pens = (ImageDraw.Draw(self.colours), ImageDraw.Draw(self.nearness))

    def shape(self, points: Sequence[Point], colour: Colour, near: int | None) -> None:
        """A filled polygon; one without nearness lies on what is there."""
        scaled = [(x * FINER, y * FINER) for x, y in points]
        self._pens[0].polygon(scaled, fill=colour)
        if near is not None:
            self._pens[1].polygon(scaled, fill=near)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour, near: int) -> None:
        """An upright rectangle."""
        self.shape(((left, top), (right, top), (right, bottom), (left, bottom)), colour, near)

    def disc(self, x: float, y: float, across: float, down: float, colour: Colour, near: int | None) -> None:
        """An ellipse by its middle and its radii; one without nearness lies on what is there."""
        place = tuple(side * FINER for side in (x - across, y - down, x + across, y + down))
        self._pens[0].ellipse(place, fill=colour)
        if near is not None:
            self._pens[1].ellipse(place, fill=near)

    def limb(self, start: Point, end: Point, width: float, colour: Colour, near: int, tip: float = 1) -> None:
        """A rounded stroke that ends `tip` times as wide as it begins."""
        steps = max(2, round(math.dist(start, end)))
        for step in range(steps + 1):
            part = step / steps
            x, y = (a + (b - a) * part for a, b in zip(start, end, strict=True))
            radius = width / 2 * (1 + (tip - 1) * part)
            self.disc(x, y, radius, radius, colour, near)

    def line(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        """A stroke on what is there."""
        scaled = [(x * FINER, y * FINER) for x, y in points]
        self._pens[0].line(scaled, fill=colour, width=round(width * FINER), joint="curve")


def picture() -> Pixels:
    """The scene, RGB uint8 (576, 768, 3)."""
    return _shrunk(_painted().colours)


def depth() -> Pixels:
    """How near everything is, RGB uint8 (576, 768, 3), near is white; rounded a little, as things are."""
    grey = _painted().nearness.filter(ImageFilter.GaussianBlur(2 * FINER))
    return _shrunk(grey.convert("RGB"))


def pose() -> dict[str, Any]:
    """The person in OpenPose's JSON."""
    points = [value for x, y in PERSON for value in (x, y, 1.0)]
    return {"people": [{"pose_keypoints_2d": points}], "canvas_width": WIDTH, "canvas_height": HEIGHT}


def _shrunk(image: Image.Image) -> Pixels:
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), np.uint8)


def _painted() -> Painter:
    painter = Painter()
    chance = random.Random(7)
    _sky_and_ground(painter, chance)
    _tree(painter, chance, 108, 372, 1.0, near=96)
    _house(painter)
    _tree(painter, chance, 690, 352, 0.8, near=84)
    _path(painter)
    _person(painter)
    _table(painter)
    return painter


def _mixed(first: Colour, second: Colour, part: float) -> Colour:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _sky_and_ground(painter: Painter, chance: random.Random) -> None:
    for y in range(HEIGHT):
        if y < HORIZON:
            colour, near = _mixed((120, 172, 222), (226, 236, 240), (y / HORIZON) ** 1.3), 0
        else:
            part = (y - HORIZON) / (HEIGHT - HORIZON)
            colour, near = _mixed((146, 176, 104), (84, 128, 62), part), round(40 + 190 * part)
        painter.box(0, y, WIDTH, y + 1, colour, near)
    for x, y, size in ((560, 70, 1.0), (640, 118, 0.6), (250, 58, 0.8)):
        for across, up, radius in ((-44, 6, 22), (-16, -6, 32), (20, -2, 28), (48, 8, 20)):
            place = (x + across * size, y + up * size)
            painter.disc(*place, radius * size, radius * 0.6 * size, (244, 246, 247), 0)
    for base, height, colour, hill in ((276, 62, (150, 176, 176), 12), (296, 40, (126, 160, 122), 24)):
        crest = [(x, base - height * (0.5 + 0.5 * math.sin(x / 118 + base))) for x in range(0, WIDTH + 8, 8)]
        painter.shape([(0, HORIZON + 14), *crest, (WIDTH, HORIZON + 14)], colour, hill)
    for _ in range(420):
        part = chance.random() ** 0.6
        left, top = chance.uniform(0, WIDTH), HORIZON + 16 + part * (HEIGHT - HORIZON - 20)
        blade = _mixed((120, 156, 84), (60, 104, 48), chance.random())
        painter.line([(left, top), (left + chance.uniform(-2, 2), top - 3 - 7 * part)], blade, 1.2)


def _tree(painter: Painter, chance: random.Random, x: float, foot: float, size: float, near: int) -> None:
    painter.disc(x + 16 * size, foot, 62 * size, 9 * size, (74, 112, 60), None)
    painter.limb((x, foot), (x - 3 * size, foot - 120 * size), 26 * size, (104, 76, 54), near, tip=0.5)
    painter.limb(
        (x - 1, foot - 70 * size), (x + 38 * size, foot - 128 * size), 12 * size, (96, 70, 50), near, 0.4
    )
    for shade, lift in (((46, 92, 52), 0), ((66, 118, 62), 10), ((92, 142, 74), 20)):
        for _ in range(26):
            turn, far = chance.uniform(0, 2 * math.pi), chance.random() ** 0.5
            across = x + 4 + math.cos(turn) * far * (74 - lift) * size - lift * 0.4
            down = foot - 168 * size + math.sin(turn) * far * (58 - lift) * size - lift * 0.8
            radius = chance.uniform(12, 20) * size
            painter.disc(across, down, radius, radius * 0.86, shade, near + lift // 4)


def _house(painter: Painter) -> None:
    wall, side, roof, trim, near = (224, 198, 164), (186, 158, 128), (150, 72, 60), (246, 242, 232), 110
    painter.disc(330, 402, 190, 14, (80, 118, 62), None)
    painter.box(188, 222, 388, 404, wall, near)
    painter.shape(((388, 222), (466, 240), (466, 392), (388, 404)), side, near - 12)
    for row in range(12):
        y = 234 + row * 14
        painter.line([(188, y), (388, y)], (210, 182, 148), 1)
        for brick in range(9):
            x = 190 + brick * 24 + (12 if row % 2 else 0)
            painter.line([(x, y - 14), (x, y)], (210, 182, 148), 1)
    painter.box(330, 112, 358, 190, (164, 100, 82), near - 4)
    painter.box(326, 106, 362, 116, (126, 74, 62), near - 4)
    painter.shape(((388, 222), (466, 240), (426, 160), (288, 134)), (124, 58, 50), near - 10)
    painter.shape(((168, 228), (288, 134), (408, 228)), roof, near + 4)
    for row in range(1, 6):
        y, half = 134 + row * 16, row * 20.4
        painter.line([(288 - half, y), (288 + half, y)], (128, 58, 50), 1.6)
    for x in (212, 318):
        painter.box(x, 262, x + 46, 318, trim, near + 2)
        painter.box(x + 4, 266, x + 42, 314, (92, 120, 140), near - 2)
        painter.shape(((x + 4, 266), (x + 26, 266), (x + 4, 300)), (128, 156, 172), near - 2)
        painter.box(x + 21, 266, x + 25, 314, trim, near + 2)
        painter.box(x + 4, 288, x + 42, 292, trim, near + 2)
        painter.box(x - 4, 318, x + 50, 324, (206, 180, 148), near + 6)
    painter.disc(288, 192, 16, 16, trim, near + 5)
    painter.disc(288, 192, 12, 12, (92, 120, 140), near)
    painter.box(266, 318, 312, 404, (92, 60, 44), near + 2)
    painter.box(271, 324, 307, 404, (122, 80, 54), near)
    for top in (332, 366):
        painter.box(277, top, 301, top + 26, (104, 66, 46), near)
    painter.disc(302, 366, 3, 3, (226, 196, 96), near + 4)
    painter.box(256, 404, 322, 412, (176, 168, 158), near + 8)
    painter.shape(((410, 272), (440, 276), (440, 326), (410, 328)), (212, 204, 190), near - 10)
    painter.shape(((414, 277), (436, 280), (436, 321), (414, 323)), (78, 104, 124), near - 14)


def _path(painter: Painter) -> None:
    painter.shape(
        ((262, 412), (318, 412), (350, 460), (420, HEIGHT), (196, HEIGHT), (232, 470)), (206, 192, 166), None
    )
    for y in (426, 446, 472, 506, 548):
        half = 26 + (y - 412) * 0.5
        middle = 290 + (y - 412) * 0.1
        painter.line([(middle - half, y), (middle + half, y + 3)], (178, 164, 140), 2)


def _person(painter: Painter) -> None:
    nose, neck, *_ = PERSON
    arms, legs = ((2, 3, 4), (5, 6, 7)), ((8, 9, 10), (11, 12, 13))
    near, skin, shirt, trousers, hair = 190, (232, 188, 158), (196, 70, 62), (52, 66, 104), (70, 46, 36)
    painter.disc(532, 532, 56, 10, (66, 104, 52), None)
    for hip, knee, ankle in legs:
        painter.limb(PERSON[hip], PERSON[knee], 34, trousers, near, tip=0.76)
        painter.limb(PERSON[knee], PERSON[ankle], 26, trousers, near, tip=0.7)
        x, y = PERSON[ankle]
        painter.disc(x + 3, y + 10, 16, 7, (46, 38, 36), near + 2)
    painter.limb((neck[0], neck[1] - 22), neck, 18, skin, near)
    painter.shape(((490, 294), (554, 292), (548, 400), (494, 400)), shirt, near + 4)
    painter.line([(521, 306), (522, 398)], (160, 50, 46), 1.6)
    painter.box(493, 392, 549, 400, (60, 44, 40), near + 4)
    for shoulder, elbow, wrist in arms:
        painter.limb(PERSON[shoulder], PERSON[elbow], 22, shirt, near + 6, tip=0.85)
        painter.limb(PERSON[elbow], PERSON[wrist], 16, skin, near + 6, tip=0.75)
        painter.disc(*PERSON[wrist], 9, 10, skin, near + 8)
    painter.disc(nose[0] + 1, nose[1] - 6, 21, 26, hair, near)
    painter.disc(nose[0] + 1, nose[1] - 1, 18, 22, skin, near + 4)
    painter.disc(nose[0] + 1, nose[1] - 20, 19, 11, hair, near + 4)
    for eye in PERSON[14:16]:
        painter.disc(*eye, 2.2, 2.4, (44, 34, 30), None)
    painter.line([(nose[0], nose[1] - 3), (nose[0] - 2, nose[1] + 2)], (196, 146, 120), 1.6)
    painter.line([(514, 271), (520, 274), (528, 271)], (164, 76, 70), 2)


def _table(painter: Painter) -> None:
    near, wood, edge = 214, (176, 124, 78), (138, 92, 56)
    painter.disc(676, 548, 96, 14, (64, 100, 50), None)
    for x, foot in ((604, 540), (744, 540), (626, 520), (724, 520)):
        painter.limb((x, 440), (x - 2, foot), 10, edge, near - 10, tip=0.8)
    painter.shape(((592, 432), (622, 408), (736, 408), (764, 432)), wood, near)
    painter.shape(((592, 432), (764, 432), (764, 444), (592, 444)), edge, near + 6)
    for x in (634, 676, 718):
        painter.line([((x - 676) * 0.7 + 676, 409), (x, 431)], (158, 108, 66), 1.4)
    painter.box(690, 380, 712, 420, (74, 122, 150), near + 6)
    painter.disc(701, 420, 11, 4, (64, 108, 134), near + 6)
    painter.disc(701, 380, 11, 4, (46, 82, 104), near + 4)
    for across, up, colour in ((-14, 42, (238, 190, 70)), (0, 54, (226, 104, 96)), (15, 44, (244, 226, 214))):
        painter.line([(701, 380), (701 + across, 380 - up)], (66, 108, 58), 2.4)
        painter.disc(701 + across, 380 - up, 9, 8, colour, near + 4)
        painter.disc(701 + across, 380 - up, 3, 3, (128, 84, 40), near + 4)
    painter.disc(640, 420, 13, 5, (236, 232, 224), near + 4)
    painter.box(630, 404, 650, 420, (236, 232, 224), near + 6)
    painter.disc(640, 404, 10, 4, (132, 92, 66), near + 4)
    painter.line([(650, 408), (658, 411), (650, 416)], (220, 214, 204), 2.4)
