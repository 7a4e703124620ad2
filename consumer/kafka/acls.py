"""Who may write to topics, as the brokers' access control lists say. aiokafka 0.14 has the request and no method."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka.errors import for_code
from aiokafka.protocol.admin import DescribeAclsRequest

EVERYBODY = "User:*"

# Kafka's numbers: ResourceType, PatternType, AclOperation and AclPermissionType.
_TOPIC = 2
_WHATEVER_APPLIES = 2  # MATCH: by name, by prefix or for all topics
_ANY = 1
_ALL, _WRITE = 2, 4
_DENY, _ALLOW = 2, 3


class Acl(NamedTuple):
    """One entry that applies to a topic, as it comes over the wire."""

    principal: str
    host: str
    operation: int
    permission: int


async def writers(admin: Any, topics: Collection[str]) -> Mapping[str, frozenset[str]]:
    """
    Return the principals that may write to each topic; super users stand in no list.

    Raises:
        SecurityDisabled: the brokers have no authorizer.
        ClusterAuthorizationFailedError: this user may not see the lists.
        KafkaError: they cannot be asked.
    """
    return {topic: allowed(await _acls(admin, topic)) for topic in topics}


def allowed(acls: Iterable[Acl]) -> frozenset[str]:
    """Who may write by these entries, from whatever host. Who is denied it everywhere may not."""
    about = [acl for acl in acls if acl.operation in (_WRITE, _ALL)]
    denied = {acl.principal for acl in about if acl.permission == _DENY and acl.host == "*"}
    may = {acl.principal for acl in about if acl.permission == _ALLOW}
    return frozenset() if EVERYBODY in denied else frozenset(may - denied)


async def _acls(admin: Any, topic: str) -> list[Acl]:
    asked = DescribeAclsRequest(_TOPIC, topic, _WHATEVER_APPLIES, None, None, _ANY, _ANY)
    answer = await admin._send_request(asked)
    if answer.error_code:
        raise for_code(answer.error_code)(answer.error_message)
    return [Acl(*entry) for *_, entries in answer.resources for entry in entries]
