"""
How the provider says no: at its gateway, in the service behind it, and in the store that takes uploads.

    GatewayError    HTTP 4xx or 5xx, `Code` is a string, the text is in `Message`
    ServiceError    HTTP 200, `Code` is an integer, the text is in `Msg`
    StoreError      HTTP 4xx or 5xx, in XML, `Code` is a string, the text is in `Message`
"""

from collections.abc import Mapping
from types import MappingProxyType

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class GatewayError(Exception):
    """The call was refused before the service saw it. Never billed."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] = NO_HEADERS) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


class ServiceError(Exception):
    """The service could not answer about this image. Never billed."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class StoreError(Exception):
    """The object store refused a request. `details` are more elements of its XML."""

    def __init__(self, status: int, code: str, message: str, *, details: Mapping[str, str] = NO_HEADERS) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details


def missing(name: str) -> GatewayError:
    """What the gateway says when a parameter that every call carries is absent."""
    return GatewayError(400, f"Missing{name}", f"{name} is mandatory for this action.")
