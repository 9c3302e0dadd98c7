"""The routes: thin, from a request over ``translate`` to the core and back.

Each module has the routes of one area; ``table`` lists them all.
"""

from rest_adapter.routes.page import page_files, page_response
from rest_adapter.routes.site import Route, Site
from rest_adapter.routes.static import static_response
from rest_adapter.routes.table import ROUTES

__all__ = ["ROUTES", "Route", "Site", "page_files", "page_response", "static_response"]
