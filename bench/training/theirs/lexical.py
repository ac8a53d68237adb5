"""TF-IDF of words and pairs of words, then logistic regression: scikit-learn's defaults."""

from __future__ import annotations

from pathlib import Path

from gate import Gate
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from theirs.plain_rows import rows_of


def main() -> None:
    """Answers the accuracy on the test rows."""
    gate = Gate()
    place = Path(gate.given["data"])
    train, test = (rows_of(str(place / f"{part}.jsonl")) for part in ("train", "test"))
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000))
    model.fit([r["text"] for r in train], [r["label"] for r in train])
    found = model.predict([r["text"] for r in test])
    right = sum(f == r["label"] for f, r in zip(found, test, strict=True))
    gate.tell(accuracy=right / len(test))


if __name__ == "__main__":
    main()
