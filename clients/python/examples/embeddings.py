"""Compares texts; the server needs ``--embedding``."""

import os

from slotline.client import Client

texts = ["a cat", "a kitten", "the stock market"]
with Client(os.environ.get("SLOTLINE_TARGET", "127.0.0.1:50051")) as client:
    vectors = client.embed(texts)
for text, vector in zip(texts, vectors, strict=True):
    # Vectors have unit length, so their product is the cosine of the angle between them.
    print(f"{sum(a * b for a, b in zip(vector, vectors[0], strict=True)):.3f} {text}")
