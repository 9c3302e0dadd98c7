"""GET /props."""
