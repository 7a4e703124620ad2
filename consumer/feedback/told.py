"""What the provider is told of an image that reviewers agree on, or why it is not. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from consumer.errors import Undecodable
from consumer.feedback import SCENES, Feedback, Scene, Suggestion
from consumer.feedback.quorum import Agreed, agreed_scenes
from consumer.intake.decode.bindings import Bindings
from consumer.intake.decode.bindings import Place as BoundPlace
from consumer.locations import ByUrl, ObjectRef
from consumer.policy.patterns import compiled

_WHOLE_VALUES: Final = frozenset({"{bucket}", "{key}", "{version}"})


class Telling:
    """The configuration's part: which label is in which scene, and where the provider finds an object."""

    def __init__(self, bindings: Bindings, scenes: Mapping[Scene, Sequence[str]], least: int) -> None:
        """`scenes` are patterns of labels, as a policy's; `least` reviewers must be about a scene."""
        self._bindings = bindings
        self._least = least
        self._is_in = {scene: compiled(scenes[scene]) for scene in SCENES if scenes.get(scene)}

    def of(self, agreed: Agreed) -> Feedback | str:
        """Say what is sent; or why nothing is, a word of `REASONS`."""
        url = self._url(agreed.object, agreed.suggestion)
        if url in _NO_URL:
            return url
        scenes = agreed_scenes(agreed.votes, self._least, self._scenes_of)
        if not scenes:
            return "no_scene"
        first = agreed.votes[0]
        return Feedback(
            about=agreed.about,
            tenant=first.tenant,
            suggestion=agreed.suggestion,
            scenes=scenes,
            url=url,
            reviewers=tuple(vote.reviewer for vote in agreed.votes),
            verdict_ids=tuple(sorted({vote.verdict_id for vote in agreed.votes})),
        )

    def _scenes_of(self, label: str) -> Iterable[Scene]:
        return (scene for scene, is_in in self._is_in.items() if is_in(label))

    def _url(self, ref: ObjectRef | None, suggestion: Suggestion) -> str:
        """The object's URL by its binding, or a word of `_NO_URL`."""
        if ref is None:
            return "no_object"
        place = self._bindings.find(ref.bucket, ref.key)
        if place is None:
            return "no_binding"
        return _url_in(place, place.named(ref), suggestion)


_NO_URL: Final = frozenset({"no_object", "no_binding", "no_url", "query", "no_version"})


def _url_in(place: BoundPlace, ref: ObjectRef, suggestion: Suggestion) -> str:
    template = place.binding.url
    if place.binding.via != "url" or template is None:
        return "no_url"
    if may_be_credential(template):
        return "query"
    if suggestion == "pass" and (ref.version is None or not place.asks_for_version):
        return "no_version"
    try:
        location = place.location(ref, "object")
    except Undecodable:
        return "no_url"
    return location.url if isinstance(location, ByUrl) else "no_version"


def may_be_credential(template: str) -> bool:
    """Whether a binding's template has a user, or says anything in its query but bucket, key and version."""
    if "@" in urlsplit(template).netloc:
        return True
    parameters = [each.partition("=") for each in template.partition("?")[2].split("&")]
    return any(value and value not in _WHOLE_VALUES for _, _, value in parameters) or any(
        name and not equals for name, equals, _ in parameters
    )
