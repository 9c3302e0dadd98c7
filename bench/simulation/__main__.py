"""``python -m bench.simulation``: the same as ``python -m bench simulate``."""

import sys

from bench.simulation.command import main

sys.exit(main())
