"""`safety:` everything that makes a model fit to be deployed."""

from __future__ import annotations

from luthier.recipe.safety.adversarial import Adversarial
from luthier.recipe.safety.checks import Checks
from luthier.recipe.safety.filters import Filters
from luthier.recipe.safety.privacy import Privacy
from luthier.recipe.section import Section


class Safety(Section):
    """Each part is off until it is named; `{}` takes its defaults."""

    privacy: Privacy | None = None
    """Differentially private training."""
    adversarial: Adversarial | None = None
    """Training against attacks."""
    filters: Filters | None = None
    """Content filters."""
    checks: Checks | None = None
    """Poison, lost safety and attacks."""
