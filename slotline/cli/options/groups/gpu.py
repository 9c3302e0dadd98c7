"""GPUs, for libraries that were built for them."""

from __future__ import annotations

from service.config import MAX_DEVICES, SplitMode
from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import integer, member, shares

GPU = Group(
    "GPU (without effect, and with a warning, if the llama.cpp library was built without one)",
    (
        Value(
            ("-ngl", "--n-gpu-layers", "--gpu-layers"),
            "N",
            "n_gpu_layers",
            integer(0, or_exactly=-1, means="the library's default"),
            "layers kept in GPU memory",
            default="-1, the library's default",
        ),
        Value(
            ("-sm", "--split-mode"),
            "MODE",
            "split_mode",
            member(SplitMode),
            "how the model is split over several GPUs: none, layer or row",
            default="layer",
        ),
        Value(
            ("-ts", "--tensor-split"),
            "SPLIT",
            "tensor_split",
            shares,
            "share of each GPU, for example 3,2",
            default="by their memory",
        ),
        Value(
            ("-mg", "--main-gpu"), "I", "main_gpu", integer(0, MAX_DEVICES - 1), "GPU for small tensors", default="0"
        ),
        Flag(
            ("-nommq", "--no-mul-mat-q"),
            {},
            "obsolete, only accepted",
            warning="is obsolete and has no effect",
        ),
    ),
)
