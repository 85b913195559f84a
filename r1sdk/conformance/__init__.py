"""Check that an installed plugin keeps its contract: its declarations, its loading time, and its code, which is tried out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from ..errors import R1Error, RecipeError, UnknownName
from ..plugins.entry import Entry
from ..plugins.loading import installed
from ..plugins.registry import Registry
from .declared import check_declared
from .findings import ContractFinding, Report, Subject, failed, passed
from .loading_cost import check_loading
from .watching import TrialResult, run_trials

__all__ = ["TIMEOUT_S", "ContractFinding", "Report", "Subject", "check_plugins", "choose"]

TIMEOUT_S = 30.0  # for one hostile reply: a program in it may take its full time on every test
GATES = ("builds", "draws", "check()")  # checks that fail if options, files, a key or a network are missing
TRIED = ("reward", "environment", "verifier", "sandbox", "advantage")  # the kinds whose code is called


def choose(
    registry: Registry, words: Sequence[str], kind: str | None = None, options: Mapping[str, Any] | None = None
) -> list[Subject]:
    """Return the plugins that `words` name, each by its name or, for all of them, its distribution; without words, all plugins.

    `options`: by plugin name. Raises: UnknownName; RecipeError for options of a plugin that is not chosen; R1Error if a
    distribution did not load.
    """
    given = dict(options or {})
    entries = [found[0] for (k, _), found in registry.entries.items() if kind in (None, k)]
    chosen = {(entry.kind, entry.name): entry for entry in entries} if not words else {}
    for word in words:
        if broken := [failure for failure in registry.failures if distribution(failure) == word]:
            raise R1Error("\n".join(f"not loaded: {failure}" for failure in broken))
        named = [
            entry for entry in entries if word == entry.name or word in map(distribution, _sources(registry, entry))
        ]
        if not named:
            known = {entry.name for entry in entries} | {distribution(entry.source) for entry in entries}
            raise UnknownName(kind or "plugin", word, known, registry.failures)
        chosen |= {(entry.kind, entry.name): entry for entry in named}
    if unused := sorted(set(given) - {name for _, name in chosen}):
        raise RecipeError(f"--set {unused[0]}.OPTION is for a plugin that is not checked: {unused[0]!r}")
    return [
        Subject(k, name, _options_of(entry, given.get(name, {}), chosen.values()))
        for (k, name), entry in chosen.items()
    ]


def _options_of(entry: Entry, given: Mapping[str, Any], chosen: Iterable[Entry]) -> Mapping[str, Any]:
    """Return the options in `given` that belong to this plugin, since plugins of several kinds may share one name.

    An option that none of them has is passed to each, so that it is refused.
    """
    known = {other.kind: _option_names(other) for other in chosen if other.name == entry.name}
    others = set().union(*known.values())
    return {name: value for name, value in given.items() if name in known[entry.kind] or name not in others}


def _option_names(entry: Entry) -> set[str]:
    return {field.name for field in fields(entry.target)} if is_dataclass(entry.target) else set()


def distribution(source: str) -> str:
    """Return `r1-shout` for the source `r1-shout 0.1.0 (shout)`."""
    return source.partition(" ")[0]


def _sources(registry: Registry, entry: Entry) -> list[str]:
    return [other.source for other in registry.entries[entry.kind, entry.name]]


def check_plugins(
    registry: Registry,
    subjects: Sequence[Subject],
    task_source: Subject | None = None,
    timeout_s: float = TIMEOUT_S,
    must_build: bool = True,
    progress: Callable[[Subject, str], None] | None = None,
) -> list[Report]:
    """Check `subjects`, which are installed plugins, and return a report on each.

    `task_source`: the environment that rewards and verifiers get their tasks from; None: one made-up task. `timeout_s`:
    time limit for one hostile reply. `must_build`: a plugin that cannot be built without options fails; otherwise it is
    skipped. `progress`: called before each step.
    """
    findings: dict[int, list[ContractFinding]] = {}
    costs: dict[str, ContractFinding] = {}
    points = installed()
    for at, subject in enumerate(subjects):
        source = registry.entries[subject.kind, subject.name][0].source
        if source not in costs:
            if progress:
                progress(subject, "loading")
            costs[source] = check_loading(points.get(source))
        findings[at] = [*check_declared(registry, subject), costs[source]]
    places = [at for at, subject in enumerate(subjects) if subject.kind in TRIED and _is_unique(registry, subject)]
    if places:
        on_trial = [subjects[at] for at in places]
        # Two processes in which the order of sets and of hashes differs.
        tried = run_trials(on_trial, task_source, timeout_s, 1, progress=progress)
        again = run_trials(on_trial, task_source, timeout_s, 2, only_observes=True, progress=progress)
        for nth, at in enumerate(places):
            of_one = [one for one in tried if one.subject == nth]
            findings[at] += _merge_hostile(of_one, must_build)
            findings[at] += _compare_processes(of_one, [one for one in again if one.subject == nth])
    return [
        Report(subject, registry.entries[subject.kind, subject.name][0].source, tuple(findings[at]))
        for at, subject in enumerate(subjects)
    ]


def _is_unique(registry: Registry, subject: Subject) -> bool:
    """True if only one plugin has the name: if two have it, neither can be built."""
    return len(registry.entries[subject.kind, subject.name]) == 1


def _merge_hostile(tried: Sequence[TrialResult], must_build: bool) -> list[ContractFinding]:
    """Return the findings of one plugin, with those of all hostile replies merged into one."""
    found = [one.finding for one in tried if not one.part]
    if not must_build:
        found = [
            replace(f, outcome="skipped", detail=f"{f.detail}\nif it needs options: --set NAME.OPTION=VALUE")
            if f.check in GATES and f.outcome == "fails"
            else f
            for f in found
        ]
    hostile = sorted((one for one in tried if one.part), key=lambda one: -one.seconds)
    broken = [f"{one.part}: {one.finding.detail}" for one in hostile if one.finding.outcome == "fails"]
    idle = [one.finding.detail for one in hostile if one.finding.outcome == "skipped"]
    if broken:
        found.append(failed("hostile", f"{len(broken)} of {len(hostile)} replies:\n" + "\n".join(broken[:6])))
    elif idle:
        found.append(ContractFinding("hostile", "skipped", idle[0]))
    elif hostile:
        slowest = hostile[0]
        found.append(passed("hostile", f"{len(hostile)} replies, the slowest {slowest.seconds:.2f} s ({slowest.part})"))
    return found


def _compare_processes(tried: Sequence[TrialResult], again: Sequence[TrialResult]) -> list[ContractFinding]:
    """Compare the values seen in two processes, which must be equal."""
    first = {one.finding.check: one.seen for one in tried if one.seen is not None}
    second = {one.finding.check: one.seen for one in again if one.seen is not None}
    if not first:
        return []
    for check, seen in first.items():
        if seen != second.get(check):
            return [
                failed(
                    "processes",
                    f"{check}: different in another process: do not use hash() or the order of sets, and seed random numbers",
                )
            ]
    return [passed("processes", f"the same {' and '.join(first)} in another process")]
