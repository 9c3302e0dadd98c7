"""Opens the GGUF files that a configuration names, and says in one sentence why one of them cannot be used."""

from __future__ import annotations

import stat
from pathlib import Path

from service.llama.files.gguf import GgufError, GgufHeader, read_header
from service.llama.load_errors import ModelLoadError


def read_gguf(path: Path, subject: str, field: str) -> GgufHeader:
    """Read the header of a whole, regular file.

    Args:
        path: the file.
        subject: what messages begin with; names the file.
        field: of the configuration, which names the file.

    Raises:
        ModelLoadError: the file is missing, cannot be read, is no GGUF file, or is damaged or truncated.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ModelLoadError(f"{subject} is a directory; `{field}` must name a GGUF file")
        if not stat.S_ISREG(mode):
            raise ModelLoadError(f"{subject} is not a regular file; `{field}` must name a GGUF file")
        header = read_header(path)
    except FileNotFoundError as error:
        where = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise ModelLoadError(f"{subject} does not exist{where}; check `{field}`") from error
    except OSError as error:
        raise ModelLoadError(f"{subject} cannot be read: {error.strerror}") from error
    except GgufError as error:
        raise ModelLoadError(f"{subject} {error}") from error
    if header.data_end > header.file_bytes:
        raise ModelLoadError(
            f"{subject} is truncated: it has {header.file_bytes} bytes, its tensors end at byte "
            f"{header.data_end}; download or copy it again"
        )
    return header
