"""The pocket model's text encoder: a two-layer T5 with a vocabulary of words, in a Hugging Face folder."""

import string
from pathlib import Path

from pipelines.pocket.configuration import TEXT_LAYERS, TEXT_WIDTH
from pipelines.pocket.weights import fill_transformer

WORDS = """
    a an and the of in with at for on no but very some solo song music track piece tune loop band sound
    style rock pop jazz blues classical electronic techno house ambient metal folk country reggae disco
    funk soul hip hop rap latin world orchestral acoustic cinematic dance slow medium fast tempo bpm beat
    beats groove rhythm meter time signature steady syncopated swing major minor key scale chord chords
    progression interval note notes melody melodic harmony bass bassline lead pad riff arpeggio drum drums
    percussion kick snare hat piano keyboard organ guitar strings violin viola cello choir voice vocals
    instrumental flute clarinet saxophone trumpet horn brass synth synthesizer bells vibraphone harp low
    high deep bright dark warm cold soft loud quiet distorted clean calm happy sad angry tense dreamy
    energetic mellow heavy light sharp flat c d e f g b
"""


def write_text_encoder(folder: Path) -> None:
    """Write tokenizer and weights below `folder`, readable by `T5Tokenizer` and `T5EncoderModel`."""
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    vocabulary = _vocabulary()
    tokenizer = T5Tokenizer(vocab=vocabulary, extra_ids=0)
    configuration = T5Config(
        vocab_size=len(vocabulary),
        d_model=TEXT_WIDTH,
        d_kv=16,
        d_ff=4 * TEXT_WIDTH,
        num_layers=TEXT_LAYERS,
        num_heads=4,
        dropout_rate=0.0,
    )
    encoder = T5EncoderModel(configuration).eval()
    fill_transformer(encoder, "text.", embedding_deviation=1.0)
    tokenizer.save_pretrained(folder)
    encoder.save_pretrained(folder)


def _vocabulary() -> list[tuple[str, float]]:
    """Whole words, with single characters as the costly fallback, so that every other word is spelled out.

    A Unigram model trained on a few captions would split known words into letters.
    """
    special = [(token, 0.0) for token in ("<pad>", "</s>", "<unk>")]
    forms = dict.fromkeys(form for word in WORDS.split() for form in (word, word.capitalize()))
    characters = string.ascii_letters + string.digits + string.punctuation
    words = [(f"▁{form}", -1.0) for form in forms]
    return [*special, ("▁", -10.0), *words, *((character, -10.0) for character in characters)]
