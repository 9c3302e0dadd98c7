"""From what a caller sends to token ids: text, mixed parts, and conversations through the model's chat template.

Knows the vocabulary only through ``service.prompts.vocabulary``; imports ``service.errors``, neither gRPC nor
``llama_cpp``.
"""
