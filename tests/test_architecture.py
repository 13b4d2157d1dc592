"""The house rules that no linter knows: import contracts, who assigns a status, size limits."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("mlcore", "endpoints", "dashboard", "raisin_site")
SOURCES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts
)
ALL_PYTHON = SOURCES + sorted(
    path
    for folder in ("tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if ".peers" not in path.parts
)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def assigns_status(source: str) -> bool:
    """Find `x.status = ...`, and the calls that write it without an assignment."""
    tree = ast.parse(source)
    stored = (n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "status")
    return any(isinstance(node.ctx, ast.Store) for node in stored) or any(
        writes_status(call) for call in calls(tree)
    )


def writes_status(call: ast.Call) -> bool:
    """Find `update(status=...)`, `bulk_update(versions, ["status"])` and `setattr(v, "status", x)`."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    if name in {"update", "update_or_create"}:
        return any(keyword.arg == "status" for keyword in call.keywords)
    return name in {"bulk_update", "setattr"} and "'status'" in ast.unparse(call)


def reaches_for_endpoints(source: str) -> bool:
    """Find `Endpoint.objects`, `get_object_or_404(Endpoint...)` and generic querysets of it."""
    return bool(
        re.search(r"\bEndpoint\.(objects|_default_manager)|get_object_or_404\(\s*Endpoint", source)
    )


def test_imports_point_downwards() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_only_the_lifecycle_assigns_a_status() -> None:
    culprits = [name_of(path) for path in SOURCES if assigns_status(path.read_text())]
    assert culprits == ["endpoints/services/lifecycle.py"]


@pytest.mark.parametrize(
    "source",
    [
        "version.status = 'production'",
        "before, version.status = version.status, 'production'",
        "Version.objects.filter(pk=1).update(status='x')",
        "Version.objects.bulk_update(versions, ['status'])",
        "setattr(version, 'status', 'x')",
    ],
)
def test_the_search_for_status_finds(source: str) -> None:
    assert assigns_status(source)


def test_views_obtain_endpoints_through_access_alone() -> None:
    views = [p for p in SOURCES if name_of(p).startswith(("dashboard/", "endpoints/api/"))]
    assert views
    assert [name_of(path) for path in views if reaches_for_endpoints(path.read_text())] == []


def test_the_search_for_endpoints_finds() -> None:
    assert reaches_for_endpoints("Endpoint.objects.get(slug=slug)")


@pytest.mark.parametrize("path", ALL_PYTHON, ids=name_of)
def test_files_and_functions_stay_small(path: Path) -> None:
    source = path.read_text()
    assert len(source.splitlines()) <= 500
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_modules_say_what_they_are_for(path: Path) -> None:
    source = path.read_text()
    assert not source.strip() or ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_can_load_a_pickle(path: Path) -> None:
    source = path.read_text()
    assert not re.search(
        r"^\s*(import|from)\s+(c?pickle|joblib|dill|shelve|marshal)\b", source, re.M
    )
    for call in calls(ast.parse(source)) if "allow_pickle" in source else ():
        allowed = [k for k in call.keywords if k.arg == "allow_pickle"]
        assert all(isinstance(k.value, ast.Constant) and k.value.value is False for k in allowed)


TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_templates_have_nothing_inline(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"""\sstyle\s*=|<style|\son[a-z]+\s*=\s*["']""", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"""(src|href)\s*=\s*["'](https?:)?//""", text)
