"""The gRPC core: owns the model and the slot engine.

Imports run downwards only: ``api`` -> ``prompts`` -> ``engine`` -> ``sampling``; ``llama`` implements what ``engine``
and ``prompts`` ask of a model, and is the only package here that imports ``llama_cpp``.
"""
