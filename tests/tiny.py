"""Language models with random weights and a real tokenizer, in a second: for what does not depend on what a model has learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def tiny_language_model(folder: Path, kind: str = "llama", start: bool = False) -> Path:
    """Save a model of a given kind ("llama", "gemma2") with a byte-level tokenizer of 300 tokens. start: whether it puts a token before a text."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    words.train_from_iterator(["the array of the values and the shape of the array"], trainer)
    if start:
        words.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="<s>").save_pretrained(folder)
    torch.manual_seed(7)
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = AutoConfig.for_model(kind, vocab_size=320, max_position_embeddings=128, head_dim=16, initializer_range=0.5, **sizes)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def tiny_pair_model(folder: Path, labels: tuple[str, ...]) -> Path:
    """Save a BERT with random weights that gives a pair of texts these labels, or one logit."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

    words = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    words.normalizer, words.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    named = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    text = "the tower is tall it was built in 1889 many people climb each day daily word stands here a b c 7"
    words.train_from_iterator([text], trainers.WordPieceTrainer(vocab_size=300, special_tokens=named, show_progress=False))
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=128)
    made.save_pretrained(folder)
    torch.manual_seed(7)
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.5}
    config = AutoConfig.for_model("bert", vocab_size=300, max_position_embeddings=128, id2label=dict(enumerate(labels)), num_labels=len(labels), **sizes)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    return folder
