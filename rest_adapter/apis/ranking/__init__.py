"""Scores of how relevant texts are to a query."""
