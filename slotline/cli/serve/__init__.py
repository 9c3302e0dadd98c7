"""The commands that serve: ``serve``, ``core`` and ``rest``, the supervisor, and what people see on the screen."""
