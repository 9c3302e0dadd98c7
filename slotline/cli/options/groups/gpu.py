"""GPUs, for libraries that were built for them."""

from __future__ import annotations

from service.config import SplitMode
from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import member, or_words, shares, whole

#: More than any model has.
_ALL_LAYERS = "999"
#: Words of llama.cpp's for numbers of layers.
_LAYERS = {"auto": "-1", "all": _ALL_LAYERS, "-2": _ALL_LAYERS}

GPU = Group(
    "GPU (without effect, and with a warning, if the llama.cpp library was built without one)",
    (
        Value(
            ("-ngl", "--n-gpu-layers", "--gpu-layers"),
            "N",
            "n_gpu_layers",
            or_words(_LAYERS, whole("n_gpu_layers", or_exactly=-1, means="the library's default")),
            "layers kept in GPU memory",
            default_note="the library's default",
        ),
        Value(
            ("-ngld", "--gpu-layers-draft", "--n-gpu-layers-draft", "--spec-draft-ngl"),
            "N",
            "n_gpu_layers_draft",
            or_words(_LAYERS, whole("n_gpu_layers_draft", or_exactly=-1, means="the library's default")),
            "the same of the draft model",
            default_note="the library's default",
        ),
        Value(
            ("-sm", "--split-mode"),
            "MODE",
            "split_mode",
            member(SplitMode),
            "how the model is split over several GPUs: none, layer or row",
        ),
        Value(
            ("-ts", "--tensor-split"),
            "SPLIT",
            "tensor_split",
            shares,
            "share of each GPU, for example 3,2",
            default_note="by their memory",
        ),
        Flag(("-kvo", "--kv-offload"), {"kv_offload": True}, "keep the KV cache in GPU memory; that is the default"),
        Flag(("-nkvo", "--no-kv-offload"), {"kv_offload": False}, "keep the KV cache in main memory"),
        Flag(
            ("--op-offload",),
            {"op_offload": True},
            "let a GPU compute prompts with weights in main memory, too; that is the default",
        ),
        Flag(("--no-op-offload",), {"op_offload": False}, "let the processor compute with weights in main memory"),
        Flag(
            ("--no-host",),
            {"host_buffers": False},
            "leave a GPU's buffers in main memory out, so that weights there can be rearranged for the processor",
        ),
        Value(("-mg", "--main-gpu"), "I", "main_gpu", whole("main_gpu"), "GPU for small tensors"),
        Flag(
            ("-nommq", "--no-mul-mat-q"),
            {},
            "obsolete, only accepted",
            warning="is obsolete and has no effect",
        ),
    ),
)
