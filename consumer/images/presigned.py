"""When a presigned URL stops working, by the query that its signer gave it. Knows no signature and checks none."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from consumer.vendor_facts.stores import DATED_BY


def expiry(url: str) -> float | None:
    """
    The unix second from which the URL is refused, or None where it does not say so.

    S3's and OSS's first versions give `Expires` in unix seconds; their fourth versions a date and seconds from then on.
    """
    query = {name.lower(): values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
    try:
        for date, seconds in DATED_BY:
            if date in query and seconds in query:
                signed = datetime.strptime(query[date], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                return signed.timestamp() + int(query[seconds])
        return float(int(query["expires"])) if "signature" in query else None
    except (KeyError, ValueError, OverflowError):
        return None
