"""
What looks after the policy and the provider while both go on working: the breaker of blocks, and canaries.
"""

from pydantic import Field, PositiveInt

from consumer.config.base import Settings


class BreakerOfBlocksSettings(Settings):
    """When so much is blocked that people look first. See docs/safety-nets.md."""

    share: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Of a tenant's images of the last `window`: while the policy blocks more of them, blocks that no "
        "pinned rule asks for are published as reviews. Null turns it off.",
    )
    window: float = Field(600.0, gt=0, le=86_400, description="Seconds that are looked back.")
    least: PositiveInt = Field(
        200, description="Images of the tenant in the window before it can begin; of one subject at most five count."
    )
