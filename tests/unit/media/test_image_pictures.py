"""Files of pictures become upright pixels in red, green and blue, or an error that says what is wrong with them."""

from __future__ import annotations

import io
import wave

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from service.media.pictures import BadPicture, Bitmap, decode
from tests.support import image_files as files
from tests.support.image_fuzz import changed_files
from tests.support.properties import fuzzed

MAX_PIXELS = 1_000_000
ALLOWED = "allowed are PNG, JPEG, WebP, GIF and BMP"


def pixels_of(data: bytes) -> npt.NDArray[np.uint8]:
    bitmap = decode(data, MAX_PIXELS)
    return np.frombuffer(bitmap.pixels, np.uint8).reshape(bitmap.height, bitmap.width, 3)


def corners() -> npt.NDArray[np.uint8]:
    """Four quarters of four colours, wider than high."""
    quarters = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 255)]], np.uint8)
    return quarters.repeat(16, axis=0).repeat(24, axis=1)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "BMP"])
def test_a_format_without_loss_gives_the_pixels(form: str) -> None:
    assert np.array_equal(pixels_of(files.encoded(corners(), form)), corners())


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_gives_nearly_the_pixels(progressive: bool) -> None:
    found = pixels_of(files.encoded(corners(), "JPEG", quality=100, subsampling=0, progressive=progressive))
    assert np.abs(found.astype(int) - corners()).max() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_turned_upright(orientation: int, form: str) -> None:
    """Row by row from the top left, what is stored when the upright picture is ``corners``."""
    upright = corners()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    found = pixels_of(files.turned(np.ascontiguousarray(stored), orientation, form))
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).max() < 8


def test_damaged_metadata_does_not_matter() -> None:
    data = files.turned(corners(), 6)
    assert b"\x01\x12\x00\x03" in data
    assert pixels_of(data.replace(b"\x01\x12\x00\x03", b"\x01\x12\xff\xff")).shape == corners().shape


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
@pytest.mark.parametrize(("alpha", "expected"), [(0, (255, 255, 255)), (255, (255, 0, 0)), (51, (255, 204, 204))])
def test_what_is_transparent_shows_white(form: str, alpha: int, expected: tuple[int, int, int]) -> None:
    assert (pixels_of(files.transparent(alpha, form=form)) == expected).all()


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_shows_white(mode: str) -> None:
    image = Image.new(mode, (8, 8), 0)
    key = (0, 0, 0) if mode == "RGB" else 0
    assert (pixels_of(files.saved(image, transparency=key)) == 255).all()


@pytest.mark.parametrize("value", [0, 0x00FF, 0x8000, 0xFFFF])
def test_sixteen_bits_are_scaled_to_eight(value: int) -> None:
    assert (pixels_of(files.sixteen_bit_grey(value)) == value >> 8).all()


@pytest.mark.parametrize(("mode", "colour"), [("1", 1), ("L", 255), ("LA", (255, 255)), ("CMYK", (0, 0, 0, 0))])
def test_other_colour_models_become_red_green_and_blue(mode: str, colour: int | tuple[int, ...]) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    assert (pixels_of(files.saved(Image.new(mode, (16, 16), colour), form)) == 255).all()


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_of_a_film_the_first_frame_counts(form: str) -> None:
    film = files.animated([(255, 0, 0), (0, 255, 0), (0, 0, 255)], form)
    found = pixels_of(film).astype(int)
    assert np.abs(found - (255, 0, 0)).max() < 16


@pytest.mark.parametrize(("width", "height"), [(1, 1), (10_000, 1), (1, 10_000), (1000, 1000)])
def test_extreme_sizes_are_pictures(width: int, height: int) -> None:
    bitmap = decode(files.plain(width, height), MAX_PIXELS)
    assert (bitmap.width, bitmap.height, len(bitmap.pixels)) == (width, height, 3 * width * height)


@pytest.mark.parametrize(
    ("width", "height", "rows"), [(1001, 1000, True), (12_000, 12_000, True), (30_000, 30_000, False)]
)
def test_a_picture_with_too_many_pixels_is_refused_by_its_header(width: int, height: int, rows: bool) -> None:
    data = files.png_of(width, height, bits=1, colour_type=0, rows=rows)
    with pytest.raises(BadPicture, match=rf"^has {width} x {height} pixels, {width * height} together; allowed are"):
        decode(data, MAX_PIXELS)


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(32_000))
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"a text, not a picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'><rect width='8' height='8'/></svg>",
        files.plain(8, 8, form="TIFF"),
        files.plain(32, 32, form="ICO"),
        files.plain(32, 32, form="JPEG2000"),
        files.plain(32, 32, form="AVIF"),
        files.plain(8, 8, form="PPM"),
        files.plain(8, 8, form="TGA"),
        wav(),
        b"ID3\x03\x00\x00\x00\x00\x00\x00",
        b"\xff\xfb\x90\x00" + bytes(400),
        b"%PDF-1.7\n",
        b"GIF",
        b"\x89PNG\r\n\x1a\n",
    ],
    ids=lambda data: repr(data[:8]),
)
def test_what_is_none_of_the_formats_is_refused_with_their_names(data: bytes) -> None:
    with pytest.raises(BadPicture, match=f"^is no picture of a known format; {ALLOWED}$"):
        decode(data, MAX_PIXELS)


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(BadPicture, match=f"^is empty; {ALLOWED}$"):
        decode(b"", MAX_PIXELS)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_file_that_was_cut_is_damaged(form: str, part: float) -> None:
    data = files.encoded(files.noise(64, 64), form)
    with pytest.raises(BadPicture, match=r"^is damaged: "):
        decode(data[: int(len(data) * part)], MAX_PIXELS)


def test_a_png_with_a_wrong_checksum_is_damaged() -> None:
    data = bytearray(files.plain(32, 32))
    data[data.index(b"IDAT") + 8] ^= 1
    with pytest.raises(BadPicture, match=r"^is damaged: "):
        decode(bytes(data), MAX_PIXELS)


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (2**31 - 1, 2**31 - 1), (2**32 - 1, 1)])
def test_an_impossible_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(BadPicture):
        decode(files.png_of(*size, rows=False), MAX_PIXELS)


def test_a_text_that_blows_up_inside_a_png_is_not_kept() -> None:
    notes = PngInfo()
    notes.add_text("bomb", "0" * (8 << 20), zip=True)
    with pytest.raises(BadPicture, match=r"^is damaged: "):
        decode(files.saved(Image.new("RGB", (8, 8)), pnginfo=notes), MAX_PIXELS)


@fuzzed
@given(changed_files())
def test_any_bytes_are_a_picture_or_a_bad_one(data: bytes) -> None:
    try:
        bitmap = decode(data, MAX_PIXELS)
    except BadPicture as error:
        assert str(error).startswith(("is ", "has "))
    else:
        assert isinstance(bitmap, Bitmap)
        assert 0 < bitmap.width * bitmap.height <= MAX_PIXELS
        assert len(bitmap.pixels) == 3 * bitmap.width * bitmap.height


@fuzzed
@given(st.binary(max_size=300), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM"]))
def test_random_bytes_are_no_picture(data: bytes, magic: bytes) -> None:
    try:
        decode(magic + data, MAX_PIXELS)
    except BadPicture:
        return
