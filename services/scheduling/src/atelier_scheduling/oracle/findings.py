"""What the oracle says: a rule, whom or what it is about, and when."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """``rule`` is a name of ``rules.Rule``, or ``ledger`` for an obligation that the plan's ledger hides.

    ``minute`` is the epoch minute at which it begins (0: it is not about a time). ``detail`` holds opaque ids only.
    """

    rule: str
    subject: str
    minute: int = 0
    detail: str = ""

    def __str__(self) -> str:
        at = f" at {self.minute}" if self.minute else ""
        return f"{self.rule}: {self.subject}{at}{' ' + self.detail if self.detail else ''}"
