"""``slotline chat``: a chat in the terminal, or one question from a script, over the REST API of any server.

``chat_options`` is imported for the help of every command, and so imports nothing heavy. ``session`` is the chat of a
person at a terminal, ``question`` that of a script; both ask through ``answer``, which asks through ``server``.
"""
