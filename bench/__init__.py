"""Benchmarks: how fast the service is, and how it compares with llama.cpp's own server and tools.

``python -m bench`` runs all scenarios, ``python -m bench decode`` one of them. Each module here is one scenario with a
``run(settings) -> Result``; ``bench.harness`` holds what they share: processes, load, statistics, reports. A benchmark
may import the server's packages, but nothing imports a benchmark, and no test depends on a measured figure.
``bench.simulation`` runs the scheduler in virtual time, where figures are exact; ``bench.compiled`` measures what mypyc
would gain.
"""
