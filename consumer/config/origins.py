"""
Where the values of a configuration came from: file and line, variable, or option.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from consumer.config.problems import Keys, Problem, nearest
from consumer.config.yaml_file import YamlFile

ENVIRONMENT_PREFIX = "MODERATION__"


def variable(keys: Sequence[str]) -> str:
    """The variable of a setting."""
    return ENVIRONMENT_PREFIX + "__".join(keys).upper()


@dataclass(frozen=True, slots=True)
class Origins:
    """Where each value came from. What was given for a section holds for all below it, and wins over the file."""

    file: YamlFile | None = None
    given: dict[Keys, str] = field(default_factory=dict)  # `environment MODERATION__…` or `--set …`

    def of(self, keys: Keys) -> str | None:
        """Variable, option, or file and line; None for a default."""
        if (above := self._given_at(keys)) is not None:
            return self.given[above]
        line = self.file.line(keys) if self.file else None
        return f"{self.file.path}:{line}" if self.file and line else None

    def line(self, problem: Problem) -> str:
        """Write a problem with the place that it came from: of the setting, or else of another that is involved."""
        places = (problem.keys, *problem.involved)
        origin = next(filter(None, (*map(self._given_for, places), *map(self.of, places))), None)
        if origin is None:
            origin = self.file.place(problem.keys) if self.file else "defaults"
        # A variable or option names its setting already.
        named = problem.keys if problem.shown is None else problem.shown
        name = "" if self.given.get(problem.keys) == origin else f"{'.'.join(named) or 'settings'}: "
        return f"{origin}: {name}{problem.text}{_meant(problem, origin)}"

    def order(self, problem: Problem) -> float:
        """Where to list a problem: as its line stands in the file, and others after these."""
        line = self.file.line(problem.keys) if self.file and not self._given_for(problem.keys) else None
        return line or inf

    def _given_for(self, keys: Keys) -> str | None:
        """By what a setting was given, or else one below it."""
        above = self._given_at(keys)
        below = (origin for given, origin in self.given.items() if given[: len(keys)] == keys)
        return next(below, None) if above is None else self.given[above]

    def _given_at(self, keys: Keys) -> Keys | None:
        return next((keys[:depth] for depth in range(len(keys), 0, -1) if keys[:depth] in self.given), None)


def _meant(problem: Problem, origin: str) -> str:
    if problem.meant is None:
        return ""
    name = variable(problem.meant) if origin.startswith("environment ") else ".".join(problem.meant)
    return f"; did you mean {name}?"


def unread_variables(environment: Mapping[str, str], settings: Sequence[Keys]) -> Iterator[tuple[str, str]]:
    """
    Name the variables that are written almost as a setting's, each with that one: `MODERATION_QUOTA_QPS`.

    Other services' `MODERATION_…` variables resemble no setting, and are none of ours.
    """
    prefix = ENVIRONMENT_PREFIX.rstrip("_")
    by_name = {"_".join(keys): keys for keys in settings}
    for name in sorted(environment):
        if not name.upper().startswith(prefix) or name.startswith(ENVIRONMENT_PREFIX):
            continue
        spelled = "_".join(filter(None, name[len(prefix) :].lower().split("_")))
        if near := nearest(spelled, by_name, likeness=0.9):
            yield name, variable(by_name[near])
