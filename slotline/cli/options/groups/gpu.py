"""GPUs, for libraries that were built for them."""

from __future__ import annotations

from service.config import SplitMode
from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import member, shares, whole

GPU = Group(
    "GPU (without effect, and with a warning, if the llama.cpp library was built without one)",
    (
        Value(
            ("-ngl", "--n-gpu-layers", "--gpu-layers"),
            "N",
            "n_gpu_layers",
            whole("n_gpu_layers", or_exactly=-1, means="the library's default"),
            "layers kept in GPU memory",
            default_note="the library's default",
        ),
        Value(
            ("-ngld", "--gpu-layers-draft", "--n-gpu-layers-draft", "--spec-draft-ngl"),
            "N",
            "n_gpu_layers_draft",
            whole("n_gpu_layers_draft", or_exactly=-1, means="the library's default"),
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
        Value(("-mg", "--main-gpu"), "I", "main_gpu", whole("main_gpu"), "GPU for small tensors"),
        Flag(
            ("-nommq", "--no-mul-mat-q"),
            {},
            "obsolete, only accepted",
            warning="is obsolete and has no effect",
        ),
    ),
)
