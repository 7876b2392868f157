"""The base of what is read from files, and the texts that names in them are."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

NAME: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"
TOPIC: Final = r"^[a-zA-Z0-9._-]{1,249}$"
TEXT: Final = r"^\S(.*\S)?$"
PATTERNS: Final = {
    NAME: "up to 63 lower-case letters, digits and hyphens, a letter or digit at the start",
    TOPIC: "up to 249 letters, digits, dots, hyphens and underscores",
    TEXT: "a text on one line, without a space at either end",
}
Name = Annotated[str, Field(pattern=NAME)]
Text = Annotated[str, Field(max_length=255, pattern=TEXT)]


class Strict(BaseModel):
    """The base of all parts of a file: nothing can be changed, added or coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
