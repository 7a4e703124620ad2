"""
How long an upload may be without an answer before subscribers are told so.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from consumer.config.base import MOST_SECONDS, Settings

_UNITS = {"s": 1, "m": 60, "h": 3_600}
_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smh])")


def _seconds(given: Any) -> Any:
    """`30s`, `5m` and `1h` as seconds; anything else as it is."""
    found = _DURATION.fullmatch(given) if isinstance(given, str) else None
    return float(found[1]) * _UNITS[found[2]] if found else given


_Seconds = Annotated[
    float,
    Field(ge=1, le=MOST_SECONDS),
    BeforeValidator(_seconds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 1, "maximum": MOST_SECONDS, "description": "Seconds."},
                {"type": "string", "pattern": f"^{_DURATION.pattern}$", "description": "30s, 5m or 1h"},
            ]
        }
    ),
]


class DeadlineSettings(Settings):
    """
    By lane: after how long without an answer an upload gets a provisional verdict, review. Off for lanes that are not
    named; the one lane of a configuration without `lanes` is called `default`.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, _Seconds]

    per_minute: int = Field(
        600,
        ge=1,
        le=60_000,
        description="Provisional verdicts that this replica publishes in any minute, of all lanes together. What is "
        "due beyond that is counted, and gets its own once there is room, unless it has been answered by then.",
    )

    @property
    def by_lane(self) -> Mapping[str, float]:
        """Seconds from reading an upload to its provisional verdict."""
        return self.__pydantic_extra__
