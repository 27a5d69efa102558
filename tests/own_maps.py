"""Maps as users bring them, drawn here: of depth, of classes, of poses, of normals, and a scanned drawing."""

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from annotators import ade20k, annotate
from annotators.base import Pixels
from annotators.pose import Person, Points, draw

# Nose, neck, the arms, the legs, and eyes and ears, in heights of a person, from the hip.
STANDING = (
    *((0, -0.36), (0, -0.25), (-0.1, -0.25), (-0.15, -0.1), (-0.17, 0.03), (0.1, -0.25), (0.15, -0.1)),
    *((0.17, 0.03), (-0.06, 0.03), (-0.07, 0.22), (-0.07, 0.4), (0.06, 0.03), (0.07, 0.22), (0.07, 0.4)),
    *((-0.02, -0.38), (0.02, -0.38), (-0.05, -0.37), (0.05, -0.37)),
)


def jpeg(picture: Pixels, quality: int) -> Pixels:
    """The picture as a JPEG leaves it."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def in_greys(picture: Pixels) -> Pixels:
    """The picture without its colours."""
    return np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2).astype(np.uint8)


def depth(seed: int, width: int = 512, height: int = 512) -> Pixels:
    """A ground that comes nearer, with balls and walls upon it; near is white."""
    generator = np.random.default_rng(seed)
    rows, columns = np.indices((height, width), np.float32)
    horizon = height * generator.uniform(0.2, 0.6)
    near = np.asarray(np.clip((rows - horizon) / (height - horizon), 0, 1) * 0.8, np.float32)
    for _ in range(generator.integers(3, 10)):
        across, down = generator.uniform(0, width), generator.uniform(horizon, height)
        size = generator.uniform(0.05, 0.25) * min(width, height)
        stands = (down - horizon) / (height - horizon) * 0.8
        inside = 1 - ((columns - across) ** 2 + (rows - down + size) ** 2) / size**2
        shape: NDArray[Any] = inside > 0
        bulge: NDArray[Any] = stands + 0.1 * np.sqrt(np.maximum(inside, 0))
        if generator.random() < 0.5:
            shape = (np.abs(columns - across) < size) & (np.abs(rows - down + size) < size)
            bulge = stands + 0.05 * (columns - across) / size
        upon = shape & (bulge > near - 0.05)
        near[upon] = bulge[upon]
    soft = cv2.GaussianBlur(near, (0, 0), 1.0)
    return np.repeat(np.clip(soft * 255, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def classes(seed: int, width: int = 640, height: int = 480) -> Pixels:
    """Some ten areas in the colours of as many classes."""
    generator = np.random.default_rng(seed)
    numbers = generator.choice(len(ade20k.CLASSES), generator.integers(4, 10), replace=False)
    middles = generator.uniform(0, 1, (2 * len(numbers), 2)) * (width, height)
    rows, columns = np.indices((height, width))
    apart = np.stack([(columns - x) ** 2 + (rows - y) ** 2 for x, y in middles])
    return ade20k.coloured(numbers[apart.argmin(axis=0) % len(numbers)])


def pose(seed: int, width: int = 512, height: int = 512, *, hands: bool = True) -> Pixels:
    """One person or several, as OpenPose draws them."""
    generator = np.random.default_rng(seed)

    def around(middle: tuple[float, float], count: int, reach: float) -> Points:
        places = middle + generator.normal(0, reach, (count, 2))
        return tuple((float(x), float(y), 1.0) for x, y in places)

    people = []
    for _ in range(generator.integers(1, 4)):
        tall = generator.uniform(0.4, 1) * min(width, height)
        hip = (generator.uniform(0.2, 0.8) * width, height / 2)
        places = np.array(STANDING) * tall + hip + generator.normal(0, 0.02 * tall, (18, 2))
        body: Points = tuple((float(x), float(y), 1.0) for x, y in places)
        left, right, nose = (tuple(places[index]) for index in (7, 4, 0))
        people.append(
            Person(
                body=body,
                left_hand=around(left, 21, 0.03 * tall),
                right_hand=around(right, 21, 0.03 * tall),
                face=around(nose, 68, 0.03 * tall),
            )
        )
    return draw(people, width, height, body=True, hands=hands, face=hands)


def normals(seed: int, width: int = 512, height: int = 512) -> Pixels:
    """The normals of such a depth map."""
    return annotate("normal_from_depth", depth(seed, width, height)).map


def scan(seed: int, width: int = 700, height: int = 900) -> Pixels:
    """Pencil strokes of several pressures on paper that is not quite white and not evenly lit, as a JPEG."""
    generator = np.random.default_rng(seed)
    paper = np.ones((height, width), np.float32)
    for _ in range(60):
        place, way = generator.uniform(0.1, 0.9, 2) * (width, height), generator.uniform(0, 6.3)
        places = [place]
        for _ in range(generator.integers(5, 40)):
            way += generator.normal(0, 0.4)
            place = place + 8 * np.array([np.cos(way), np.sin(way)])
            places.append(place)
        stroke = np.zeros((height, width), np.uint8)
        width_of_stroke = int(generator.integers(1, 4))
        cv2.polylines(stroke, [np.array(places, np.int32)], False, 255, width_of_stroke, cv2.LINE_AA)
        paper *= 1 - stroke / np.float32(255) * generator.uniform(0.4, 0.85)
    light = np.linspace(1, 0.86, width)[None] * np.linspace(1, 0.93, height)[:, None]
    tinted = (paper * light)[:, :, None] * np.array((238, 236, 228))
    noisy = tinted + generator.normal(0, 3, (height, width, 1))
    return jpeg(noisy.clip(0, 255).astype(np.uint8), 80)
