"""The APIs: from bodies to messages of ``slotline.v1``, and from those to answers. ``routes`` lists all routes.

Each API is a folder of files that read the same everywhere: ``request`` reads its bodies, ``reply`` makes its answers,
``schema`` describes it in OpenAPI, and ``route`` answers over HTTP. What they share is in ``common``, and what routes
share in ``serving``. Only ``route`` and ``serving`` do input and output; all else is pure.
"""
