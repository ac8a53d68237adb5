"""What every value of a report obeys: known fields only, and numbers that are numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

Number = Annotated[float, Field(allow_inf_nan=False)]
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
