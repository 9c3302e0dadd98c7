"""``python -m slotline.cli``: the same as the ``slotline`` command."""

from __future__ import annotations

import sys

from slotline.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
