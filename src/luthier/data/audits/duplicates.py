"""Near-duplicates between training and held-out rows, by MinHash and an exact check.

Source: Broder, "On the resemblance and containment of documents" (1997); banding as in
Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SHINGLE = 5
"""Characters per shingle."""
THRESHOLD = 0.8
"""Jaccard similarity of shingle sets from which two texts are near-duplicates."""
_BANDS, _PER_BAND = 8, 4
_HASHES = _BANDS * _PER_BAND
# A pair at the threshold agrees on fewer hashes than this in about one case of forty.
_AGREEMENT = THRESHOLD - 2 * (THRESHOLD * (1 - THRESHOLD) / _HASHES) ** 0.5
_PARTNERS_PER_BAND = 8
_CHECKS_PER_ROW = 8
_BLOCK = 4096
Texts = Callable[[np.ndarray], list[str]]


def _constants() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1997)
    masks = rng.integers(0, 2**32, _HASHES, dtype=np.uint32)
    return masks, rng.integers(0, 2**32, _HASHES, dtype=np.uint32) | np.uint32(1)


_MASKS, _FACTORS = _constants()


def signatures(texts: list[str]) -> np.ndarray:
    """MinHash signatures of normalised texts, uint32 (N, 32)."""
    if not texts:
        return np.zeros((0, _HASHES), dtype=np.uint32)
    hashes, starts = _shingles(texts)
    made = np.empty((len(texts), _HASHES), dtype=np.uint32)
    for k in range(_HASHES):
        made[:, k] = np.minimum.reduceat((hashes ^ _MASKS[k]) * _FACTORS[k], starts)
    return made


def _shingles(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The hash of every shingle, text after text, and where each text starts."""
    padded = [text.ljust(SHINGLE, "\0") for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32)
    lengths = np.array([len(text) for text in padded], dtype=np.int64)
    windows = len(codes) - SHINGLE + 1
    hashes = np.zeros(windows, dtype=np.uint32)
    for place in range(SHINGLE):
        hashes *= np.uint32(16777619)
        hashes ^= codes[place : place + windows] * np.uint32(2654435761)
        hashes ^= hashes >> np.uint32(15)
    inside = np.ones(len(codes), dtype=bool)
    ends = np.cumsum(lengths)
    for back in range(1, SHINGLE):
        inside[ends - back] = False
    counts = lengths - SHINGLE + 1
    return hashes[inside[:windows]], np.concatenate([[0], np.cumsum(counts)[:-1]])


def near_copies(
    signed: np.ndarray, held: np.ndarray, train: np.ndarray, texts: Texts
) -> dict[int, int]:
    """Held-out rows that have a near-duplicate in training, each with one such row.

    `signed` are the signatures of all rows (N, 32), `held` and `train` row indices; `texts`
    gives the normalised texts of rows. Candidates come from equal bands, the answer from the
    exact Jaccard similarity, so what is found is sure; a pair at the threshold is found with
    probability 0.98.
    """
    pairs = _candidates(signed, held, train)
    found: dict[int, int] = {}
    checks: dict[int, int] = {}
    for start in range(0, len(pairs), _BLOCK):
        block = pairs[start : start + _BLOCK]
        rows = np.unique(block)
        said = dict(zip(rows.tolist(), texts(rows), strict=True))
        for i, j in block.tolist():
            if i in found or checks.get(i, 0) >= _CHECKS_PER_ROW:
                continue
            checks[i] = checks.get(i, 0) + 1
            if said[i] != said[j] and resemblance(said[i], said[j]) >= THRESHOLD:
                found[i] = j
    return found


def resemblance(a: str, b: str) -> float:
    """Jaccard similarity of the shingle sets of two texts, 0 to 1."""
    first, second = _set(a), _set(b)
    return len(first & second) / len(first | second)


def _set(text: str) -> set[str]:
    return {text[i : i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1))}


def _candidates(signed: np.ndarray, held: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Pairs (held, train) with an equal band, most alike first, int64 (P, 2)."""
    if not len(held) or not len(train):
        return np.zeros((0, 2), dtype=np.int64)
    parts = [
        _same_band(_band(signed[held], band), _band(signed[train], band)) for band in range(_BANDS)
    ]
    places = np.unique(np.concatenate(parts), axis=0)
    pairs = np.stack([held[places[:, 0]], train[places[:, 1]]], axis=1)
    agreement = _agreement(signed, pairs)
    keep = np.flatnonzero(agreement >= _AGREEMENT)
    return pairs[keep[np.argsort(-agreement[keep], kind="stable")]]


def _agreement(signed: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    made = np.zeros(len(pairs))
    for start in range(0, len(pairs), 1 << 16):
        block = pairs[start : start + (1 << 16)]
        made[start : start + (1 << 16)] = (signed[block[:, 0]] == signed[block[:, 1]]).mean(axis=1)
    return made


def _band(signed: np.ndarray, band: int) -> np.ndarray:
    key = np.zeros(len(signed), dtype=np.uint64)
    for column in range(band * _PER_BAND, (band + 1) * _PER_BAND):
        key = key * np.uint64(0x9E3779B97F4A7C15) + signed[:, column].astype(np.uint64)
        key ^= key >> np.uint64(29)
    return key


def _same_band(held: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Places (held, train) with equal keys, a few partners per held row, int64 (P, 2)."""
    order = np.argsort(train, kind="stable")
    left = np.searchsorted(train[order], held, side="left")
    right = np.searchsorted(train[order], held, side="right")
    partners = np.minimum(right - left, _PARTNERS_PER_BAND)
    parts = [np.zeros((0, 2), dtype=np.int64)]
    for place in range(int(partners.max(initial=0))):
        has = np.flatnonzero(partners > place)
        parts.append(np.stack([has, order[left[has] + place]], axis=1))
    return np.concatenate(parts)
