"""Every setting, command, error code and URL name stands in docs/; what is to be pasted can be."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.urls import URLPattern, URLResolver, get_resolver

from endpoints import errors
from mlcore import errors as mlcore_errors

ROOT = Path(__file__).resolve().parent.parent
OUR_APPS = {"endpoints", "dashboard", "raisin_site"}
FOREIGN_NAMESPACES = {"admin"}


@pytest.fixture(scope="module")
def docs() -> str:
    return "\n".join(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))


def settings_read() -> list[str]:
    source = (ROOT / "raisin_site" / "settings.py").read_text()
    return sorted(set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source)))


def commands() -> list[str]:
    return sorted(name for name, app in get_commands().items() if app in OUR_APPS)


def domain_error_codes() -> list[str]:
    def below(kind: type) -> Iterator[str]:
        yield kind.code  # type: ignore[attr-defined]
        for child in kind.__subclasses__():
            yield from below(child)

    return sorted({*below(errors.DomainError), *below(mlcore_errors.MlcoreError)})


def url_names() -> list[str]:
    return sorted(set(names_below(get_resolver().url_patterns, "")))


def names_below(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            if pattern.namespace not in FOREIGN_NAMESPACES:
                space = f"{pattern.namespace}:" if pattern.namespace else ""
                yield from names_below(pattern.url_patterns, prefix + space)
        elif pattern.name:
            yield prefix + pattern.name


def test_there_is_something_to_document() -> None:
    assert {"DATABASE_URL", "RAISIN_HOME"} <= set(settings_read())
    assert {"train", "demo", "serve", "doctor"} <= set(commands())
    assert {"invalid_rows", "conflict"} <= set(domain_error_codes())
    assert {"missing_field", "not_finite"} <= set(cell_codes())
    assert {"dashboard:home", "api:predict"} <= set(url_names())


@pytest.mark.parametrize("name", settings_read())
def test_every_setting_is_documented(name: str, docs: str) -> None:
    assert f"`{name}`" in docs


@pytest.mark.parametrize("name", commands())
def test_every_command_is_documented(name: str, docs: str) -> None:
    assert f"`manage.py {name}" in docs or f"`{name}`" in docs


@pytest.mark.parametrize("code", domain_error_codes())
def test_every_error_code_is_documented(code: str, docs: str) -> None:
    assert f"`{code}`" in docs


def cell_codes() -> list[str]:
    sources = [path.read_text() for path in (ROOT / "mlcore").glob("*.py")]
    return sorted(
        set(re.findall(r'"((?:missing|unknown|wrong|not|bad)_[a-z]+)"', "".join(sources)))
    )


@pytest.mark.parametrize("code", cell_codes())
def test_every_cell_code_is_documented(code: str, docs: str) -> None:
    assert f"`{code}`" in docs


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_every_shell_example_can_be_pasted(page: Path) -> None:
    """Run nothing; an odd quote would leave the reader's shell waiting for more."""
    for example in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
        read = subprocess.run(
            ["bash", "-n"], input=example, text=True, capture_output=True, check=False
        )
        assert read.returncode == 0, read.stderr


@pytest.mark.parametrize("name", url_names())
def test_every_url_name_is_documented(name: str, docs: str) -> None:
    assert f"`{name}`" in docs
