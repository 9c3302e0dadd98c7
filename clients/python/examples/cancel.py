"""Leaves a stream after eight parts, and ends another one by a time limit of asyncio: both free their slots at once."""

import asyncio
import os

from slotline.client import AsyncClient


async def main() -> None:
    """Show both."""
    async with AsyncClient(os.environ.get("SLOTLINE_TARGET", "127.0.0.1:50051")) as client:
        parts = 0
        async with client.generate("1, 2, 3,") as generation:
            async for text in generation:
                print(text, end="", flush=True)
                parts += 1
                if parts == 8:
                    break
        print("\nleft the block")

        try:
            async with asyncio.timeout(0.5):
                await client.complete("1, 2, 3,", ignore_eos=True)
        except TimeoutError:
            print("too late")


asyncio.run(main())
