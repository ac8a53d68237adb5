"""A tiny BERT with a WordPiece tokenizer, the form that is known from its files alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import BertTokenizer

from tiny import WORDS, bert_config, random_model

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture
def wordpiece(tmp_path: Path) -> Path:
    """Its folder, new for each test."""
    folder = tmp_path / "wordpiece"
    words = [*MARKS, *WORDS[::2], *"abcdefghijklmnopqrstuvwxyz"]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(words))}
    BertTokenizer(vocab=vocabulary, model_max_length=64).save_pretrained(str(folder))
    model = random_model(bert_config(vocab_size=len(vocabulary)), causal=False)
    model.save_pretrained(str(folder))
    return folder
