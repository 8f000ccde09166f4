"""What every part of the configuration is made of: a frozen section, and the kinds of values it may hold.

A section refuses unknown keys and silent conversions. What must hold *between* its keys it says in `relations`, as
(key, sentence), so that all broken relations are reported at once, each under its key.
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

RELATIONS: Final = "relations"
"""The type of the error that carries a section's broken relations."""

FOLDER: Final = "folder"
"""Key of the validation context: the folder that relative paths are relative to."""


class Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    def relations(self) -> Iterator[tuple[str, str]]:
        """Broken relations between keys: (key, what must hold)."""
        yield from ()

    @model_validator(mode="after")
    def _hold_relations(self) -> Self:
        broken = tuple(self.relations())
        if broken:
            text = "; ".join(f"{key} {problem}" for key, problem in broken)
            raise PydanticCustomError(RELATIONS, "{text}", {"text": text, "broken": broken})
        return self


def _beside(value: Any, info: ValidationInfo) -> Any:
    """A path as written, made relative to the file it was written in."""
    if not isinstance(value, str):
        return value
    if not value:
        raise PydanticCustomError("path", "must name a path")
    return Path((info.context or {}).get(FOLDER, ""), value)


def _readable_file(path: Path) -> Path:
    """Checked at load, not at first use: a missing key must stop the start, not the first payment."""
    if not path.is_file():
        raise PydanticCustomError("file", "must be a file; {path} is not there", {"path": str(path)})
    if not os.access(path, os.R_OK):
        raise PydanticCustomError("file", "must be readable by this user; {path} is not", {"path": str(path)})
    return path


def _readable_folder(path: Path) -> Path:
    if not path.is_dir():
        raise PydanticCustomError("folder", "must be a folder; {path} is not there", {"path": str(path)})
    if not os.access(path, os.R_OK | os.X_OK):
        raise PydanticCustomError("folder", "must be readable by this user; {path} is not", {"path": str(path)})
    return path


def open_to_others(path: Path) -> bool:
    """Whether users other than the owner and its group may read the file."""
    return bool(path.stat().st_mode & stat.S_IROTH)


SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""Names of banks and principals: they become labels of metrics, health names and file names."""

AnyPath = Annotated[Path, BeforeValidator(_beside)]
ReadableFile = Annotated[Path, BeforeValidator(_beside), AfterValidator(_readable_file)]
ReadableFolder = Annotated[Path, BeforeValidator(_beside), AfterValidator(_readable_folder)]
Slug = Annotated[str, Field(pattern=f"^{SLUG.pattern}$")]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Host = Annotated[str, Field(min_length=1, max_length=253)]
Port = Annotated[int, Field(ge=1, le=65_535)]
ListenPort = Annotated[int, Field(ge=0, le=65_535)]
Texts = Annotated[tuple[Text, ...], Field(strict=False)]
