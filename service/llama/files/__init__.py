"""GGUF files, looked at before the library sees them. Imports nothing of ``llama_cpp``."""
