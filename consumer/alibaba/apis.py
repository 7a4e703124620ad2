"""
Which of the vendor's APIs the configuration asks for, with all that makes its calls.
"""

from collections.abc import Callable
from typing import NamedTuple

from consumer.alibaba import image_moderation, upload_token
from consumer.alibaba.client import ImageModerationClient
from consumer.alibaba.echoes import LearnedEchoes
from consumer.alibaba.empty_call import EmptyCall
from consumer.alibaba.scan.batched import Together
from consumer.alibaba.scan.client import ScanClient, UploadCredentials
from consumer.alibaba.scan.empty_call import EmptyScan
from consumer.alibaba.scan.tasks import CREDENTIALS, SCAN, Asking
from consumer.alibaba.uploads import UploadTokens
from consumer.clock import Clock
from consumer.config import Config
from consumer.config.credentials import Credentials
from consumer.http.exchange import Exchanges
from consumer.keys import Keys
from consumer.moderation import Moderator


class Api(NamedTuple):
    """One of the vendor's APIs."""

    operation: str
    """That judges an image, as traces name it."""
    token_operation: str
    client: Callable[[Exchanges, str, str, Keys, Clock, Together | None], Moderator]
    """Of a base URL and the name of its region; where images share calls, of how they do."""
    tokens: Callable[[Exchanges, str, Keys, Clock], UploadTokens]
    """Of a base URL."""
    unbilled_call: Callable[[Credentials], EmptyCall | EmptyScan]


def api_of(config: Config) -> Api:
    """Return the API that is asked."""
    return _scan(config) if config.provider.is_scan else _image_moderation(config)


def images_together(config: Config, others_wait: Callable[[], bool]) -> Together | None:
    """
    Which images share a call; None where each has its own. `others_wait` tells whether images wait to depart.

    The wait is as long as it takes for the burst to come together, and is caught up within it.
    """
    if not config.provider.is_scan or config.scan.tasks_per_call == 1:
        return None
    return Together(config.scan.tasks_per_call, config.quota.burst, others_wait)


def _image_moderation(config: Config) -> Api:
    provider = config.provider

    def client(
        exchanges: Exchanges, base_url: str, region: str, keys: Keys, clock: Clock, _together: Together | None
    ) -> Moderator:
        echoes = LearnedEchoes() if provider.data_id == "learn" else None
        return ImageModerationClient(exchanges, base_url, region, keys, clock, echoes)

    def tokens(exchanges: Exchanges, base_url: str, keys: Keys, clock: Clock) -> UploadTokens:
        return UploadTokens(exchanges, base_url, keys, clock, vpc=provider.network == "vpc")

    return Api(image_moderation.ACTION, upload_token.ACTION, client, tokens, EmptyCall)


def _scan(config: Config) -> Api:
    provider, asking = config.provider, Asking(config.scan.scenes, config.scan.biz_type)

    def client(
        exchanges: Exchanges, base_url: str, region: str, keys: Keys, clock: Clock, together: Together | None
    ) -> Moderator:
        return ScanClient(exchanges, base_url, region, keys, clock, asking, together)

    def tokens(exchanges: Exchanges, base_url: str, keys: Keys, clock: Clock) -> UploadTokens:
        vpc = provider.network == "vpc"
        return UploadTokens(exchanges, base_url, keys, clock, vpc=vpc, call=UploadCredentials())

    return Api(SCAN, CREDENTIALS, client, tokens, lambda credentials: EmptyScan(credentials, asking))
