"""GET /: the built-in web page."""
