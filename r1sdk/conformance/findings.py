"""The result of a check: a `ContractFinding` for each check of a plugin, a `Report` for each plugin."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["ok", "fails", "skipped"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A plugin to check: its kind and name, and the options to build it with."""

    kind: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class ContractFinding:
    """The outcome of one check. `skipped`: it could not be tried, and `detail` says why."""

    check: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """All findings on one plugin."""

    subject: Subject
    source: str  # "r1-shout 0.1.0 (shout)"
    findings: tuple[ContractFinding, ...]

    @property
    def conforms(self) -> bool:
        """True if no check failed."""
        return all(finding.outcome != "fails" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        findings = [{"check": f.check, "outcome": f.outcome, "detail": f.detail} for f in self.findings]
        return {"kind": self.subject.kind, "name": self.subject.name, "source": self.source, "findings": findings}

    def __str__(self) -> str:
        """Return a line for the plugin and one for each finding."""
        width = max((len(finding.check) for finding in self.findings), default=0)
        lines = [f"{self.subject}  [{self.source}]"]
        for finding in self.findings:
            shown = {"ok": "ok", "fails": "FAILS", "skipped": "-"}[finding.outcome]
            detail = finding.detail.replace("\n", "\n" + " " * (width + 11))
            lines.append(f"  {shown:5}  {finding.check:{width}}  {detail}")
        return "\n".join(lines)


def passed(check: str, detail: str) -> ContractFinding:
    return ContractFinding(check, "ok", detail)


def failed(check: str, detail: str) -> ContractFinding:
    return ContractFinding(check, "fails", detail)


def skipped(check: str, detail: str) -> ContractFinding:
    return ContractFinding(check, "skipped", detail)
