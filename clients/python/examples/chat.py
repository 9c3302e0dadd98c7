"""Asks a question, and another one about the answer: ``chat.py "What is the capital of Germany?"``."""

import os
import sys

from slotline.client import Client, Message

question = sys.argv[1] if len(sys.argv) > 1 else "What is the capital of Germany?"
messages: list[Message] = [{"role": "user", "content": question}]
with Client(os.environ.get("SLOTLINE_TARGET", "127.0.0.1:50051")) as client:
    answer = client.chat(messages, max_tokens=48, temperature=0)
    print(answer.text)
    messages += [answer.message, {"role": "user", "content": "Why is it famous?"}]
    print(client.chat(messages, max_tokens=48, temperature=0).text)
