"""What the scenarios share. Nothing here knows a scenario."""
