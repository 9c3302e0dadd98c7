"""GGUF files with changes: entries and tensors that are missing, replaced or added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gguf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt


def write_changed(
    source: Path, path: Path, *, entries: Mapping[str, Any] = {}, tensors: Mapping[str, npt.NDArray[Any] | None] = {}
) -> Path:
    """Copy a file with changes; returns the path.

    Args:
        source: the file.
        path: where to.
        entries: metadata by key, instead of what the file has there; None for nothing. The type stays.
        tensors: tensors by name, instead of what the file has there; None for nothing.
    """
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(path, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        value = entries.get(key, field.contents())
        if key.startswith("GGUF.") or key == "general.architecture" or value is None:
            continue
        item = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, value, field.types[0], item)
    for tensor in reader.tensors:
        if tensor.name not in tensors:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    for name, values in tensors.items():
        if values is not None:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
