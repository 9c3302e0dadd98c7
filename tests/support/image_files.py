"""Files of pictures as clients send them: all formats, odd ones, damaged ones, and some that mean harm."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.seeing_model import Pixels

RED = (255, 0, 0)
#: What ``encoded`` writes.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


def encoded(pixels: Pixels, form: str = "PNG", **options: Any) -> bytes:
    """A file with these pixels; exact in all formats but JPEG."""
    if form == "WEBP":
        options = {"lossless": True} | options
    return saved(Image.fromarray(pixels), form, **options)


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """A picture of Pillow as a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def plain(width: int, height: int, colour: tuple[int, int, int] = RED, form: str = "PNG") -> bytes:
    """A file of one colour."""
    return saved(Image.new("RGB", (width, height), colour), form)


def noise(width: int, height: int, seed: int = 0) -> Pixels:
    """Pixels that differ for every seed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def sixteen_bit_grey(value: int, size: int = 32) -> bytes:
    """A PNG of 16 bits per pixel, all of one brightness of 65,536."""
    return saved(Image.fromarray(np.full((size, size), value, np.uint16)))


def turned(pixels: Pixels, orientation: int, form: str = "JPEG") -> bytes:
    """A file that says how its pixels are to be turned before they are shown."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
    return encoded(pixels, form, exif=exif.tobytes(), **options)


def transparent(alpha: int, colour: tuple[int, int, int] = RED, form: str = "PNG") -> bytes:
    """A file of one colour that is seen through."""
    options = {"lossless": True} if form == "WEBP" else {}
    return saved(Image.new("RGBA", (32, 32), (*colour, alpha)), form, **options)


def animated(colours: Iterable[tuple[int, int, int]], form: str) -> bytes:
    """A film of one frame for each colour."""
    frames = [Image.new("RGB", (32, 32), colour) for colour in colours]
    return saved(frames[0], form, save_all=True, append_images=frames[1:], duration=100)


def png_of(width: int, height: int, *, bits: int = 8, colour_type: int = 2, rows: bool = True) -> bytes:
    """A PNG of zeros, written without its pixels ever being in memory.

    Args:
        width, height: in pixels.
        bits: of each channel.
        colour_type: 2 for red, green and blue, 0 for grey.
        rows: whether the pixels are in the file; without them only its header is right.
    """
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    data = b""
    if rows:
        line = bytes(1 + (width * bits * (3 if colour_type == 2 else 1) + 7) // 8)
        packer = zlib.compressobj(9)
        data = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(name, content) for name, content in chunks)


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
