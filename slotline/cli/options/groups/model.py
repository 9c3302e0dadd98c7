"""Which model is served, and how it is loaded."""

from __future__ import annotations

from service.config import Pooling
from service.dialogue.known_formats import KNOWN_FORMATS
from service.prompts.templates import NAMED
from slotline.cli.options.files import read_text
from slotline.cli.options.table import Flag, Group, Pair, Value
from slotline.cli.options.tool_format import tool_format
from slotline.cli.options.values import kv_override, lora, member, names, scaled_lora, text, whole

_MAX_TEMPLATE_BYTES = 1 << 20


def _template_of_file(name: str, path: str) -> str:
    return text(name, read_text(name, path, _MAX_TEMPLATE_BYTES))


TOOL_FORMAT = Value(
    ("--tool-format",),
    "FORMAT",
    "tool_format",
    tool_format,
    "how the model writes tool calls: a file with a description as /props?server shows it, or one of these names: "
    + ", ".join(sorted(KNOWN_FORMATS)),
    default_note="found out from the chat template",
)

MODEL = Group(
    "model",
    (
        Value(("-m", "--model"), "FNAME", "path", text, "GGUF file", default_note="SmolLM2-135M-Instruct, 92 MiB"),
        Value(
            ("-a", "--alias"),
            "NAMES",
            "aliases",
            names,
            "name of the model in answers; of several, with commas between them, the first in the alphabet, and "
            "requests may use the others, too",
            default_note="its file's name; native answers have its path",
        ),
        Value(
            ("--tags",),
            "WORDS",
            "tags",
            names,
            "words about the model, with commas between them, that /v1/models shows; nothing depends on them",
            default_note="none",
        ),
        Value(
            ("-c", "--ctx-size", "--ctx_size"),
            "N",
            "n_ctx",
            whole("n_ctx"),
            "context in tokens, shared by all slots: each gets N / slots; 0 takes what the model was trained with",
        ),
        Value(
            ("--chat-template",),
            "TEMPLATE",
            "chat_template",
            text,
            "chat template instead of the model's own: its text in Jinja (not a file), or one of these names: "
            + ", ".join(sorted(NAMED)),
        ),
        Value(
            ("--chat-template-file",),
            "FNAME",
            "chat_template",
            _template_of_file,
            "the same from a file with the text of a template",
        ),
        TOOL_FORMAT,
        Flag(
            ("--reranking", "--rerank"),
            {"reranking": True},
            "score pairs of texts for /rerank, as --pooling rank does; refuse a model that cannot",
        ),
        Value(
            ("--pooling",),
            "KIND",
            "pooling",
            member(Pooling),
            "how a text's tokens become its embedding: the mean of their states, that of the first (cls) or that of "
            "the last one; none gives each token an embedding; rank scores pairs of texts",
            default_note="what the model says, else mean for encoders and last for others",
        ),
        Flag(
            ("--embedding", "--embeddings"),
            {"embedding": True},
            "give embeddings, too; takes memory for it",
        ),
        Value(
            ("--override-kv",),
            "KEY=TYPE:VALUE",
            "kv_overrides",
            kv_override,
            "replace an entry of the model's metadata; TYPE is int, float or bool; may repeat",
            repeat=True,
        ),
        Value(
            ("--lora",),
            "FNAME",
            "lora",
            lora,
            "LoRA adapter, a GGUF file, that is applied to the model; implies --no-mmap; may repeat, all are applied",
            repeat=True,
        ),
        Pair(
            ("--lora-scaled",),
            "FNAME S",
            "lora",
            scaled_lora,
            "the same with a factor S for what the adapter changes; --lora has the factor 1",
            repeat=True,
        ),
        Flag(
            ("--lora-init-without-apply",),
            {"lora_init_without_apply": True},
            "load LoRA adapters, and leave them out until POST /lora-adapters gives them scales",
        ),
        Value(
            ("--lora-base",),
            "FNAME",
            "",
            text,
            "obsolete, only accepted",
            warning="is obsolete and has no effect: adapters are applied beside the weights at run time",
        ),
    ),
)
