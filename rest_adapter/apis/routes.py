"""All routes. OPTIONS, and HEAD for every GET, are answered on each path without being listed."""

from __future__ import annotations

from rest_adapter.apis.anthropic.messages.route import count_tokens, messages
from rest_adapter.apis.anthropic.messages.schema import COUNT_TOKENS, MESSAGES
from rest_adapter.apis.native.completion.route import complete
from rest_adapter.apis.native.completion.schema import COMPLETION
from rest_adapter.apis.native.embedding.route import embed
from rest_adapter.apis.native.embedding.schema import EMBEDDING
from rest_adapter.apis.native.health.route import health
from rest_adapter.apis.native.health.schema import HEALTH
from rest_adapter.apis.native.infill.route import infill
from rest_adapter.apis.native.infill.schema import INFILL
from rest_adapter.apis.native.lora.route import lora_adapters, set_lora_scales
from rest_adapter.apis.native.lora.schema import LORA_ADAPTERS, SET_LORA_SCALES
from rest_adapter.apis.native.metrics.route import metrics
from rest_adapter.apis.native.metrics.schema import METRICS
from rest_adapter.apis.native.openapi.route import description
from rest_adapter.apis.native.openapi.schema import OPENAPI
from rest_adapter.apis.native.page.route import page
from rest_adapter.apis.native.page.schema import PAGE
from rest_adapter.apis.native.props.route import props, set_props
from rest_adapter.apis.native.props.schema import PROPS, SET_PROPS
from rest_adapter.apis.native.slot_actions.route import act_on_slot
from rest_adapter.apis.native.slot_actions.schema import SLOT_ACTION
from rest_adapter.apis.native.slots.route import slots
from rest_adapter.apis.native.slots.schema import SLOTS
from rest_adapter.apis.native.tokenization.route import detokenize, tokenize
from rest_adapter.apis.native.tokenization.schema import DETOKENIZE, TOKENIZE
from rest_adapter.apis.openai.chat.route import apply_template, chat, count_chat_tokens
from rest_adapter.apis.openai.chat.schema import APPLY_TEMPLATE, CHAT, CHAT_INPUT_TOKENS
from rest_adapter.apis.openai.completions.route import complete_text
from rest_adapter.apis.openai.completions.schema import TEXT_COMPLETION
from rest_adapter.apis.openai.embeddings.route import embed_openai
from rest_adapter.apis.openai.embeddings.schema import EMBEDDINGS
from rest_adapter.apis.openai.models.route import models, one_model
from rest_adapter.apis.openai.models.schema import MODELS, ONE_MODEL
from rest_adapter.apis.openai.responses.route import count_input_tokens, respond
from rest_adapter.apis.openai.responses.schema import INPUT_TOKENS, RESPONSES_API
from rest_adapter.apis.ranking.rerank.route import rerank, rerank_v2
from rest_adapter.apis.ranking.rerank.schema import RERANK, RERANK_V2
from rest_adapter.apis.ranking.score.route import score_pairs
from rest_adapter.apis.ranking.score.schema import SCORE
from rest_adapter.apis.serving.app_context import Route

ROUTES = (
    Route("GET", ("/",), page, PAGE, is_public=True),
    Route("GET", ("/openapi.json",), description, OPENAPI, is_public=True),
    Route("GET", ("/health", "/v1/health"), health, HEALTH, is_public=True),
    Route("GET", ("/slots",), slots, SLOTS),
    Route("GET", ("/lora-adapters",), lora_adapters, LORA_ADAPTERS),
    Route("POST", ("/lora-adapters",), set_lora_scales, SET_LORA_SCALES),
    Route("POST", ("/slots/<id>",), act_on_slot, SLOT_ACTION),
    Route("GET", ("/props",), props, PROPS),
    Route("POST", ("/props",), set_props, SET_PROPS),
    Route("GET", ("/metrics",), metrics, METRICS),
    Route("GET", ("/v1/models", "/models"), models, MODELS, is_public=True),
    Route("GET", ("/v1/models/<rest:name>", "/models/<rest:name>"), one_model, ONE_MODEL),
    Route("POST", ("/completion", "/completions"), complete, COMPLETION),
    Route("POST", ("/infill",), infill, INFILL),
    Route("POST", ("/v1/completions",), complete_text, TEXT_COMPLETION),
    Route("POST", ("/v1/chat/completions", "/chat/completions"), chat, CHAT),
    Route("POST", ("/apply-template",), apply_template, APPLY_TEMPLATE),
    Route(
        "POST",
        ("/v1/chat/completions/input_tokens", "/chat/completions/input_tokens"),
        count_chat_tokens,
        CHAT_INPUT_TOKENS,
    ),
    Route("POST", ("/v1/responses", "/responses"), respond, RESPONSES_API),
    Route("POST", ("/v1/responses/input_tokens", "/responses/input_tokens"), count_input_tokens, INPUT_TOKENS),
    Route("POST", ("/v1/messages",), messages, MESSAGES),
    Route("POST", ("/v1/messages/count_tokens",), count_tokens, COUNT_TOKENS),
    Route("POST", ("/embedding", "/embeddings"), embed, EMBEDDING),
    Route("POST", ("/v1/embeddings",), embed_openai, EMBEDDINGS),
    Route("POST", ("/rerank", "/reranking", "/v1/rerank", "/v1/reranking"), rerank, RERANK),
    Route("POST", ("/v2/rerank",), rerank_v2, RERANK_V2),
    Route("POST", ("/score", "/v1/score"), score_pairs, SCORE),
    Route("POST", ("/tokenize",), tokenize, TOKENIZE),
    Route("POST", ("/detokenize",), detokenize, DETOKENIZE),
)
