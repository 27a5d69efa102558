"""Smooth seeded noise, as the original's shuffle draws it, from a generator of its own."""

import cv2
import numpy as np
from numpy.typing import NDArray


def smooth_noise(generator: np.random.Generator, height: int, width: int, grain: int) -> NDArray[np.float32]:
    """Noise (height, width) that just fills 0 to 1, with hills about `grain` pixels apart.

    Uniform points that far apart with cubics between them, a margin of one grain cut off.
    """
    points = generator.uniform(size=(height // grain + 2, width // grain + 2)).astype(np.float32)
    hills = cv2.resize(points, (width + 2 * grain, height + 2 * grain), interpolation=cv2.INTER_CUBIC)
    inner = hills[grain : grain + height, grain : grain + width]
    return np.asarray((inner - inner.min()) / max(float(np.ptp(inner)), 1e-6), np.float32)
