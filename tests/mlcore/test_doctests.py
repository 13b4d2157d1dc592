from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

import mlcore

MODULES = sorted(f"mlcore.{module.name}" for module in pkgutil.iter_modules(mlcore.__path__))
FUNCTIONS = [name for name in mlcore.__all__ if inspect.isfunction(getattr(mlcore, name))]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_promise(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_has_an_example(name: str) -> None:
    function = getattr(mlcore, name)
    module = importlib.import_module(function.__module__)
    found = doctest.DocTestFinder(recurse=False).find(function, name, module=module)
    assert sum(len(test.examples) for test in found) > 0
