"""Everything that touches llama.cpp: the only package that imports ``llama_cpp``, and the owner of every pointer.

``loader.load`` turns a ``ModelConfig`` into a ``LlamaModel`` or a ``LlamaEncoder``; ``preflight.check_model_file`` says
beforehand whether that can work. Importing a module of this package never loads the library: only
``library.load_library`` does. Imports ``service.config``, ``service.errors``, ``service.model_facts``,
``service.engine.language_model`` and ``service.sampling``, and in ``media`` alone ``service.media``.
"""
