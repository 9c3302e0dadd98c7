"""Answers of the llama.cpp HTTP server of 28 February 2024, and how to tell whether this project gives the same.

``python -m tests.golden --url http://127.0.0.1:8080`` runs all cases against a running server and prints a table.

``reference_2024.json`` holds the requests and the answers, recorded with the default model, ``-c 2048 -np 1
--embedding --metrics``. ``compare`` judges one answer; it is pure, so whoever runs the service decides how.
"""
