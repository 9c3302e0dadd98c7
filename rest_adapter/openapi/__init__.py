"""The OpenAPI document: what schemas and operations are made of, error answers, and how it is put together.

Each API describes itself in its ``schema``; nothing here knows any of them, or is needed to answer a request other than
GET /openapi.json.
"""
