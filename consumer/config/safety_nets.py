"""
What looks after the policy and the provider while both go on working: the breaker of blocks, and canaries.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PositiveInt, StringConstraints, model_validator

from consumer.config.base import MOST_SECONDS, Contradictions, Settings

CanaryName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")]
MOST_URL = 2_048  # characters; vendor


def _web_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    if len(url) > MOST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"must be of at most {MOST_URL} visible ASCII characters")
    if not urlsplit(url).hostname:
        raise ValueError("must name a host")
    return url


def _listed(places: Sequence[str]) -> str:
    return f"{' and '.join(places)} are given" if places else "none is given"


class BreakerOfBlocksSettings(Settings):
    """When so much is blocked that people look first. See docs/safety-nets.md."""

    share: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Of a tenant's images of the last `window`: once the policy blocks more of them, and until it "
        "blocks no more than four fifths of that, blocks that no pinned rule asks for are published as reviews. Null "
        "turns it off.",
    )
    window: float = Field(600.0, gt=0, le=86_400, description="Seconds that are looked back.")
    least: PositiveInt = Field(
        200, description="Images of the tenant in the window before it can begin; of one subject at most five count."
    )


class CanaryObject(Settings):
    """An object that the provider may read itself."""

    bucket: str = Field(min_length=1)
    key: str = Field(min_length=1)
    region: str = Field(min_length=1, description="That the bucket is in.")


class CanaryImage(Settings):
    """An image of which it is known what it is; exactly one of `url`, `object` and `file` says where it is."""

    name: CanaryName = Field(
        description="1 to 40 lower-case letters, digits, dots, hyphens and underscores; in metrics, logs and readiness."
    )
    expect: Literal["flagged", "clean"] = Field(
        description="`flagged`: it is known to be bad, so that medium or high risk must be answered. `clean`: it is "
        "known to be good, so that none or low must be."
    )
    url: Annotated[str, Field(json_schema_extra={"writeOnly": True}), AfterValidator(_web_url)] | None = Field(
        None,
        repr=False,
        description="Where the provider downloads it; it must stay there.",
    )
    object: CanaryObject | None = None
    file: Path | None = Field(
        None,
        description="Of this machine, seen from this file's folder: it is put into the provider's temporary store each "
        "time.",
    )

    @model_validator(mode="after")
    def _is_in_one_place(self) -> Self:
        places = [each for each in ("url", "object", "file") if getattr(self, each) is not None]
        if len(places) != 1:
            raise Contradictions(("name", f"needs exactly one of url, object and file; {_listed(places)}"))
        return self


class CanariesSettings(Settings):
    """Images that are asked about again and again, to see that the provider still answers as it should."""

    interval: float = Field(
        600.0,
        ge=1,
        le=MOST_SECONDS,
        description="Seconds from one round to the next: so late it may be noticed. Every call is billed.",
    )
    images: tuple[CanaryImage, ...] = Field(
        (),
        description="Each is one call by each of the policy's services, those of overlays too, in each region, in each "
        "interval.",
    )

    @model_validator(mode="after")
    def _are_told_apart(self) -> Self:
        names = [image.name for image in self.images]
        if twice := [at for at, name in enumerate(names) if name in names[:at]]:
            raise Contradictions(*((f"images.{at}.name", f"{names[at]} is the name of another") for at in twice))
        return self
