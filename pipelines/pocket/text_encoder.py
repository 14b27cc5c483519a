"""The pocket model's text encoder: a two-layer T5 with a vocabulary of words, in a Hugging Face folder."""

import string
from pathlib import Path

from pipelines.pocket.configuration import TEXT_LAYERS, TEXT_WIDTH
from pipelines.pocket.weights import fill_transformer

WORDS = """
    a an and the of in with without at for on no not but very some about around solo song songs music
    musical track piece tune loop band sound sounds recording clip excerpt playing plays played featuring
    by like style rock pop jazz jazzy blues classical electronic electronica techno house ambient metal
    folk country reggae disco funk soul hip hop rap latin world orchestral orchestra acoustic electric
    cinematic dance club chamber baroque roll swing swinging slow slowly medium medium-tempo moderate
    moderately fast quick upbeat relaxed lively tempo bpm beat beats groove rhythm meter time signature
    steady syncopated driving major minor key scale chord chords progression interval note notes melody
    melodic harmony bass bassline lead leading pad riff arpeggio drum drums drummer drumming percussion
    kit kick snare hat piano pianist grand keyboard organ hammond guitar steel overdriven distorted
    strings violin fiddle viola cello choir voice vocals instrumental instrument flute flutist clarinet
    saxophone sax trumpet horn brass synth synthesizer bells vibraphone vibes harp low high deep bright
    dark warm cold soft loud quiet clean calm happy sad angry tense dreamy energetic mellow heavy light
    sparse thin full lush rich duo sharp flat c d e f g b 60 70 80 90 100 110 120 130 140 150 160 170 180
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
