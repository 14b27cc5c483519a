"""Audio encoders of transformers as models that are read: HuBERT, Whisper, CLAP, codecs and their kin."""
