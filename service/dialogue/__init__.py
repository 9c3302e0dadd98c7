"""What an answer to a conversation consists of: reasoning, content and tool calls.

How a model writes them is described by a ``ChatFormat``, which the chat template gives when the model is loaded.
Everything else here is built on that: what a template has to be shown of earlier calls, the grammar that an answer with
tools obeys, and the parser of answers. All of it is pure: no model, no I/O, no threads.
"""
