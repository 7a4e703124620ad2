"""What leaves this machine where others could read or change it, and where it goes. Values in, findings out."""

from collections.abc import Iterator, Mapping

from consumer.commands.check.findings import Finding, ok, warning
from consumer.config.kafka import KafkaSettings
from consumer.config.provider import ProviderSettings
from consumer.kafka.acls import EVERYBODY
from consumer.loopback import is_loopback
from consumer.vendor_facts.aliyun import DOMAIN, is_vendors


def endpoints(settings: ProviderSettings) -> Iterator[Finding]:
    """Say where calls go instead of to the vendor, and where they go without TLS."""
    for setting, endpoint in settings.endpoints.items():
        about = f"provider.{setting}"
        if endpoint.goes_in_clear:
            yield warning(
                about,
                f"calls to {endpoint.host} go over the network without TLS: everyone on the way can read image URLs "
                "and forge verdicts; use https://, and remove provider.allow_clear_text",
            )
        if not is_vendors(endpoint.host):
            what = "this machine" if is_loopback(endpoint.host) else "no host of the vendor's"
            yield warning(
                about,
                f"{endpoint.host} is {what}: whoever answers there decides what is blocked, and an emulator judges "
                f"nothing; the vendor's end in .{DOMAIN}",
            )


def clear_text(settings: KafkaSettings) -> Iterator[Finding]:
    """Say which brokers are called over a network without TLS."""
    if hosts := settings.hosts_in_clear:
        yield warning(
            "kafka.security",
            f"protocol {settings.security.protocol} to {', '.join(hosts)} has no TLS: everyone on the way can read "
            "uploads and forge verdicts; use SSL or SASL_SSL",
        )


def writers(by_topic: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    """Say who may write outcomes: what stands in an output topic is believed to have been judged."""
    topics_by_writers: dict[frozenset[str], list[str]] = {}
    for topic, principals in by_topic.items():
        topics_by_writers.setdefault(principals, []).append(topic)
    for principals, topics in topics_by_writers.items():
        named = ", ".join(topics)
        if not principals:
            yield warning(
                "writers",
                f"no ACL lets anybody write to {named}: only super users can, or everybody where the brokers' "
                "allow.everyone.if.no.acl.found is true; grant Write to this service",
            )
        elif len(principals) == 1 and EVERYBODY not in principals:
            yield ok("writers", f"{min(principals)} alone may write to {named}, beside super users")
        else:
            yield warning(
                "writers",
                f"{', '.join(sorted(principals))} may write to {named}: an image whose outcome is forged there is "
                "never judged; leave Write to this service alone",
            )


def no_authorizer() -> Finding:
    """Say that nothing keeps anybody from writing outcomes."""
    return warning(
        "writers",
        "the brokers have no authorizer: whoever reaches them may write to the output topics, and an image whose "
        "outcome is forged there is never judged",
    )
