"""Turns what a caller sends into token ids: text, mixed parts, and conversations by the model's chat template.

Knows a model's vocabulary only as ``service.prompts.vocabulary`` declares it. Imports ``service.errors``, neither gRPC
nor ``llama_cpp``.
"""
