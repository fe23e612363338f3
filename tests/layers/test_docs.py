"""The examples in the docstrings run, and every layer has one with its shapes and its source."""

import doctest
import importlib
import pkgutil

import pytest

import layers

MODULES = [f"layers.{module.name}" for module in pkgutil.iter_modules(layers.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert attempted > 0
    assert failed == 0


@pytest.mark.parametrize("name", layers.__all__)
def test_every_layer_has_shapes_a_source_and_an_example(name):
    text = getattr(layers, name).__doc__
    for part in ("shapes ``(", "et al., ", ">>> "):
        assert part in text
