"""Guesses how sequences go on, by a smaller model."""
