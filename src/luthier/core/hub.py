"""Asking the Hugging Face hub: one commit for everything, no telemetry, one clear refusal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["data set", "model"]
COMMIT = re.compile(r"[0-9a-f]{40}")
_REMOTE = {"data set": "dataset", "model": "model"}
_LOG_IN = "run `hf auth login` or set HF_TOKEN"


@dataclass(frozen=True)
class Refusal:
    """What the hub said, what would be right, and the next step."""

    met: str
    allowed: str
    advice: str


def keep_quiet() -> None:
    """Switches off what the hub's packages would tell of this machine and of what is loaded."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_UPDATE_DOWNLOAD_COUNTS"] = "0"
    os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
    # a package that is loaded already has read its settings
    if "huggingface_hub.constants" in sys.modules:
        constants: Any = sys.modules["huggingface_hub.constants"]
        constants.HF_HUB_DISABLE_TELEMETRY = True
    if "datasets.config" in sys.modules:
        settings: Any = sys.modules["datasets.config"]
        settings.HF_UPDATE_DOWNLOAD_COUNTS = False
        # another service, whose copy of the rows need not be of the commit asked for
        settings.USE_PARQUET_EXPORT = False


def commit_of(kind: Kind, name: str, revision: str | None = None) -> str:
    """The commit that a branch or tag (the main branch by default) stands for now.

    Raises: what `huggingface_hub` raises; see `refusal`. A whole commit asks nothing.
    """
    if revision is not None and COMMIT.fullmatch(revision):
        return revision
    keep_quiet()
    from huggingface_hub import HfApi

    return str(HfApi().repo_info(name, repo_type=_REMOTE[kind], revision=revision).sha)


def refusal(error: BaseException, kind: Kind, name: str, revision: str | None = None) -> Refusal:
    """An error of the hub's packages, in the words of the house; tokens are blotted out."""
    from huggingface_hub import constants, errors

    chain = list(_chain(error))
    folder = f"or give a local folder with the {kind}"
    if any(isinstance(e, errors.OfflineModeIsEnabled) for e in chain):
        met = f"HF_HUB_OFFLINE forbids asking the hub, and no whole copy of the {kind} is here"
        return Refusal(met, "", f"unset HF_HUB_OFFLINE, {folder}")
    if any(isinstance(e, errors.GatedRepoError) for e in chain):
        met = f"the hub gives this {kind} only to accounts it has let in"
        page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'data set' else ''}{name}"
        return Refusal(met, "", f"ask for access at {blot(page)}, then {_LOG_IN}")
    if any(isinstance(e, errors.RevisionNotFoundError) for e in chain):
        met = f"the hub has no revision {revision or 'main'!r} of this {kind}"
        return Refusal(met, "Allowed: a commit, a tag or a branch", "correct or leave it out")
    statuses = [e.response.status_code for e in chain if isinstance(e, errors.HfHubHTTPError)]
    if statuses:
        return _by_status(statuses[0], chain, kind, name)
    if any(_is_connection(e) for e in chain):
        met = f"the hub at {blot(constants.ENDPOINT)} cannot be reached"
        return Refusal(met, "", f"check the connection and HF_ENDPOINT, {folder}")
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return Refusal(f"the hub does not give this {kind} ({blot(first)})", "", f"check it, {folder}")


def blot(text: str) -> str:
    """The text without anything that lets one in: tokens, and names and passwords of addresses."""
    from huggingface_hub import get_token

    token = get_token()
    text = text.replace(token, "…") if token else text
    return re.sub(r"hf_\w{6,}", "…", re.sub(r"//[^/@\s]+@", "//…@", text))


def _by_status(status: int, chain: list[BaseException], kind: Kind, name: str) -> Refusal:
    said = " ".join(str(e) for e in chain)
    if status == 401 and "Invalid credentials" in said:
        return Refusal("the hub does not accept the token", "", f"{_LOG_IN} to a valid one")
    if status in (401, 404):
        met = f"the hub has no {kind} {name!r}, or keeps it private"
        return Refusal(met, "", f"check the spelling; for a private one {_LOG_IN}")
    if status == 403:
        met = f"the hub forbids this account to read the {kind} (403)"
        return Refusal(met, "", f"ask its owner for access, then {_LOG_IN}")
    if status == 429:
        return Refusal("the hub takes no more requests for now (429)", "", "wait, then try again")
    return Refusal(f"the hub answers with an error ({status})", "", "try again later")


def _is_connection(error: BaseException) -> bool:
    # By name: which package speaks to the hub has changed more than once.
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"ConnectionError", "TimeoutError", "TransportError", "RequestException"})


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
