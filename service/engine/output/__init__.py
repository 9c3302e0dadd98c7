"""From sampled tokens to the events that callers get."""
