"""
What the objects of a bucket are, and which events this service ignores.
"""

import string
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from consumer.config.base import Contradictions, Settings


def _template(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    try:
        parts = list(string.Formatter().parse(url))
    except ValueError as error:
        raise ValueError(f"is not a template ({error})") from None
    names = {name for _, name, _, _ in parts if name is not None}
    if not names <= {"bucket", "key", "version"} or "key" not in names:
        raise ValueError("must contain {key}, may contain {bucket} and {version}, and nothing else in braces")
    if any(form or conversion for _, _, form, conversion in parts):
        raise ValueError("must not have a format or conversion in its braces: write {key}, {bucket} and {version}")
    if "#" in url:
        raise ValueError("must not have a #: what is behind it is never sent, and all objects would be judged as one")
    if {".", ".."} & set(url.partition("?")[0].split("/")):
        raise ValueError("must not have a segment . or ..: write the path that it leads to")
    for name in _of_authority(parts):
        if name in ("key", "version"):
            raise ValueError(f"must have a / between the host and {{{name}}}, or {name}s could choose the host")
    return url


def _of_authority(parts: Iterable[tuple[str, str | None, str | None, str | None]]) -> Iterator[str | None]:
    """Yield the names in a template's user, host and port, however they are written."""
    literal = ""
    for text, name, _, _ in parts:
        literal += text
        if not set("/?").isdisjoint(literal.partition("://")[2]):
            return
        yield name


def asks_for_version(template: str) -> bool:
    """Tell whether a template has `{version}`."""
    return any(name == "version" for _, name, _, _ in string.Formatter().parse(template))


class Include(Settings):
    """Which objects are images. All others are ignored."""

    keys: tuple[str, ...] = Field(
        (),
        description="Globs on the object's key, without regard to case and to dots and blanks at its end; none means "
        "every key. A user who can choose the key can avoid moderation.",
    )
    content_types: tuple[str, ...] = Field(
        (),
        description="Globs on the content type, without case and parameters; none, application/octet-stream and other "
        "generic types match. A user who can choose the type can avoid moderation.",
    )


class Binding(Settings):
    """What a bucket's objects are, and how the provider reaches them. The longest matching prefix wins."""

    bucket: str = Field(min_length=1)
    prefix: str = ""
    tenant: str = "default"
    purpose: str = "default"
    via: Literal["url", "oss", "upload"] = Field(
        description="`url`: the provider downloads from the template. `oss`: it reads the bucket itself. `upload`: "
        "this service downloads, from the template or from `store`, and uploads to the provider's temporary store, "
        "which keeps an image for 30 minutes: for images that the provider cannot reach."
    )
    fallback: Literal["upload"] | None = Field(
        None,
        description="`upload`: an image that the provider cannot fetch is downloaded by this service and uploaded, as "
        "`via: upload` does: from `store`, or with `via: url` and without one from the template.",
    )
    store: str | None = Field(
        None,
        description="The name under `stores` of the store that this service reads the bucket from, with that store's "
        "key. A binding with `via: upload` then needs no template, and the bucket may be private.",
    )
    url: Annotated[str, AfterValidator(_template)] | None = Field(
        None,
        repr=False,
        description="Template such as https://cdn.example.com/{key}, with ?versionId={version} or the like behind it "
        "for a bucket that keeps versions; key and version are percent-encoded into it.",
    )
    versions: Literal["exact", "latest"] = Field(
        "exact",
        description="`exact`: an image whose event names a version is judged as that version or not at all: where the "
        "template has no {version}, and with `oss`, it goes to review. `latest`: the version is ignored, the object is "
        "judged as it is by then, and its verdict names no version; for buckets whose older versions nobody is shown.",
    )
    region: str | None = Field(None, description="The bucket's region for `oss`, where events do not say it.")
    include: Include = Include()
    decode_keys: bool | Literal["auto", "always", "never"] | None = Field(
        None,
        description="Whether keys in notifications are URL-encoded: `always` or true, `never` or false. `auto` or "
        "null: OSS's and EventBridge's are not, S3's are, but for a key with a character that an encoder would have "
        "escaped. Ceph does not encode keys: without `never` a plus in a key of plain characters is a space.",
    )

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        self._check_store()
        if self.via != "oss" and self.url is None and (self.via, self.store is None) != ("upload", False):
            or_store = ", or a store" if self.via == "upload" else ""
            raise Contradictions(("url", f"is missing: via: {self.via} needs a template{or_store}", "via"))
        if self.via == "oss" and self.url is not None:
            raise Contradictions(("url", f"is not used by via: {self.via}: remove it"))
        if self.fallback is not None and self.via == "upload":
            raise Contradictions(("fallback", f"is not used by via: {self.via}: remove it", "via"))
        if self.fallback is not None and self.via == "oss" and self.store is None:
            raise Contradictions(
                ("fallback", "needs a store with via: oss: this service reads no bucket without", "via")
            )
        if self.uploads_from_url and self.url is not None and "@" in urlsplit(self.url).netloc:
            raise Contradictions(("url", "has a user, which this service sends to no host of images: remove it"))
        if self.versions == "latest" and self.url is not None and asks_for_version(self.url):
            raise Contradictions(
                ("url", "has {version}, which versions: latest ignores: remove one of the two", "versions")
            )
        return self

    def _check_store(self) -> None:
        if self.store is None:
            return
        if not self.uploads:
            why = f"is not used by via: {self.via} without fallback: upload: remove it, or add that"
            raise Contradictions(("store", why, "via"))
        if self.via == "upload" and self.url is not None:
            raise Contradictions(("store", "and url are two places to download from: remove one of them", "url"))

    @property
    def uploads(self) -> bool:
        """Whether images of it are uploaded by this service, at once or where the provider cannot fetch them."""
        return "upload" in (self.via, self.fallback)

    @property
    def uploads_from_url(self) -> bool:
        """Whether this service downloads from the template."""
        return self.uploads and self.store is None


class OssSettings(Settings):
    """What of the provider's own object store may be read beyond the bindings."""

    buckets: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="Globs on the names of buckets that native events may name without a binding, where their store is "
        "oss and their region is there. Whoever writes native events may then have any object of theirs judged, and "
        "say whose it is.",
    )


class CloudEventsSettings(Settings):
    """Which CloudEvents of the topics this service ignores."""

    ignore: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="Globs on the type, with regard to case. An event of such a type that does not have the shape of "
        "an upload is ignored; of any other type it becomes a dead letter, `unknown_type`.",
    )
