"""``slotline chat``: a chat in the terminal, or one question from a script, over the REST API of any server.

``options`` and what it imports are read for every command's help, so they import nothing heavy. ``session`` is the chat
of a person at a terminal, ``question`` that of a script; both go through ``answer``, and it through ``server``.
"""
