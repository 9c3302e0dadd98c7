"""The JSON dialect of the REST API: how bodies are read and answers written. Imports nothing but the errors."""
