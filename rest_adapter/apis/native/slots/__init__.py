"""GET /slots."""
