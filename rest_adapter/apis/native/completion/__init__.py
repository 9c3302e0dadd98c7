"""POST /completion."""
