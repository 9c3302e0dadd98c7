"""The REST API of the llama.cpp server."""
