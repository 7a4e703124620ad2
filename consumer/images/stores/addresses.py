"""Where a store's buckets are: the bucket in the path, or in front of the host's name. Pure."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests about a bucket go."""

    scheme: str
    host: str  # and its port, where there is one
    path: str  # what comes before the key, with its slash at the end

    @property
    def url(self) -> str:
        """The bucket's URL."""
        return f"{self.scheme}://{self.host}{self.path}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A store's host."""

    url: str
    has_bucket_in_path: bool

    def of(self, bucket: str) -> Address:
        """
        Say where a bucket is. One that cannot stand in front of the host stands in the path: of a host that is an
        address; with a character that no name has; with a dot, which no certificate covers.
        """
        parts = urlsplit(self.url)
        if self.has_bucket_in_path or not _fits(bucket, parts.scheme) or takes_no_bucket(parts.hostname or ""):
            return Address(parts.scheme, parts.netloc, f"/{quote(bucket, safe='~')}/")
        return Address(parts.scheme, f"{bucket}.{parts.netloc}", "/")


def _fits(bucket: str, scheme: str) -> bool:
    labels = bucket.split(".")
    plain = all(label and label.replace("-", "").isalnum() and label.isascii() for label in labels)
    return plain and len(bucket) <= 63 and bucket == bucket.lower() and (scheme == "http" or len(labels) == 1)


def takes_no_bucket(host: str) -> bool:
    """Whether no bucket can stand in front of a host: of an address, and of this machine's name."""
    if host == "localhost":
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
