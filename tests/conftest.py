import sys

import numpy as np
import pytest

pytest_plugins = "pytester"

# Where the time goes: whole programs, and collections of layers. Half of the environments leave these out (tox.ini).
LONG = (
    *("test_benchmarks_cost", "test_benchmarks_numerics", "test_benchmarks_peers", "test_corpus", "test_examine"),
    *("test_faulty", "test_main_job", "test_pytest_plugin", "test_readme", "test_pages", "test_building"),
    *("test_classes", "test_engine", "test_functions", "test_wild"),
)


def environment():
    """Return a number for the Python and the NumPy that tests run with, to share out what is too much for each."""
    return 2 * sys.version_info.minor + (np.lib.NumpyVersion(np.__version__) >= "2.4.0")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem in LONG:
            item.add_marker(pytest.mark.long)
