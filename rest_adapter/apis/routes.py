"""All routes. OPTIONS, and HEAD for every GET, are answered on each path without being listed."""

from __future__ import annotations

from rest_adapter.apis.native.completion.route import complete
from rest_adapter.apis.native.embedding.route import embed
from rest_adapter.apis.native.health.route import health
from rest_adapter.apis.native.infill.route import infill
from rest_adapter.apis.native.metrics.route import metrics
from rest_adapter.apis.native.props.route import props
from rest_adapter.apis.native.slots.route import slots
from rest_adapter.apis.native.tokenization.route import detokenize, tokenize
from rest_adapter.apis.openai.chat.route import chat
from rest_adapter.apis.openai.completions.route import complete_text
from rest_adapter.apis.openai.embeddings.route import embed_openai
from rest_adapter.apis.openai.models.route import models, one_model
from rest_adapter.apis.serving.app_context import Route
from rest_adapter.files.page import page
from rest_adapter.openapi.route import description

ROUTES = (
    Route("GET", ("/",), page, is_public=True),
    Route("GET", ("/openapi.json",), description, is_public=True),
    Route("GET", ("/health", "/v1/health"), health, is_public=True),
    Route("GET", ("/slots",), slots),
    Route("GET", ("/props",), props),
    Route("GET", ("/metrics",), metrics),
    Route("GET", ("/v1/models", "/models"), models, is_public=True),
    Route("GET", ("/v1/models/<rest:name>", "/models/<rest:name>"), one_model),
    Route("POST", ("/completion", "/completions"), complete),
    Route("POST", ("/infill",), infill),
    Route("POST", ("/v1/completions",), complete_text),
    Route("POST", ("/v1/chat/completions", "/chat/completions"), chat),
    Route("POST", ("/embedding", "/embeddings"), embed),
    Route("POST", ("/v1/embeddings",), embed_openai),
    Route("POST", ("/tokenize",), tokenize),
    Route("POST", ("/detokenize",), detokenize),
)
