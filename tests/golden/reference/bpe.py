"""Small byte-level BPE tokenizers, trained on a few lines."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END = "<|endoftext|>"

LINES = [
    "I hate you because you never listen. I love you because you always do.",
    "Love and Hate are words. Love, Hate, Love, Hate. A wedding is a wedding party.",
    "The cat sat on the mat and looked at the moon. Yesterday, my dog died.",
    "I went up to my friend and said that the wedding is on Saturday.",
    "I think you're a wonderful person, and I think that you know it.",
]


def train(vocab_size, special_tokens=()):
    """`special_tokens` get the first ids."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=1,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=list(special_tokens),
    )
    tokenizer.train_from_iterator(LINES, trainer)
    return tokenizer
