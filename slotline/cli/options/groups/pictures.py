"""Pictures in prompts."""

from __future__ import annotations

from service.config import MIN_CTX_PICTURES
from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import mebibytes, number, text, whole

PICTURES = Group(
    "pictures in prompts",
    (
        Value(
            ("-mm", "--mmproj"),
            "FNAME",
            "mmproj",
            text,
            "projector, a GGUF file that belongs to the model: prompts may have pictures, and each slot has a context "
            f"of at least {MIN_CTX_PICTURES} tokens",
            default_note="none, so prompts may have no pictures",
        ),
        Flag(("--mmproj-offload",), {"mmproj_offload": True}, "put the projector into GPU memory; that is the default"),
        Flag(
            ("--no-mmproj-offload",),
            {"mmproj_offload": False},
            "keep the projector out of GPU memory",
        ),
        Value(
            ("--image-min-tokens",),
            "N",
            "image_min_tokens",
            whole("image_min_tokens"),
            "fewest tokens of a picture, for projectors whose number of tokens follows the size of the picture",
            default_note="from the projector",
        ),
        Value(
            ("--image-max-tokens",),
            "N",
            "image_max_tokens",
            whole("image_max_tokens"),
            "most tokens of a picture, for the same projectors; larger pictures are made smaller",
            default_note="from the projector",
        ),
        Value(
            ("--media-threads",),
            "N",
            "media_threads",
            whole("media_threads"),
            "threads that encode pictures, beside those of the model",
            default_note="as many as the model has, and one while that computes",
        ),
        Value(
            ("--media-nice",),
            "N",
            "media_nice",
            whole("media_nice"),
            "how much the process that encodes pictures gives way to text: 0 not at all, 19 most",
        ),
        Value(
            ("--media-cache-ram",),
            "N",
            "media_cache_mib",
            whole("media_cache_mib"),
            "main memory in MiB for encoded pictures, so that a picture that comes again is not encoded again; 0 keeps "
            "none",
        ),
        Value(("--max-images",), "N", "max_images", whole("max_images"), "most pictures of one request"),
        Value(
            ("--max-image-mib",),
            "N",
            "max_image_bytes",
            mebibytes(1, 1024),
            "largest file of a picture, in MiB",
        ),
        Value(
            ("--max-request-image-mib",),
            "N",
            "max_request_image_bytes",
            mebibytes(1, 1024),
            "most MiB of all pictures of one request",
        ),
        Value(
            ("--max-image-pixels",),
            "N",
            "max_image_pixels",
            whole("max_image_pixels"),
            "most pixels of a picture, width times height, known before it is decoded",
        ),
        Value(
            ("--image-cpu-limit",),
            "S",
            "image_cpu_s",
            number("image_cpu_s"),
            "seconds of processor time after which a picture is given up",
        ),
        Value(
            ("--max-waiting-images",),
            "N",
            "max_waiting_images",
            whole("max_waiting_images"),
            "pictures that may wait to be encoded; more are refused",
        ),
    ),
)
