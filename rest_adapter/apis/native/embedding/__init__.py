"""POST /embedding."""
