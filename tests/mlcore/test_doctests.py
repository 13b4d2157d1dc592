from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import mlcore

MODULES = sorted(f"mlcore.{module.name}" for module in pkgutil.iter_modules(mlcore.__path__))
WITH_EXAMPLES = {"mlcore.loss", "mlcore.schema", "mlcore.solvers", "mlcore.split", "mlcore.model"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_promise(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0
    assert results.attempted > 0 or name not in WITH_EXAMPLES
