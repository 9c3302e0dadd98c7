"""Options: their tables, the parser, values, help, and the configurations that they describe."""
