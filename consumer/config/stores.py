"""
Stores of objects that this service reads itself: where they are, and where their keys come from.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from consumer.config.base import Contradictions, Settings
from consumer.config.provider import Endpoint, GivenEndpoint
from consumer.vendor_facts.stores import ANY_REGION

StoreName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
_Region = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class StoreSettings(Settings):
    """A store that this service reads objects from, for bindings that name it."""

    type: Literal["s3", "oss"] = Field(
        description="`s3`: Amazon S3 and what speaks like it: MinIO, Ceph's object gateway, R2. `oss`: Alibaba Cloud's."
    )
    endpoint: Endpoint = Field(
        None,
        description="Scheme and host, such as https://minio.example.com:9000. Without it the region's public one, of "
        "Amazon or of Alibaba Cloud.",
    )
    allow_clear_text: bool = Field(
        False,
        description="Read from an `http://` endpoint on another machine, without TLS: everyone on the network path can "
        "see the images and put others in their place. The key's secret is not sent.",
    )
    region: _Region | None = Field(
        None,
        description="The buckets' region, which signatures name. Needed but for `s3` with an endpoint, where it is "
        f"{ANY_REGION} unless the store was told another name; R2 calls it auto.",
    )
    path_style: bool | None = Field(
        None,
        description="Whether the bucket stands in the path, and not in front of the host's name. Null: as `s3` with an "
        "endpoint wants it, in the path; else in the host.",
    )
    key_files: Path | None = Field(
        None,
        description="Folder of access-key-id, access-key-secret and, for a temporary key, security-token, seen from "
        "this file's folder. Read again when they change. Null: for `s3` what Amazon's own tools would use: the "
        "environment's AWS_… variables, profiles, a web identity, the machine's role; for `oss` ALIBABA_CLOUD_…",
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.region is None and (self.type == "oss" or self.endpoint is None):
            why = "signatures name it" if self.type == "oss" else "without an endpoint it says which host is called"
            raise Contradictions(("region", f"is missing: {why}", "type"))
        if self.goes_in_clear and not self.allow_clear_text:
            why = "is http:// to another machine: everyone on the way could see the images, and put others in their "
            rest = "place; use https://, or set allow_clear_text: true"
            raise Contradictions(("endpoint", why + rest, "allow_clear_text"))
        return self

    @property
    def goes_in_clear(self) -> bool:
        """Whether images come over a network without TLS."""
        return self.endpoint is not None and GivenEndpoint.of(self.endpoint).goes_in_clear

    @property
    def signed_region(self) -> str:
        """The region that signatures name."""
        return self.region or ANY_REGION

    @property
    def has_bucket_in_path(self) -> bool:
        """Whether requests name the bucket in their path."""
        return self.path_style if self.path_style is not None else self.type == "s3" and self.endpoint is not None
