"""Contexts longer than those that the model was trained with."""

from __future__ import annotations

from service.config import RopeScaling
from slotline.cli.options.table import Group, Value
from slotline.cli.options.values import member, number, times_longer, whole

LONG_CONTEXT = Group(
    "context beyond training",
    (
        Value(
            ("-gan", "--grp-attn-n"),
            "N",
            "group_n",
            whole("group_n"),
            "self-extend: tokens that share a position once they are old; 1 turns it off",
        ),
        Value(
            ("-gaw", "--grp-attn-w"),
            "N",
            "group_width",
            whole("group_width"),
            "self-extend: positions that are grouped at once, a multiple of -gan",
        ),
        Value(
            ("--rope-scaling",),
            "TYPE",
            "rope_scaling",
            member(RopeScaling),
            "how positions beyond the trained context are scaled: none, linear or yarn",
            default_note="from the model",
        ),
        Value(
            ("--rope-freq-base",),
            "F",
            "rope_freq_base",
            number("rope_freq_base"),
            "base frequency of RoPE; 0 takes the model's",
        ),
        Value(
            ("--rope-freq-scale",),
            "F",
            "rope_freq_scale",
            number("rope_freq_scale"),
            "frequency scale of RoPE: the context grows by 1/F; 0 takes the model's",
        ),
        Value(
            ("--rope-scale",),
            "N",
            "rope_freq_scale",
            times_longer,
            "the same as --rope-freq-scale 1/N: the context grows N times; 0 takes the model's",
        ),
        Value(
            ("--yarn-orig-ctx",),
            "N",
            "yarn_orig_ctx",
            whole("yarn_orig_ctx"),
            "YaRN: tokens of the context that the model was trained with first; 0 takes what the model says",
        ),
        Value(
            ("--yarn-ext-factor",),
            "F",
            "yarn_ext_factor",
            number("yarn_ext_factor"),
            "YaRN: mix of extrapolation; negative takes the model's",
        ),
        Value(
            ("--yarn-attn-factor",),
            "F",
            "yarn_attn_factor",
            number("yarn_attn_factor"),
            "YaRN: scale of attention",
        ),
        Value(
            ("--yarn-beta-slow",),
            "F",
            "yarn_beta_slow",
            number("yarn_beta_slow"),
            "YaRN: high correction dimension",
        ),
        Value(
            ("--yarn-beta-fast",),
            "F",
            "yarn_beta_fast",
            number("yarn_beta_fast"),
            "YaRN: low correction dimension",
        ),
    ),
)
