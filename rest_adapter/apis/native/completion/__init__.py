"""POST /completion and POST /infill."""
