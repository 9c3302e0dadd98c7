"""Pictures for prompts: their files, limits and caches, and the process that encodes them.

Imports of the rest of the service only ``engine.request`` (what prompts consist of), ``config``, ``errors`` and
``prompts.work``. Nothing here imports libmtmd or llama.cpp: that is ``service.llama.media``, which runs in the process
alone.
"""
