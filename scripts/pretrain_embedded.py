"""Pretrain the small causal language model that ships with Luthier.

The run is one plain loop: AdamW with a warm-up, stable and decay schedule driven by the wall
clock, float32 throughout, packed sequences whose documents begin with ``<|bos|>`` and end with
``<|end|>``. Every eighth step uses sequences twice as long. A checkpoint is written atomically
every few minutes, and starting the script again with the same ``--work`` folder resumes it.

    python scripts/pretrain_embedded.py --data ../shared/data --work build/pretrain --deadline 70
"""

import argparse
import random
from pathlib import Path

import torch
from pretrain.corpus import load_corpus
from pretrain.export import encode, export_model, mean_losses, measure, render
from pretrain.loop import log, restore, train
from pretrain.sources import Document
from pretrain.tokenizer import BOS, END, PAD, load_tokenizer, save_tokenizer, train_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

EXPORT_FOLDER = Path(__file__).parents[1] / "src" / "luthier" / "models" / "embedded"


def parse_arguments() -> argparse.Namespace:
    """Command line of the script."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with one set per folder")
    parser.add_argument("--work", type=Path, default=Path("build/pretrain"))
    parser.add_argument("--out", type=Path, default=EXPORT_FOLDER, help="finished model folder")
    parser.add_argument("--deadline", type=float, default=70, help="minutes, or epoch seconds")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--mlp", type=int, default=512)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--sequence", type=int, default=512)
    parser.add_argument("--batch", type=int, default=2, help="sequences per step")
    parser.add_argument("--learning-rate", type=float, default=2.5e-3)
    parser.add_argument("--warmup-steps", type=int, default=100)
    parser.add_argument("--decay-share", type=float, default=0.2, help="last share of the time")
    parser.add_argument("--save-minutes", type=float, default=5)
    parser.add_argument("--export-only", action="store_true", help="export the last checkpoint")
    return parser.parse_args()


def prepare_tokenizer(args: argparse.Namespace, train: list[Document]) -> PreTrainedTokenizerFast:
    """Load the tokenizer of the work folder, or train it on the training documents first."""
    folder = args.work / "tokenizer"
    if not (folder / "tokenizer_config.json").exists():
        save_tokenizer(
            train_tokenizer((render(document) for document in train), args.vocab_size),
            folder,
            args.context,
        )
    return load_tokenizer(folder)


def build_model(args: argparse.Namespace, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A fresh model with tied embeddings."""
    ids = tokenizer.convert_tokens_to_ids([PAD, BOS, END])
    config = LlamaConfig(
        vocab_size=args.vocab_size,
        hidden_size=args.hidden,
        num_hidden_layers=args.layers,
        intermediate_size=args.mlp,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=args.context,
        tie_word_embeddings=True,
        pad_token_id=ids[0],
        bos_token_id=ids[1],
        eos_token_id=ids[2],
        use_cache=False,
    )
    config._attn_implementation = "sdpa"
    torch.manual_seed(args.seed)
    return LlamaForCausalLM(config)


def main() -> None:
    """Prepare, train, measure and export."""
    args = parse_arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    train_documents, validation_documents = load_corpus(args.data, args.seed)
    tokenizer = prepare_tokenizer(args, train_documents)
    random.Random(args.seed).shuffle(validation_documents)
    held_out = list(zip(validation_documents, encode(validation_documents, tokenizer), strict=True))
    model = build_model(args, tokenizer)
    if args.export_only:
        progress = restore(args.work / "checkpoint.pt", model)
    else:
        documents = encode(train_documents, tokenizer)
        log(
            args,
            parameters=model.num_parameters(),
            documents=len(documents),
            corpus_tokens=sum(map(len, documents)),
            validation_documents=len(held_out),
        )
        progress = train(args, model, documents, held_out, tokenizer)
    table = measure(model, held_out, tokenizer)
    log(
        args,
        step=progress.step,
        tokens=progress.tokens,
        final=not args.export_only,
        **mean_losses(table),
        sources=table,
    )
    export_model(model, args.work / "tokenizer", args.out)


if __name__ == "__main__":
    main()
