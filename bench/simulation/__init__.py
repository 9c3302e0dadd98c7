"""The scheduler in virtual time: the engine's own code, thousands of requests, and a model that costs what steps of the
real one were measured to cost.

``python -m bench simulate`` runs traffic and prints what came of it; ``python -m bench.simulation.measure`` measures a
machine. Everything is drawn from seeds, so that the same command gives the same figures, but for its own speed.
"""
