"""The OpenAPI document of the REST API, at GET /openapi.json.

It is made of constants: ``apis`` has the paths and the names, types and bounds of options, and the modules here the
words and the shapes of answers. Nothing here is needed to answer any other request.
"""

from rest_adapter.openapi.document import document

__all__ = ["document"]
