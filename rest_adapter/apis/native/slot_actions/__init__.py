"""POST /slots/{id}?action=..."""
