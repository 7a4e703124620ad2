"""
Images that this service fetches itself, for bindings that upload them: how much at once, and from where.
"""

import re
from ipaddress import ip_network
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from consumer.config.base import Contradictions, Settings
from consumer.proxies import NONE, read_proxy
from consumer.vendor_facts.images import MOST_BYTES

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
    max_fetch_bytes: Annotated[PositiveInt, Field(le=MOST_BYTES)] = Field(
        MOST_BYTES,
        description="Bytes of one image; a larger one goes to review. The provider takes no more than 20 MiB.",
    )
    max_bytes_held: PositiveInt = Field(
        134_217_728, description="Bytes of all images that are fetched and not uploaded yet. Others wait for theirs."
    )
    connect_timeout: PositiveFloat = Field(3.0, description="Seconds for a connection to an image's host.")
    fetch_timeout: PositiveFloat = Field(10.0, description="Seconds for fetching an image, redirects included.")
    upload_timeout: Annotated[PositiveFloat, Field(le=300.0)] = Field(
        30.0, description="Seconds for uploading an image."
    )
    allow: AllowedAddresses = AllowedAddresses()
    proxy: Annotated[str | None, AfterValidator(_proxy)] = Field(
        None,
        repr=False,
        description="Proxy to fetch images through, `http://user:password@host:port` (or https); `environment`: the "
        "one that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name. Null and `none`: no proxy. Through a proxy the "
        "addresses that names resolve to are not seen and not refused: let the proxy refuse them.",
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.max_bytes_held < self.max_fetch_bytes:
            what = f"is less than one image may have, {self.max_fetch_bytes} bytes"
            raise Contradictions(("max_bytes_held", what, "max_fetch_bytes"))
        return self
