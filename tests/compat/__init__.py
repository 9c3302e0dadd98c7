"""Runs the tests of llama.cpp's own server against Slotline, and against llama-server itself: ``make compat``.

They come with llama-cpp-python's source package and are not part of this repository. Models that they would download
are replaced by small ones that are written here.
"""
