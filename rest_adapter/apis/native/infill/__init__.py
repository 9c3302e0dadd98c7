"""POST /infill. Its answers are those of POST /completion."""
