"""The only place that opens a user's bytes or parses a user's values."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Profile: TypeAlias = Literal["local", "lan", "public"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one profile allows."""
