"""
What an ImageModeration call asks, read from its form body, or the code with which the service refuses it.

Vendor: the request parameters and response codes 400, 401 and 402 of the synchronous 2.0 API. Which code wins when
several apply is not documented; here an empty parameter comes before a long one, and that before an invalid one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from consumer.emulator.errors import ServiceError
from consumer.emulator.tokens import bucket_of

SERVICES: Final = frozenset({"baselineCheck_global", "aigcDetector_global"})
"""Of the regions outside mainland China."""
MAINLAND_SERVICES: Final = frozenset(
    {
        "baselineCheck", "baselineCheck_pro", "baselineCheckByVL", "tonalityImprove", "aigcCheck", "aigcDetector",
        "profilePhotoCheck", "postImageCheck", "postImageCheckByVL", "advertisingCheck", "liveStreamCheck",
        "generalRecognition",
    }
)  # fmt: skip
"""Of the regions in mainland China, whose names begin with cn-."""
INFO_TYPES: Final = frozenset({"customImage", "textInImage", "publicFigure", "logoData"})
MAX_LENGTH: Final[Mapping[str, int]] = {"imageUrl": 2048, "dataId": 64, "referer": 256}

_DATA_ID: Final = re.compile(r"[A-Za-z0-9_.-]*")
# Not only the regions of this API: a bucket may be in any region of the object store, which writes some with oss-.
_REGION: Final = re.compile(r"(oss-)?[a-z]{2}(-[a-z]+)(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class ImageUrl:
    """An image that the provider downloads."""

    url: str = field(repr=False)
    referer: str = ""

    def __str__(self) -> str:
        """Without credentials and query: a presigned URL's query is a credential."""
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return "(not a URL)"
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@dataclass(frozen=True, slots=True)
class OssObject:
    """An image that the provider reads from a bucket. The region may be empty where the call names none."""

    bucket: str
    object: str
    region: str

    def __str__(self) -> str:
        return f"{self.bucket}/{self.object}"


@dataclass(frozen=True, slots=True)
class Parameters:
    """One valid question about one image."""

    service: str
    image: ImageUrl | OssObject
    data_id: str
    info_types: frozenset[str]
    region: str
    """Of the provider: the one that was asked."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call is about, as far as it can be read; the empty string where it cannot."""

    service: str
    data_id: str
    image: ImageUrl | OssObject | None


def read_asked(form: Mapping[str, str]) -> Asked:
    """Read as much as there is, valid or not: a refused call is logged under what it asked."""
    try:
        fields = _read_fields(form.get("ServiceParameters", ""))
    except ServiceError:
        return Asked(form.get("Service", ""), "", None)
    try:
        image = _read_image(fields)
    except ServiceError:
        image = None
    return Asked(form.get("Service", ""), fields.get("dataId", ""), image)


def read_parameters(form: Mapping[str, str], region: str) -> Parameters:
    """
    The parameters in a decoded form body that reached `region`.

    Raises: ServiceError 400 (empty), 401 (invalid), 402 (too long).
    """
    service = form.get("Service", "")
    if not service:
        raise _empty("Service")
    if service not in (MAINLAND_SERVICES if region.startswith("cn-") else SERVICES):
        raise _invalid("Service")
    fields = _read_fields(form.get("ServiceParameters", ""))
    image = _read_image(fields)
    if isinstance(image, OssObject):
        image = _in_a_region(image, region)
    _check_lengths(fields)
    if isinstance(image, ImageUrl):
        _check_url(image.url)
    data_id = fields.get("dataId", "")
    if _DATA_ID.fullmatch(data_id) is None:
        raise _invalid("dataId")
    return Parameters(service, image, data_id, _read_info_types(fields), region)


def _read_fields(text: str) -> dict[str, str]:
    if not text:
        raise _empty("ServiceParameters")
    try:
        fields: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _invalid("ServiceParameters") from error
    if not isinstance(fields, dict):
        raise _invalid("ServiceParameters")
    for name, value in fields.items():
        if not isinstance(value, str):
            raise _invalid(name)
    return fields


def _read_image(fields: Mapping[str, str]) -> ImageUrl | OssObject:
    oss = {name: fields[name] for name in ("ossBucketName", "ossObjectName", "ossRegionId") if name in fields}
    if "imageUrl" in fields:
        if oss:
            raise _invalid("imageUrl")
        if not fields["imageUrl"]:
            raise _empty("imageUrl")
        return ImageUrl(fields["imageUrl"], fields.get("referer", ""))
    if not oss:
        raise _empty("imageUrl")
    for name in ("ossBucketName", "ossObjectName"):
        if not oss.get(name):
            raise _empty(name)
    if oss.get("ossRegionId") == "":
        raise _empty("ossRegionId")
    return OssObject(oss["ossBucketName"], oss["ossObjectName"], oss.get("ossRegionId", ""))


def _in_a_region(image: OssObject, asked: str) -> OssObject:
    """Vendor: the sample for local files names no region for the bucket that its upload token named."""
    if not image.region:
        if image.bucket != bucket_of(asked):
            raise _empty("ossRegionId")
        return replace(image, region=asked)
    if _REGION.fullmatch(image.region) is None:
        raise _invalid("ossRegionId")
    return image


def _check_lengths(fields: Mapping[str, str]) -> None:
    for name, limit in MAX_LENGTH.items():
        if len(fields.get(name, "")) > limit:
            raise ServiceError(402, f"{name} is longer than {limit} characters")


def _check_url(url: str) -> None:
    # Vendor: no Chinese characters in a URL. No other unescaped ones either: a URL is ASCII.
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isascii() and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise _invalid("imageUrl")


def _read_info_types(fields: Mapping[str, str]) -> frozenset[str]:
    wanted = frozenset(name.strip() for name in fields.get("infoType", "").split(",")) - {""}
    if not wanted <= INFO_TYPES:
        raise _invalid("infoType")
    return wanted


def _empty(name: str) -> ServiceError:
    return ServiceError(400, f"{name} is empty")


def _invalid(name: str) -> ServiceError:
    return ServiceError(401, f"{name} is invalid")
