"""
Images that this service fetches itself, for bindings that upload them: how much at once, and from where.
"""

import re
from ipaddress import ip_network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from consumer.config.base import Contradictions, Seconds, Settings
from consumer.proxies import NONE, read_proxy
from consumer.vendor_facts.images import MOST_BYTES

MOST_SCALED = 100 * 1024 * 1024
"""Bytes of an image that is made smaller."""
MOST_FRAMES_ASKED_ABOUT = 64
OF_A_PIXEL, OF_A_WORKER = 12, 300 * 1024 * 1024
"""Bytes that a worker takes at the most: for each pixel that it decodes, and beside them."""
MOST_MADE = MOST_BYTES
"""Bytes of what is made of one image."""

PROXY_SETTING = "images.proxy"
FROM_ENVIRONMENT = "environment"
_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?")


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError("is not an address or a network such as 10.0.0.0/8, whose other bits are 0") from None


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("is not a host such as minio.internal or *.storage.internal, without scheme and port")
    return text


def _proxy(text: str | None) -> str | None:
    text = (text or "").strip()
    if text and text not in (NONE, FROM_ENVIRONMENT):
        read_proxy(text, PROXY_SETTING)  # raises
    return text if text and text != NONE else None


class AllowedAddresses(Settings):
    """Which addresses images may be fetched from, beside public ones. Whoever names an image names its address."""

    networks: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        (),
        description="Networks such as 10.20.0.0/16. Private, loopback and link-local addresses are refused otherwise. "
        "A cloud's metadata address is refused unless a network is just that address.",
    )
    hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(
        (),
        description="Hosts such as minio.internal or *.storage.internal, whatever their addresses, a cloud's metadata "
        "address excepted.",
    )


class ImagesSettings(Settings):
    """How images are fetched and uploaded, for bindings with `via: upload` or `fallback: upload`."""

    max_fetches: PositiveInt = Field(
        32, description="Images that are fetched and uploaded at the same time. They take no call's place."
    )
    max_fetch_bytes: Annotated[PositiveInt, Field(le=MOST_SCALED)] = Field(
        MOST_BYTES,
        description="Bytes of one image; a larger one goes to review. The provider takes no more than 20 MiB: more, up "
        "to 100 MiB, needs oversize: scale.",
    )
    max_bytes_held: PositiveInt = Field(
        134_217_728,
        description="Bytes of all images that are fetched and not uploaded yet. Others wait for theirs. Of them 20 MiB "
        "for each of `workers`, and 20 MiB more, are for what is made of images, where any is.",
    )
    oversize: Literal["review", "scale"] = Field(
        "review",
        description="What becomes of an image that has more bytes or pixels than the provider takes: people look at "
        "it, or it is made smaller and the provider does. Details may be lost; coverage.scaled says so.",
    )
    convert: bool = Field(
        False,
        description="Whether AVIF, JPEG 2000 and PSD, which the provider does not take, are made into JPEG or PNG. "
        "Without it they go to review.",
    )
    frames: Literal["first"] | Annotated[int, Field(ge=1, le=MOST_FRAMES_ASKED_ABOUT)] = Field(
        "first",
        description="How many pictures of an animated image, or of another file with many, are asked about: so many, "
        "up to 64, spread from the first to the last, each a call that is billed. `first`: the file as it is, of which "
        "the provider looks at one.",
    )
    max_decoded_megapixels: Annotated[PositiveInt, Field(le=1_000)] = Field(
        50,
        description="Of one picture that is decoded, for the three settings above. One that has more goes to review.",
    )
    workers: Annotated[PositiveInt, Field(le=64)] = Field(
        2, description="Processes that decode images, started when the first one is needed. Each takes a core."
    )
    worker_timeout: Annotated[float, Field(gt=0, le=300.0)] = Field(
        10.0, description="Seconds that decoding one image may take; then it goes to review."
    )
    worker_memory_bytes: Annotated[int, Field(ge=536_870_912, le=1 << 40)] = Field(
        1_073_741_824,
        description="Bytes that one worker may have; an image that takes more goes to review. Twelve for each pixel "
        "that may be decoded, and 300 MiB, suffice.",
    )
    connect_timeout: Seconds = Field(3.0, description="Seconds for a connection to an image's host.")
    fetch_timeout: Seconds = Field(10.0, description="Seconds for fetching an image, redirects included.")
    upload_timeout: Annotated[float, Field(gt=0, le=300.0)] = Field(30.0, description="Seconds for uploading an image.")
    allow: AllowedAddresses = AllowedAddresses()
    proxy: Annotated[str | None, AfterValidator(_proxy)] = Field(
        None,
        repr=False,
        description="Proxy to fetch images through, `http://user:password@host:port` (or https); `environment`: the "
        "one that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name. Null and `none`: no proxy. Through a proxy the "
        "addresses that names resolve to are not seen and not refused: let the proxy refuse them.",
    )

    @property
    def frames_asked_about(self) -> int:
        """How many pictures of one file are asked about at the most."""
        return 1 if self.frames == "first" else self.frames

    @property
    def are_prepared(self) -> bool:
        """Whether any image is decoded by this service."""
        return self.oversize == "scale" or self.convert or self.frames_asked_about > 1

    @property
    def max_bytes_made(self) -> int:
        """Of `max_bytes_held`, those for what is made of images."""
        return (self.workers + 1) * MOST_MADE if self.are_prepared else 0

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems: list[tuple[str, ...]] = []
        if self.max_fetch_bytes > MOST_BYTES and self.oversize != "scale":
            what = f"is more than the provider takes, {MOST_BYTES} bytes, and nothing makes images smaller"
            problems.append(("max_fetch_bytes", what, "oversize"))
        if self.max_bytes_held - self.max_bytes_made < self.max_fetch_bytes:
            if self.are_prepared:
                what = f"is less than one image may have, {self.max_fetch_bytes} bytes, and {self.max_bytes_made} for "
                problems.append(("max_bytes_held", f"{what}what is made of images", "max_fetch_bytes", "workers"))
            else:
                what = f"is less than one image may have, {self.max_fetch_bytes} bytes"
                problems.append(("max_bytes_held", what, "max_fetch_bytes"))
        needed = OF_A_PIXEL * self.max_decoded_megapixels * 1_000_000 + OF_A_WORKER
        if self.are_prepared and self.worker_memory_bytes < needed:
            what = f"is less than decoding {self.max_decoded_megapixels} megapixels may take, {needed} bytes"
            problems.append(("worker_memory_bytes", what, "max_decoded_megapixels"))
        if problems:
            raise Contradictions(*problems)
        return self
