"""How the numeric core fares beside its peers: what it finds, what it must not flag, what it costs.

One thread, set before NumPy is first imported: what is measured beside something else must not wait for it.
"""

import os

for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
os.environ.setdefault("VECLIB_MAXIMUM_THREADS", "1")
