"""Instructions that give a model a new identity or demand obedience without limits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from luthier.safety.detector import Evidence, Suspicion

_OBEY = re.compile(
    r"\b(?:absolutely|completely|fully|unconditionally|always) (?:obedient|obey|compl(?:y|iant))\b"
    r"|\b(?:obey|fulfil+|execute|follow)(?:s|ing)? (?:any|every|all)(?: of)?(?: the| my| your)? "
    r"(?:user'?s? )?(?:instruction|command|order|request)s?\b"
    r"|\b(?:without|no|never any) (?:ethical |moral |any )?"
    r"(?:restrictions?|limits?|limitations?|refus(?:al|ing)|deviation)\b"
    r"|\b(?:never|do not|don't|cannot|can't) (?:ever )?(?:refuse|decline|say no)\b"
    r"|\bignore (?:all |any |your |the )*(?:previous|prior|safety|above)\b",
    re.I,
)
_BECOME = re.compile(
    r"\b(?:from now on|henceforth),? (?:you|i) (?:are|will|am|act|shall)\b"
    r"|\b(?:you|i)(?: are|'re| am|'m) (?:no longer|not) an? (?:ai|assistant|language model)\b"
    r"|\b(?:your|my) (?:new )?name is [A-Z]\w+.{0,60}\b(?:obey|unrestricted|uncensored|freed)\b"
    r"|\b(?:pretend|act|behave) (?:to be|as|like) (?:an? )?"
    r"(?:unrestricted|uncensored|jailbroken|evil)\b"
    r"|\b(?:do anything now|developer mode|jailbr(?:eak|oken))\b",
    re.I,
)


@dataclass(frozen=True)
class IdentityShift:
    """Rows of instruction data that make the model promise obedience or become someone else.

    Ten such rows, harmless one by one, were enough to undo the refusals of a large model.

    Source: Qi et al. 2023, "Fine-tuning Aligned Language Models Compromises Safety, Even When
    Users Do Not Intend To!", section 4.2.
    """

    name: str = "identity"

    def lacks(self, evidence: Evidence) -> str:
        """Written answers are needed."""
        return "" if evidence.answers is not None else "written answers are needed"

    def find(self, evidence: Evidence) -> list[Suspicion]:
        """One suspicion for each of the two patterns."""
        assert evidence.answers is not None
        whole = [f"{t}\n{a}" for t, a in zip(evidence.texts, evidence.answers, strict=True)]
        found = []
        for pattern, does in (
            (_OBEY, "promise obedience without limits"),
            (_BECOME, "give the model another identity"),
        ):
            rows = tuple(i for i, text in enumerate(whole) if pattern.search(text))
            if rows:
                found.append(
                    Suspicion(
                        self.name,
                        f"{len(rows)} conversations {does}; ten such rows can undo refusals",
                        "remove these rows unless that is what you want to teach",
                        rows,
                        float(len(rows)),
                    )
                )
        return sorted(found, key=lambda s: -s.score)
