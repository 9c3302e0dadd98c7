"""The APIs: from bodies to messages of ``slotline.v1``, and from those to answers. ``routes`` lists all routes.

In each folder ``request`` reads bodies, ``reply`` makes answers, both pure, and ``route`` answers over HTTP.
"""
