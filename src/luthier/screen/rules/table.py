"""All rules in the order in which they are tried; of findings that overlap the earlier wins."""

from __future__ import annotations

from luthier.screen.rule import Rule
from luthier.screen.rules import clouds, credentials, finance, personal, services

SECRETS: tuple[Rule, ...] = (*clouds.RULES, *services.RULES, *credentials.RULES)
PERSONAL: tuple[Rule, ...] = (*finance.RULES, *personal.RULES)
RULES: tuple[Rule, ...] = (*SECRETS, *PERSONAL)
