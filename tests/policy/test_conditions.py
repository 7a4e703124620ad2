"""Rules about more than a finding: the libraries that were met, people, logos, and what the event says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from consumer.hits import Hits
from consumer.policy.decide import Deciding
from consumer.policy.ready import expired
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Asked, Assessment, Decision
from tests.policy.test_rules import Tree, answer, refusals, rule
from tests.rig.events import submission

ALL = ["customImage", "textInImage", "publicFigure", "logoData"]


def deciding(**tree: Any) -> Deciding:
    written = {"policy": "test", "version": 1, "info": ALL, "record_context": ["trust", "age"], **tree}
    return Deciding(Policy(settings=PolicySettings.model_validate(written), sha256="ab"))


def decided(
    rules: Sequence[Tree],
    *labels: str,
    hits: Hits | None = None,
    context: Mapping[str, Any] | None = None,
    omitted: tuple[str, ...] = (),
    level: str = "low",
) -> Decision:
    """What findings of these labels lead to, in one answer, of an event with this context."""
    answered = answer(level, *[(label, 90.0) for label in labels])._replace(hits=hits or Hits())
    about = replace(submission(), context=orjson.dumps(context or {}), omitted=omitted)
    return deciding(rules=rules).decide(about, Assessment(answers=(answered,)), 0.0).decision


@pytest.mark.parametrize(
    ("label", "hits", "is_matched"),
    [
        ("violent_gun_lib", Hits(image_libraries=("terror", "other")), True),
        ("violent_gun_lib", Hits(image_libraries=("Terror",)), False),
        ("violent_gun_lib", Hits(keyword_libraries=("terror",)), False),
        ("violent_gun_tii_lib", Hits(keyword_libraries=("terror",)), True),
        ("violent_gun_tii_lib", Hits(image_libraries=("terror",)), False),
        ("violent_gun", Hits(image_libraries=("terror",), keyword_libraries=("terror",)), False),
        ("violent_gun_tii", Hits(image_libraries=("terror",), keyword_libraries=("terror",)), False),
        ("nonLabel_lib", Hits(image_libraries=("terror",)), False),
        ("violent_gun_lib", Hits(), False),
    ],
)
def test_a_library_belongs_to_the_hits_of_its_kind(label: str, hits: Hits, is_matched: bool) -> None:
    """
    Of images to labels that end in `_lib`, of keywords to `_tii_lib`; what the allowlist let through is no such hit.
    """
    rules = [rule("ours", "block", "*", "nonLabel_lib", library=["terror"])]

    assert (decided(rules, label, hits=hits) == "block") is is_matched


def test_each_hit_of_a_kind_has_all_libraries_of_its_kind() -> None:
    """
    Vendor: no label is linked to a library. So a rule about one matches all hits of its kind, and of others none.
    """
    rules = [rule("ours", "pass", "*_lib", library=["art"])]
    met = Hits(image_libraries=("art",))

    assert decided(rules, "sexual_lib", "violent_lib", hits=met, level="high") == "pass"
    assert decided(rules, "sexual_lib", "violent", hits=met, level="high") == "block"


def test_a_library_is_that_of_its_own_answer() -> None:
    """
    What one service met says nothing of another's findings, nor one frame of another.
    """
    met, other = (answer("low", ("a_lib", 90.0))._replace(service=service) for service in ("one", "two"))
    settings = deciding(rules=[rule("ours", "review", "a_lib", library=["x"], service=["two"])])
    frames = deciding(rules=[rule("ours", "review", "a_lib", "b_lib", library=["x"])])

    both = Assessment(answers=(met._replace(hits=Hits(image_libraries=("x",))), other))
    verdict = frames.decide(submission(), both, 0.0)

    assert settings.decide(submission(), both, 0.0).decision == "pass"
    assert [reason.finding.service for reason in verdict.reasons] == ["one"]


@pytest.mark.parametrize(
    ("match", "hits", "is_matched"),
    [
        ({"figure": True}, Hits(public_figures=1), True),
        ({"figure": True}, Hits(), False),
        ({"logo": ["brand"]}, Hits(logo_names=("other", "brand")), True),
        ({"logo": ["brand"]}, Hits(logos=("brand",)), False),
        ({"logo": ["brand"], "figure": True}, Hits(logo_names=("brand",)), False),
        ({"label": ["b"], "figure": True}, Hits(public_figures=1), False),
    ],
)
def test_people_and_logos_are_conditions_on_the_answer(match: Tree, hits: Hits, is_matched: bool) -> None:
    """
    A rule without a label then matches every finding of it.
    """
    met = {"id": "met", "match": match, "then": "review"}

    assert (decided([met], "a", hits=hits) == "review") is is_matched


def test_a_person_or_a_logo_alone_lets_nothing_pass() -> None:
    """
    What else is in the image is not made harmless by it: only labels that are named are.
    """
    for match in ({"figure": True}, {"logo": ["brand"], "level": ["high"]}):
        alone = {"id": "a", "match": match, "then": "pass"}
        [refused] = refusals({"info": ALL, "rules": [alone]})
        assert refused.endswith("lets findings of every label pass with it: name those that are meant in match.label")

    beside = rule("statues", "pass", "sexual_*", figure=True)
    someone = Hits(public_figures=1)
    assert decided([beside], "sexual_nudity", hits=someone, level="high") == "pass"
    assert decided([beside], "sexual_nudity", "violent_gun", hits=someone, level="high") == "block"


@pytest.mark.parametrize(
    ("values", "context", "is_matched"),
    [
        (["new"], {"trust": "new"}, True),
        (["old", "new"], {"trust": "new"}, True),
        (["new"], {"trust": "New"}, False),
        (["new"], {"trust": ["new"]}, False),
        (["new"], {"trust": None}, False),
        (["new"], {}, False),
        (["new"], {"age": "new"}, False),
        ([1], {"trust": 1}, True),
        ([1], {"trust": 1.0}, True),
        ([1], {"trust": True}, False),
        ([1], {"trust": "1"}, False),
        (["1"], {"trust": 1}, False),
        ([True], {"trust": True}, True),
        ([True], {"trust": 1}, False),
    ],
)
def test_context_is_compared_exactly(values: list[Any], context: Mapping[str, Any], is_matched: bool) -> None:
    """
    Of a JSON member the value and its kind; a list or an object is no value.
    """
    rules = [rule("met", "review", "a", context={"trust": values})]

    assert (decided(rules, "a", context=context) == "review") is is_matched


def test_context_members_must_all_be_as_named() -> None:
    """
    And what was left out of the verdict, because it was too large, matches nothing.
    """
    rules = [rule("met", "review", "a", context={"trust": ["new"], "age": [13, 14]})]

    assert decided(rules, "a", context={"trust": "new", "age": 14}) == "review"
    assert decided(rules, "a", context={"trust": "new", "age": 15}) == "pass"
    assert decided(rules, "a", context={"trust": "new", "age": 14}, omitted=("context", "attrs")) == "pass"


def test_conditions_hold_for_their_image_alone() -> None:
    """
    What rules are about is remembered by label, and what depends on the image is not.
    """
    policy = deciding(rules=[rule("new", "block", "a", context={"trust": ["new"]}), rule("all", "review", "a")])
    found = Assessment(answers=(answer("low", ("a", 90.0)),))
    about = [replace(submission(), context=orjson.dumps({"trust": trust})) for trust in ("new", "old", "new")]

    assert [policy.decide(each, found, 0.0).reasons[0].rule for each in about] == ["new", "all", "new"]


def test_what_is_asked_follows_the_tenant_and_the_purpose() -> None:
    """
    The most specific overlay that says it, services and information each for itself; the verdict says what was asked.
    """
    overlays: list[Tree] = [
        {"when": {"purpose": ["avatar"]}, "services": ["a", "aigc"], "info": ["publicFigure"]},
        {"when": {"tenant": ["shop"]}, "info": []},
        {"when": {"tenant": ["shop"], "purpose": ["avatar"]}, "services": ["b"]},
    ]
    policy = deciding(services=["a"], overlays=overlays)

    def asked(tenant: str, purpose: str) -> Asked:
        about = replace(submission(), tenant=tenant, purpose=purpose)
        assert policy.decide(about, Assessment(), 0.0).info == policy.asked(about).info
        return policy.asked(about)

    assert asked("other", "other") == Asked(("a",), tuple(ALL))
    assert asked("other", "avatar") == Asked(("a", "aigc"), ("publicFigure",))
    assert asked("shop", "other") == Asked(("a",), ())
    assert asked("shop", "avatar") == Asked(("b",), ())
    settings = PolicySettings.model_validate({"policy": "t", "version": 1, "services": ["a"], "overlays": overlays})
    assert settings.all_asked == Asked(("a", "aigc", "b"), ("publicFigure",))
    assert (settings.most_services, settings.asks_by_tenant) == (2, True)


def test_expired_rules_are_named() -> None:
    """
    From the end of their last day on, those of overlays too.
    """
    why = {"owner": "o", "reason": "r", "expires": "2027-06-30"}
    overlays = [{"when": {"tenant": ["t"]}, "rules": [rule("b", "pass", "x", why=why), rule("c", "pass", "x")]}]
    tree = {"policy": "t", "version": 1, "rules": [rule("a", "pass", "x", why=why)], "overlays": overlays}
    settings = PolicySettings.model_validate(tree)
    midnight = datetime(2027, 7, 1, tzinfo=UTC).timestamp()

    assert [expired(settings.all_rules, midnight + by) for by in (-0.1, 0)] == [[], ["a", "b"]]


MET = {"library": ["x"], "figure": True, "logo": ["n"]}


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"rules": [rule("a", "block", "x", figure=True)]},
         ["rules.0.match.figure: needs publicFigure, which info does not ask for: add it there (P010)"]),
        ({"rules": [rule("a", "block", "x", logo=["n"])]},
         ["rules.0.match.logo: needs logoData, which info does not ask for: add it there (P010)"]),
        ({"rules": [rule("a", "block", "x_*", library=["n"])]},
         ["rules.0.match.library: needs customImage or textInImage, which info does not ask for: add it there (P010)"]),
        ({"info": ["customImage"], "rules": [rule("a", "block", "x_*", "!y", library=["n"])]}, []),
        ({"info": ["customImage"], "rules": [rule("a", "block", "x_tii_lib", "*_y_tii_lib", library=["n"])]},
         ["rules.0.match.library: needs textInImage, which info does not ask for: add it there (P010)"]),
        ({"info": ["textInImage"], "rules": [rule("a", "block", "x_lib", library=["n"])]},
         ["rules.0.match.library: needs customImage, which info does not ask for: add it there (P010)"]),
        ({"info": ALL, "rules": [rule("a", "block", "x", **MET)]}, []),
        ({"info": ALL, "rules": [rule("a", "block", "x", figure=True)],
          "overlays": [{"when": {"tenant": ["t"]}, "info": ["logoData"]}]},
         ["rules.0.match.figure: needs publicFigure, which overlays.0.info does not ask for: add it there (P010)"]),
        ({"overlays": [{"when": {"tenant": ["t"]}, "info": ALL, "rules": [rule("a", "block", "x", figure=True)]}]}, []),
        ({"overlays": [{"when": {"tenant": ["t"]}, "info": ALL, "rules": [rule("a", "block", "x", figure=True)]},
                       {"when": {"tenant": ["t"], "purpose": ["p"]}, "info": []}]},
         ["overlays.0.rules.0.match.figure: needs publicFigure, which overlays.1.info does not ask for: add it there "
          "(P010)"]),
        ({"overlays": [{"when": {"tenant": ["t"]}, "info": ALL, "rules": [rule("a", "block", "x", figure=True)]},
                       {"when": {"purpose": ["p"]}, "info": []}]}, []),
        ({"overlays": [{"when": {"tenant": ["t"]}, "info": ALL}, {"when": {"tenant": ["t", "u"]}},
                       {"when": {"tenant": ["t"], "purpose": ["p"]},
                        "rules": [rule("a", "block", "x", figure=True)]}]},
         ["overlays.1.when: is as specific as overlays.0, and both can be about one image: take out of one what the "
          "other names (P007)"]),
        ({"record_context": ["trust"], "rules": [rule("a", "block", "x", context={"trst": ["new"]})]},
         ["rules.0.match.context.trst: is not in record_context: did you mean trust?"]),
        ({"rules": [rule("a", "block", "x", context={"age": [1]})]},
         ["rules.0.match.context.age: is not in record_context: add it there"]),
        ({"record_context": ["age"], "rules": [rule("a", "block", "x", context={"age": [1.5]})]},
         ["rules.0.match.context.age.0: must be a text, a whole number, true or false (given: 1.5)"]),
        ({"record_context": ["age"], "rules": [rule("a", "block", "x", context={"age": "new"})]},
         ["rules.0.match.context.age: must be a list of entries (given: 'new')"]),
        ({"record_context": ["age"], "rules": [rule("a", "block", "x", context={"age": []})]},
         ["rules.0.match.context.age: is empty (given: an empty list)"]),
        ({"rules": [rule("a", "block", "x", figure=False)]}, ["rules.0.match.figure: must be true (given: false)"]),
        ({"overlays": [{"when": {"tenant": ["t"]}, "services": []}]},
         ["overlays.0.services: must be a list of at least one text (given: an empty list)"]),
    ],
)  # fmt: skip
def test_a_rule_about_what_nobody_learns_is_refused(tree: Tree, expected: list[str]) -> None:
    """
    P010, for every tenant and purpose for which it is in force; and context that is not recorded, or is no value.
    """
    assert refusals(tree) == expected
