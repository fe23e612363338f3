"""The corpus of wrong and right layers, put to other gradient checkers and to ours: ``python -m benchmarks.peers``."""
