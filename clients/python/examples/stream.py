"""Prints a continuation as it comes: ``stream.py "Once upon a time"``."""

import os
import sys

from slotline.client import Client

prompt = sys.argv[1] if len(sys.argv) > 1 else "Once upon a time"
with Client(os.environ.get("SLOTLINE_TARGET", "127.0.0.1:50051")) as client:
    for text in client.generate(prompt, max_tokens=48):
        print(text, end="", flush=True)
    print()
