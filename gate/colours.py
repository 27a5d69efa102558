"""From a loaded picture of any mode to RGB in sRGB: nothing clipped, and nothing shown that was hidden."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, ImageOps

from errors import IMG_CORRUPT, IMG_FORMAT

SIXTEEN_TO_EIGHT = np.rint(np.arange(2**16) / 257).astype(np.uint8)
TWELVE_TO_EIGHT = np.rint(np.arange(2**16).clip(max=4095) / 4095 * 255).astype(np.uint8)

BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0


def mend_key(image: Image.Image) -> None:
    """The transparent colour of a PNG in 8 bits, which Pillow leaves at the depth of the file.

    To be called before the pixels are loaded: the depth is known only until then.
    """
    tile: Any = image.tile[0].args if isinstance(image, ImageFile.ImageFile) and image.tile else None
    match tile, image.info.get("transparency"):
        case "L;2", int(key):
            image.info["transparency"] = key * 85
        case "L;4", int(key):
            image.info["transparency"] = key * 17
        case "RGB;16B", tuple(keys):
            image.info["transparency"] = tuple(key >> 8 for key in keys)


def to_rgb(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """A loaded picture as 8-bit RGB in sRGB, transparency on white; and notices for the artist."""
    profile = image.info.get("icc_profile")
    notices = []
    image = _eight_bits(image)
    if image.has_transparency_data:
        image, visible = _on_white(image)
        if not visible:
            notices.append("The picture is fully transparent: it is seen as white.")
    # LAB names its colours by itself, and Pillow brings it to sRGB.
    if profile and image.mode != "LAB":
        image, used = _in_srgb(image, profile)
        if not used:
            notices.append("The colour profile can't be used and was left out.")
    return image.convert("RGB"), tuple(notices)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Deep grey scaled to 8 bits, where Pillow would clip it; any other mode as it is."""
    match image.mode:
        case "I;16" | "I;16B" | "I;16L" | "I;16N":
            values = np.asarray(image)
            twelve = _tag(image, BITS_PER_SAMPLE) == (12,)
            grey = Image.fromarray((TWELVE_TO_EIGHT if twelve else SIXTEEN_TO_EIGHT)[values])
            key = image.info.get("transparency")
            if isinstance(key, int):
                grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
        case "F":
            grey = Image.fromarray(_unit_to_eight(np.asarray(image)))
        case "I":
            raise IMG_FORMAT(
                "Whole numbers of 32 bits don't say what is white",
                found="32 bits per pixel",
                allowed="8 or 16 bits",
                todo="Export the picture with 16 bits",
            )
        case _:
            return image
    # Pillow heeds this only in pictures of 8 bits.
    return ImageOps.invert(grey) if _tag(image, PHOTOMETRIC) == WHITE_IS_ZERO else grey


def _unit_to_eight(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Float brightness 0 to 1 as uint8; anything outside, NaN included, is refused."""
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):
        raise IMG_CORRUPT(
            "The brightness of the picture is out of range",
            found=f"{low:g} to {high:g}",
            allowed="0 to 1",
            todo="Scale it to 0 to 1, or export it with 16 bits",
        )
    return np.rint(values * 255).astype(np.uint8)


def _tag(image: Image.Image, tag: int) -> object:
    """A tag of a TIFF; None for any other file."""
    return getattr(image, "tag_v2", {}).get(tag)


def _on_white(image: Image.Image) -> tuple[Image.Image, bool]:
    """The picture as L or RGB as it looks on white paper, and whether anything of it is visible."""
    grey = image.mode in ("1", "L", "LA", "La")
    layered = image.convert("RGBA")
    alpha = layered.getchannel("A")
    colour = layered.convert("L" if grey else "RGB")
    paper = Image.new(colour.mode, colour.size, "white")
    paper.paste(colour, mask=alpha)
    return paper, alpha.getextrema() != (0, 0)


def _in_srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, bool]:
    """The picture in sRGB, and whether its profile could be used: garbage and a mismatch are passed over."""
    if image.mode not in ("L", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        space, description = source.profile.xcolor_space, source.profile.profile_description or ""
        if space == "RGB " and image.mode == "L":
            image = image.convert("RGB")
        # Most pictures are in sRGB and say so: their values stay exactly as they are.
        if space == "RGB " and image.mode == "RGB" and "sRGB" in description:
            return image, True
        converted = ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, ImageCms.PyCMSError):
        return image, False
    assert converted is not None, "only a conversion in place returns nothing"
    return converted, True
