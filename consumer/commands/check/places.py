"""Whether bindings and sources can mean what they say, and what they leave open. Values in, findings out."""

from collections.abc import Iterator, Mapping, Sequence

from consumer.commands.check.findings import Finding, ok, skipped, warning, wrong
from consumer.config.bindings import Binding
from consumer.config.sources import SourceSettings
from consumer.vendor_facts.vendor import OwnStore


def bindings(bound: Sequence[Binding], opened: Sequence[str], own: OwnStore) -> Iterator[Finding]:
    """
    Look for bindings that can never apply, or that lead the provider astray; `opened` are the buckets that native
    events may name without one, and `own` is the store that the provider reads itself.
    """
    if not bound:
        besides = f", and objects that native events name in {', '.join(opened)}," if opened else ""
        yield ok("bindings", f"none: only images with a URL{besides} are judged; bucket notifications are dead letters")
        return
    found = [finding for binding in bound for finding in _of(binding, own)]
    yield from found
    if not found:
        buckets = len({binding.bucket for binding in bound})
        yield ok("bindings", f"{len(bound)} for {buckets} bucket{'s' if buckets > 1 else ''}")


def role_for_objects(bound: Sequence[Binding], opened: Sequence[str], own: OwnStore) -> Iterator[Finding]:
    """Name the buckets that the provider reads itself: what it is granted there, no unbilled call can show."""
    buckets = sorted({*(binding.bucket for binding in bound if binding.via == "oss"), *opened})
    if buckets:
        yield skipped(
            f"role for {own.name}",
            f"the provider reads {', '.join(buckets[:5])}{' and others' if len(buckets) > 5 else ''}: the account must "
            f"grant it {own.role} for them first; whether it has, only an image shows",
        )


CLAIMS = {"tenants": "tenant", "purposes": "purpose", "hosts": "host of a URL", "buckets": "bucket that can be read"}
"""What a topic's producers may claim as they like, where `sources` does not say: the setting, and a word for one."""


def sources(topics: Sequence[str], said: Mapping[str, SourceSettings]) -> Iterator[Finding]:
    """Say of which topics the producers may claim what they like."""
    for topic in topics:
        source = said.get(topic, SourceSettings())
        unsaid = [one for name, one in CLAIMS.items() if getattr(source, name) is None]
        if not unsaid:
            yield ok(f"sources of {topic}", "its producers may claim what sources says, and no more")
            continue
        any_of = " and ".join(filter(None, (", ".join(unsaid[:-1]), unsaid[-1])))
        yield warning(
            f"sources of {topic}",
            f"its producers may claim any {any_of}: say under sources.{topic} which, unless all who may write to it "
            "are trusted with that",
        )


def _of(binding: Binding, own: OwnStore) -> Iterator[Finding]:
    about = f"binding {binding.bucket}/{binding.prefix}"
    for glob in binding.include.keys:
        if not _can_meet(glob, binding.prefix):
            yield wrong(
                about,
                f"include.keys {glob!r} matches no key that begins with the prefix: globs are compared with "
                f"the whole key",
            )
    for glob in binding.include.content_types:
        if "/" not in glob and "*" not in glob:
            yield wrong(about, f"include.content_types {glob!r} is not a content type, such as image/*")
    if binding.include.keys or binding.include.content_types:
        yield warning(
            about,
            "include lets users avoid moderation: the uploader chooses key and content type, and what it leaves out is "
            "never judged. Remove it, or make sure that only the objects that it names can be seen",
        )
    if binding.prefix.startswith("/"):
        yield warning(about, "keys rarely begin with a slash: remove it unless yours do")
    if binding.via == "oss" and binding.region is not None and binding.region not in own.regions:
        yield warning(about, f"the provider has no region {binding.region!r}; it may not be able to read the bucket")


def _can_meet(glob: str, prefix: str) -> bool:
    """Whether a key that begins with the prefix can fit the glob, going by the glob's literal beginning."""
    literal, prefix = glob.lower(), prefix.lower()  # globs are compared without regard to case
    for special in "*?[":
        literal = literal.partition(special)[0]
    return literal.startswith(prefix) or (len(literal) < len(glob) and prefix.startswith(literal))
