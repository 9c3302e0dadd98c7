"""Asks about a picture: ``picture.py FILE "What is in the picture?"``; the server needs ``--mmproj``."""

import os
import sys

from slotline.client import Client, image

if len(sys.argv) < 2:
    sys.exit("usage: picture.py FILE [QUESTION]")
question = sys.argv[2] if len(sys.argv) > 2 else "What is in the picture?"
with Client(os.environ.get("SLOTLINE_TARGET", "127.0.0.1:50051")) as client:
    (model,) = client.models()
    if not model.HasField("images"):
        sys.exit(f"{model.name} takes no pictures")
    answer = client.chat([{"role": "user", "content": [image(sys.argv[1]), question]}], max_tokens=64, temperature=0)
print(answer.text)
print(f"{answer.usage.image_tokens} tokens of {answer.usage.prompt_tokens} are the picture")
