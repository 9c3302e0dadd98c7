"""Contexts longer than those that the model was trained with."""

from __future__ import annotations

from service.config import RopeScaling
from slotline.cli.options.table import Group, Value
from slotline.cli.options.values import integer, member, real

LONG_CONTEXT = Group(
    "context beyond training",
    (
        Value(
            ("-gan", "--grp-attn-n"),
            "N",
            "group_n",
            integer(1),
            "self-extend: tokens that share a position once they are old; 1 turns it off",
            default="1",
        ),
        Value(
            ("-gaw", "--grp-attn-w"),
            "N",
            "group_width",
            integer(1),
            "self-extend: positions that are grouped at once, a multiple of -gan",
            default="512",
        ),
        Value(
            ("--rope-scaling",),
            "TYPE",
            "rope_scaling",
            member(RopeScaling),
            "how positions beyond the trained context are scaled: none, linear or yarn",
            default="from the model",
        ),
        Value(
            ("--rope-freq-base",),
            "F",
            "rope_freq_base",
            real(minimum=0),
            "base frequency of RoPE; 0 takes the model's",
            default="0",
        ),
        Value(
            ("--rope-freq-scale",),
            "F",
            "rope_freq_scale",
            real(minimum=0),
            "frequency scale of RoPE: the context grows by 1/F; 0 takes the model's",
            default="0",
        ),
        Value(
            ("--yarn-ext-factor",),
            "F",
            "yarn_ext_factor",
            real(),
            "YaRN: mix of extrapolation; negative takes the model's",
            default="-1",
        ),
        Value(
            ("--yarn-attn-factor",),
            "F",
            "yarn_attn_factor",
            real(),
            "YaRN: scale of attention",
            default="1",
        ),
        Value(
            ("--yarn-beta-slow",),
            "F",
            "yarn_beta_slow",
            real(),
            "YaRN: high correction dimension",
            default="1",
        ),
        Value(
            ("--yarn-beta-fast",),
            "F",
            "yarn_beta_fast",
            real(),
            "YaRN: low correction dimension",
            default="32",
        ),
    ),
)
