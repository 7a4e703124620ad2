"""
The account's libraries over the wire: sign, send, wait where it is throttled, read.

Parameters ride in the query of a POST without a body, as the vendor's own SDKs send them: its pages draw a JSON body.

Vendor: version 2017-08-23, in cn-shanghai alone, 10 calls a second for each operation. CreateImageLib and
CreateKeywordLib are not idempotent and have no token of the client's: they are sent once.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlsplit

import httpx
import orjson

from consumer.alibaba import signing
from consumer.alibaba.image_moderation import retry_after
from consumer.alibaba.library_answers import Answer, id_in, keywords_in, libraries_in, read_answer, texts_in
from consumer.clock import Clock
from consumer.config.credentials import Credentials
from consumer.errors import Malformed, ProviderFailed, Throttled
from consumer.http.exchange import Exchanges
from consumer.libraries import AnswerLost, Existing, Kind, Library
from consumer.libraries.pace import OperationPace

VERSION: Final = "2017-08-23"

ATTEMPTS = 4
"""How often a call is made that may be repeated."""
MOST_WAIT = 30.0
"""Seconds between two attempts of a throttled call, at most."""
PAGE = 100
MOST_PAGES = 1000
WORDS_AT_ONCE = 50

_NAMES: Final[Mapping[Kind, str]] = {"image": "ImageLib", "text": "KeywordLib"}


class LibraryClient:
    """
    One account. `waiting` is told the operation and the seconds whenever a throttled call waits.

    It is an `Account` of `consumer.libraries`.
    """

    def __init__(
        self,
        exchanges: Exchanges,
        base_url: str,
        credentials: Credentials,
        clock: Clock,
        waiting: Callable[[str, float], None],
    ) -> None:
        self._exchanges = exchanges
        self._base_url = base_url
        self._credentials = credentials
        self._clock = clock
        self._waiting = waiting
        self._pace = OperationPace()

    async def digest(self) -> str:
        """Of the account's id, which no key's rotation changes."""
        found = await self._read("DescribeUserStatus", {})
        uid = found.get("uid")
        if not isinstance(uid, str | int) or not str(uid):
            raise Malformed("user_status", detail="it has no Uid, by which a lock file knows the account")
        return hashlib.sha256(f"aliyun {uid}".encode()).hexdigest()[:16]

    async def libraries(self, kind: Kind) -> Sequence[Existing]:
        found = await self._read(f"Describe{_NAMES[kind]}", {"ServiceModule": "open_api"})
        return libraries_in(kind, found)

    async def create(self, library: Library) -> str | None:
        return id_in(await self._change(f"Create{_NAMES[library.kind]}", _created(library)))

    async def update(self, library: str, wanted: Library) -> None:
        await self._read(f"Update{_NAMES[wanted.kind]}", {"Id": library, **_updated(wanted)})

    async def delete(self, kind: Kind, library: str) -> None:
        await self._change(f"Delete{_NAMES[kind]}", {"Id": library})

    async def keywords(self, library: str) -> frozenset[str]:
        words: frozenset[str] = frozenset()
        for page in range(1, MOST_PAGES + 1):
            asked = {"KeywordLibId": library, "PageSize": str(PAGE), "CurrentPage": str(page)}
            found, total = keywords_in(await self._read("DescribeKeyword", asked))
            words |= found
            if page * PAGE >= total:
                return words
        raise Malformed("keyword_list", detail=f"it has more than {MOST_PAGES} pages")

    async def add_keywords(self, library: str, words: Sequence[str]) -> None:
        await self._with_words("CreateKeyword", library, words)

    async def remove_keywords(self, library: str, words: Sequence[str]) -> None:
        await self._with_words("DeleteKeyword", library, words)

    async def scenarios(self) -> frozenset[str]:
        return texts_in(await self._read("DescribeBizTypes", {}), "biztypelist")

    async def create_scenario(self, name: str) -> None:
        await self._change("CreateBizType", {"BizTypeName": name})

    async def _with_words(self, operation: str, library: str, words: Sequence[str]) -> None:
        """Add or remove some at a time. A word twice is still in the library once: calls may be repeated."""
        for start in range(0, len(words), WORDS_AT_ONCE):
            part = orjson.dumps(list(words[start : start + WORDS_AT_ONCE])).decode()
            await self._read(operation, {"KeywordLibId": library, "Keywords": part})

    async def _read(self, operation: str, parameters: Mapping[str, str]) -> Answer:
        """Make a call that may be repeated."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._unthrottled(operation, parameters)
            except ProviderFailed:
                if attempt == ATTEMPTS:
                    raise
                await self._clock.sleep(0.5 * 2**attempt)
        raise AssertionError("unreachable")

    async def _change(self, operation: str, parameters: Mapping[str, str]) -> Answer:
        """Make a call once. One that was not sent, or refused, has changed nothing; of another nobody knows."""
        try:
            return await self._unthrottled(operation, parameters)
        except ProviderFailed as error:
            if error.code in _NEVER_SENT:
                raise
            raise AnswerLost(operation, error.code) from error

    async def _unthrottled(self, operation: str, parameters: Mapping[str, str]) -> Answer:
        """Make a call; while it is throttled, and so not carried out, wait and make it again."""
        wait = 0.5
        while True:
            await self._clock.sleep(self._pace.next(operation, self._clock.now()))
            try:
                return await self._once(operation, parameters)
            except Throttled as error:
                wait = min(MOST_WAIT, max(error.retry_after, wait * 2))
                self._waiting(operation, wait)
                await self._clock.sleep(wait)

    async def _once(self, operation: str, parameters: Mapping[str, str]) -> Answer:
        answered = await self._exchanges.exchange(self._request(operation, parameters))
        return read_answer(operation, answered.status, answered.content, retry_after(answered.headers))

    def _request(self, operation: str, parameters: Mapping[str, str]) -> httpx.Request:
        headers = signing.signed_headers(
            action=operation,
            version=VERSION,
            host=urlsplit(self._base_url).netloc,
            body=b"",
            content_type=None,
            date=signing.timestamp(self._clock.wall()),
            nonce=secrets.token_hex(16),
            credentials=self._credentials,
            query=parameters,
        )
        headers |= {"accept": "application/json", "accept-encoding": "identity"}
        query = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in parameters.items())
        return httpx.Request("POST", f"{self._base_url}/?{query}", headers=headers)


_NEVER_SENT = frozenset({"dns", "connect", "tls", "proxy"})


def _created(library: Library) -> dict[str, str]:
    given = {
        "ServiceModule": "open_api",
        "Name": library.name,
        "Category": library.category,
        "BizTypes": _list(library.biz_types),
        "Enable": str(library.enable).lower(),
    }
    if library.kind == "image":
        return {**given, "Scene": library.scene}
    mode = {"MatchMode": library.match_mode} if library.match_mode else {}
    return {**given, "ResourceType": library.resource_type, "LibType": library.lib_type, **mode}


def _updated(library: Library) -> dict[str, str]:
    """Everything that an update has a parameter for: whether what is left out is kept, no page says."""
    given = {
        "Name": library.name,
        "BizTypes": _list(library.biz_types),
        "Enable": str(library.enable).lower(),
    }
    if library.kind == "image":
        return {**given, "Category": library.category, "Scene": library.scene}
    return {**given, **({"MatchMode": library.match_mode} if library.match_mode else {})}


def _list(names: frozenset[str]) -> str:
    return orjson.dumps(sorted(names)).decode()
