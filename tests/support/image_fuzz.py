"""Files of pictures as chance changes them."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support import image_files as files

_SIZE = 24, 16
SAMPLES = [
    *(files.encoded(files.noise(*_SIZE), form) for form in files.FORMATS),
    files.encoded(files.noise(*_SIZE), "JPEG", progressive=True),
    files.encoded(files.noise(*_SIZE), "WEBP", lossless=False),
    files.turned(files.noise(*_SIZE), 6),
    files.transparent(100),
    files.sixteen_bit_grey(1000),
    files.animated([(255, 0, 0), (0, 0, 255)], "GIF"),
    files.animated([(255, 0, 0), (0, 0, 255)], "WEBP"),
]


@st.composite
def changed_files(draw: st.DrawFn) -> bytes:
    """A file in which some bytes are others, or parts are missing, twice there, or in the place of others."""
    data = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(0, 8))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    start, end = sorted(draw(st.tuples(st.integers(0, len(data)), st.integers(0, len(data)))))
    change = draw(st.sampled_from(["nothing", "keep", "remove", "double", "replace"]))
    if change == "keep":
        data = data[:end]
    elif change == "remove":
        del data[start:end]
    elif change == "double":
        data[start:start] = data[start:end]
    elif change == "replace":
        data[start:end] = draw(st.binary(max_size=100))
    return bytes(data)
