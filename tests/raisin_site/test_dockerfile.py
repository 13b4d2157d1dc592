"""The Dockerfile's own steps, run in a plain folder: no Docker engine is needed to know that they work."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live import answers, free_port

pytestmark = pytest.mark.process
ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("/app", "/venv", "/data", "/tmp/build")


@dataclass(frozen=True)
class Step:
    verb: str
    words: str


def read_steps() -> list[Step]:
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [Step(*line.split(maxsplit=1)) for line in lines]


@dataclass
class PlainFolder:
    """Stands for the image: its absolute folders lie below `root`, its python is ours."""

    root: Path
    environment: dict[str, str]

    def here(self, text: str) -> str:
        for folder in FOLDERS:
            text = re.sub(rf"(?<![\w.]){folder}\b", f"{self.root}{folder}", text)
        return text

    def carry_out(self, step: Step) -> None:
        if step.verb == "ENV":
            pairs = re.findall(r"(\w+)=(\S+)", self.here(step.words))
            self.environment |= {key: os.path.expandvars(value) for key, value in pairs}
        elif step.verb == "COPY" and "--from" not in step.words:
            self.copy(step.words.split()[0])
        elif step.verb == "RUN" and "useradd" not in step.words:
            self.run(step.words)

    def copy(self, name: str) -> None:
        app = self.root / "app"
        app.mkdir(exist_ok=True)
        if name != ".":
            shutil.copy(ROOT / name, app)
            return
        tracked = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\n")
        ignored = ("tests/", "benchmarks/", ".git/")
        for path in filter(None, tracked):
            if not path.startswith(ignored) and (ROOT / path).is_file():
                (app / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, app / path)

    def run(self, command: str) -> None:
        python = f"{sys.executable} -m venv --copies"
        command = self.here(command).replace("python -m venv", python)
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.root / "app",
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def contents(self) -> dict[str, int]:
        """Every file of the image but its volume, with the moment of its last change."""
        folders = (self.root / "app", self.root / "venv")
        return {
            str(path): path.stat().st_mtime_ns
            for folder in folders
            for path in folder.rglob("*")
            if path.is_file()
        }


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> PlainFolder:
    root = tmp_path_factory.mktemp("image")
    kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_")) or k == "PATH"}
    folder = PlainFolder(root, kept | {"HOME": str(root)})
    for step in read_steps():
        folder.carry_out(step)
    folder.environment["PATH"] = f"{root}/venv/bin:{kept['PATH']}"
    return folder


@pytest.fixture(scope="module")
def container(image: PlainFolder) -> Iterator[tuple[PlainFolder, int]]:
    """The CMD on a free port; the image's files must stay as they are, as under --read-only."""
    (image.root / "data").mkdir()
    before = image.contents()
    port = free_port()
    process = subprocess.Popen(
        command_of("CMD"),
        cwd=image.root / "app",
        env=image.environment | {"RAISIN_PORT": str(port)},
        stdout=(image.root / "log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 60
    while not answers(f"http://127.0.0.1:{port}/healthz"):
        assert process.poll() is None, (image.root / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield image, port
    process.terminate()
    process.wait(timeout=30)
    assert image.contents() == before


def command_of(verb: str) -> list[str]:
    words = next(step.words for step in read_steps() if step.verb == verb)
    command: list[str] = json.loads(words[words.index("[") :])
    return command


def test_it_works(container: tuple[PlainFolder, int]) -> None:
    image, port = container
    assert answers(f"http://127.0.0.1:{port}/readyz")
    assert "/login/link/?token=" in (image.root / "log").read_text()


def test_its_health_check_passes(container: tuple[PlainFolder, int]) -> None:
    image, port = container
    environment = image.environment | {"RAISIN_PORT": str(port)}
    check = command_of("HEALTHCHECK")
    assert subprocess.run(check, env=environment, check=False).returncode == 0


def test_its_state_lies_in_the_volume_alone(container: tuple[PlainFolder, int]) -> None:
    image, _ = container
    assert (image.root / "data" / "raisin.sqlite3").exists()
    assert (image.root / "data" / "secret_key").stat().st_mode & 0o077 == 0


def test_it_does_not_run_as_root() -> None:
    users = [step.words for step in read_steps() if step.verb == "USER"]
    assert users == ["raisin"]
    assert [step.verb for step in read_steps()][-1] == "CMD"
