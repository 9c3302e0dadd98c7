"""Documented routes that are not available in this version: they say so."""

from __future__ import annotations

from flask import Response

from rest_adapter.errors import NotAvailable
from rest_adapter.routes.site import Handler, Site


def not_available(feature: str) -> Handler:
    """A handler that refuses and names the feature."""

    def refuse(site: Site) -> Response:
        raise NotAvailable(f"{feature}: not available in this version")

    return refuse
