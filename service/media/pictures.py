"""Picture files to pixels, with Pillow. Runs in the process that encodes: what decoders do with a client's bytes must
not happen in the core.

The library's own decoder is never used. It takes files that end in the middle, ignores the orientation, and hands what
it does not know to ffmpeg.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np

# Imported by name, so that nothing else can be opened; ``Image.init`` would import decoders of sixty formats.
from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError
from PIL import WebPImagePlugin as WebP

#: Formats as people call them, by the names in Pillow. What a file is depends on its contents, whatever it is called.
FORMATS = {
    PngImagePlugin.PngImageFile.format: "PNG",
    JpegImagePlugin.JpegImageFile.format: "JPEG",
    WebP.WebPImageFile.format: "WebP",
    GifImagePlugin.GifImageFile.format: "GIF",
    BmpImagePlugin.BmpImageFile.format: "BMP",
}
_ORIENTATION = 0x0112
#: What turns a picture upright, by the value of that tag; 1 is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WHITE = (255, 255, 255)
_MAX_REASON_CHARS = 200

# Pictures are bounded by ``max_image_pixels``, before they are decoded; Pillow would warn of some and refuse others.
Image.MAX_IMAGE_PIXELS = None


class BadPicture(Exception):
    """A file cannot be used as a picture; the text is a predicate of it: "is empty; allowed are ..."."""


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A decoded picture.

    Attributes:
        width, height: in pixels; at least 1.
        pixels: red, green and blue of every pixel, a byte each, row by row.
    """

    width: int
    height: int
    pixels: bytes


def decode(data: bytes, max_pixels: int) -> Bitmap:
    """Decode a file: its first frame, upright, on white where it is transparent.

    Takes up to 12 bytes for each pixel while it works, and 3 afterwards.

    Args:
        data: the file.
        max_pixels: pixels that it may have; known before anything is decoded.

    Raises:
        BadPicture: it is no picture of these formats, is damaged, or is too large.
        MemoryError: there is too little memory.
    """
    if not data:
        raise BadPicture(f"is empty; allowed are {allowed_formats()}")
    with warnings.catch_warnings():
        # Of metadata that is damaged, and does not matter.
        warnings.simplefilter("ignore")
        image = _open(data)
        if image.width * image.height > max_pixels:
            raise BadPicture(
                f"has {image.width} x {image.height} pixels, {image.width * image.height} together; "
                f"allowed are at most {max_pixels}"
            )
        # One after the other, so that each can be freed as soon as the next is there.
        image = _loaded(image)
        orientation = _orientation(image)
        image = _opaque(image)
        image = _upright(image, orientation)
    return Bitmap(image.width, image.height, image.tobytes())


def allowed_formats() -> str:
    """The formats, in words."""
    *others, last = FORMATS.values()
    return f"{', '.join(others)} and {last}"


def _open(data: bytes) -> Image.Image:
    """The picture as its header describes it; no pixel has been decoded."""
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=list(FORMATS))
    except UnidentifiedImageError:
        raise BadPicture(f"is no picture of a known format; allowed are {allowed_formats()}") from None
    except MemoryError:
        raise
    except Exception as error:
        raise _damaged(error) from error
    return image


def _loaded(image: Image.Image) -> Image.Image:
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything, and all of it says that the file is damaged
        raise _damaged(error) from error
    return image


def _damaged(error: Exception) -> BadPicture:
    reason = " ".join(str(error).split())[:_MAX_REASON_CHARS] or type(error).__name__
    return BadPicture(f"is damaged: {reason}")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged metadata is as good as none, and its parser raises anything
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _opaque(image: Image.Image) -> Image.Image:
    """The same in red, green and blue, on white."""
    if image.mode.startswith("I;16") or image.mode == "I":
        # ``convert`` would cut 16 bits off at 255 instead of scaling them.
        high = np.asarray(image).astype(np.uint16) >> 8
        return Image.fromarray(high.astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    if image.mode != "RGBA":
        image = image.convert("RGBA")
    white = Image.new("RGB", image.size, _WHITE)
    white.paste(image, mask=image.getchannel("A"))
    return white
