"""
Where an image is, and how the provider comes by it. Values only.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """An object in a bucket."""

    store: str
    bucket: str
    key: str
    region: str | None = None
    version: str | None = None
    etag: str | None = None  # the producer's word, as `version` is


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What an upload event says of one image."""

    id: str
    url: str | None = field(default=None, repr=False)
    ref: ObjectRef | None = None
    mime: str | None = None
    size: int | None = None  # bytes
    sha256_claimed: str | None = None  # the producer's word: these bytes were not seen


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in a store of the configuration's, which this service may read."""

    store: str  # its name in the configuration
    bucket: str
    key: str
    version: str | None = None
    etag: str | None = None  # without a version the object must have it still


@dataclass(frozen=True, slots=True)
class ByUpload:
    """This service fetches the image and uploads it to the provider's temporary store."""

    source: str | StoredObject = field(repr=False)  # a URL, which may be presigned
    nth: int = 0  # which of the pictures that are made of it


@dataclass(frozen=True, slots=True)
class ByUrl:
    """The provider downloads the image from `url`, which may be presigned: a credential."""

    url: str = field(repr=False)
    or_upload: ByUpload | None = None  # where the provider cannot fetch it


@dataclass(frozen=True, slots=True)
class ByObject:
    """The provider reads the object itself, with the account's authorisation; or from its own temporary store."""

    bucket: str
    key: str
    region: str | None  # None: of the temporary store, where vendor: no region is named
    or_upload: ByUpload | None = None  # where the provider cannot read it


ImageLocation = ByUrl | ByObject | ByUpload


def uploaded_from(location: ImageLocation) -> ByUpload | None:
    """Return how the image is uploaded, at once or where the provider cannot reach it; None where it never is."""
    return location if isinstance(location, ByUpload) else location.or_upload


def fetched_from(location: ImageLocation) -> str | None:
    """Return the URL that the image is fetched from, by the provider or by this service; None for an object."""
    match location:
        case ByUrl(url):
            return url
        case ByUpload(str() as url):
            return url
        case _:
            return None


@dataclass(frozen=True, slots=True)
class NotAskable:
    """The provider cannot be asked for the image as the event names it. `code` is the word that its verdict has."""

    code: str
