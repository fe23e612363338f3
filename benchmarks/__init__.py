"""Timings, and the ratios between them: ``pytest benchmarks`` prints both."""
