"""
What is probably not meant in a policy that can be read. Pure; no call is made.

`unsafe` works, and is refused by `policy lint` unless the file acknowledges it: no start is refused for it. What cannot
be read at all is refused by the service and by lint in the same words (`schema.py`, `language.py`).
"""

from datetime import date

from consumer.policy.lint.changes import since, since_published
from consumer.policy.lint.claims import claims
from consumer.policy.lint.concern import Before, Beside, Concern, Published
from consumer.policy.lint.rules import rules
from consumer.policy.lint.settings import routes, services
from consumer.policy.schema import PolicySettings

__all__ = ["Before", "Beside", "Concern", "Published", "concerns"]


def concerns(settings: PolicySettings, today: date, beside: Beside) -> list[Concern]:
    """Find what is probably not meant, `beside` being what is known beside the policy."""
    return [
        *routes(settings),
        *services(settings, beside.config),
        *rules(settings, today, beside),
        *(since(settings, beside.before) if beside.before else ()),
        *(since_published(settings, beside.published) if beside.published else ()),
        *(claims(settings, beside.config) if beside.config else ()),
    ]
