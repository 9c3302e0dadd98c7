"""Options: the parser, values, help, environment variables, and the configurations that options describe.

``groups`` holds the options by subject. ``core_options``, ``rest_options``, ``serve_options`` and
``healthcheck_options`` are the tables of the commands.
"""
