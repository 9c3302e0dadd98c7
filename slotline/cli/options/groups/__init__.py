"""Options by subject; each command puts its own together from these groups."""
