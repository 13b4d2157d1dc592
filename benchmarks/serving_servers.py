"""The servers of the serving benchmark: how each is started, asked whether it is up, and measured.

One worker process each, no access log, and what else its own documentation says about production.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.footprint import process_tree, proportional_memory
from tests.live import LiveSite, answers, free_port

ROOT = Path(__file__).resolve().parent.parent
PEERS_HOME = Path(os.environ.get("PEERS_HOME", ROOT / "benchmarks" / ".peers"))
START_TIMEOUT = 120.0
TICKS = os.sysconf("SC_CLK_TCK")
VERSIONS = (
    "import importlib.metadata as m, json, sys;"
    "print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
)


class NotStarted(Exception):
    """A server that cannot take part, and why."""


@dataclass
class Server:
    """A running server: where it listens, and the process at the top of its tree."""

    port: int
    pid: int
    stop: Callable[[], None]

    @property
    def cpu_seconds(self) -> float:
        return sum(_cpu_seconds(member) for member in process_tree(self.pid))

    @property
    def memory(self) -> int:
        """Bytes of PSS of the whole tree."""
        return proportional_memory(self.pid)


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process, its ended threads included."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces
    return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass(frozen=True)
class Peer:
    """How to start a server of others; {bin}, {model} and ports are filled in."""

    name: str
    packages: tuple[str, ...]
    command: str
    health: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return PEERS_HOME / self.name

    def versions(self) -> dict[str, str]:
        command = [str(self.home / "bin" / "python"), "-c", VERSIONS, *self.packages]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found: dict[str, str] = json.loads(done.stdout)
        return found

    def start(self, folder: Path) -> Server:
        """Raises NotStarted."""
        if not (self.home / "model").exists():
            raise NotStarted("its environment is not built: benchmarks/setup-peers")
        port, *others = (free_port() for _ in range(3))
        words: dict[str, object] = {"bin": self.home / "bin", "model": self.home / "model"}
        words |= {"port": port, "grpc": others[0], "metrics": others[1]}
        command = self.command.format(**words).split()
        environment = {
            **_plain_environment(),
            **{name: value.format(**words) for name, value in self.environment.items()},
            "PATH": f"{self.home / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PEER_MODEL": str(self.home / "model"),
        }
        return _start(command, environment, port, self.health, folder / f"{self.name}.log")


def _plain_environment() -> dict[str, str]:
    """Nothing of ours; one thread for matrices, which are small."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAISIN_", "DJANGO_"))}
    return kept | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _start(
    command: list[str], environment: Mapping[str, str], port: int, health: str, log: Path
) -> Server:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(port, process.pid, lambda: _stop(process))
    deadline = time.monotonic() + START_TIMEOUT
    while not answers(f"http://127.0.0.1:{port}{health}"):
        if process.poll() is not None or time.monotonic() > deadline:
            server.stop()
            raise NotStarted(f"it did not start: …{log.read_text(errors='replace')[-500:]}")
        time.sleep(0.1)
    return server


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask politely, then end what is left of the group."""
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=15)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


PEERS = (
    Peer(
        name="fastapi",
        packages=("fastapi", "uvicorn", "uvloop", "httptools", "pydantic", "scikit-learn"),
        command="{bin}/uvicorn benchmarks.peers.fastapi_app:app --host 127.0.0.1 --port {port}"
        " --loop uvloop --http httptools --no-access-log --log-level warning",
        health="/health",
    ),
    Peer(
        name="mlflow",
        packages=("mlflow", "uvicorn", "scikit-learn"),
        command="{bin}/mlflow models serve --model-uri {model}/saved --env-manager local"
        " --host 127.0.0.1 --port {port} --workers 1",
        health="/ping",
        environment={"MLFLOW_DISABLE_TELEMETRY": "true"},
    ),
    Peer(
        name="mlserver",
        packages=("mlserver", "mlserver-sklearn", "scikit-learn"),
        command="{bin}/mlserver start {model}",
        health="/v2/models/raisin/ready",
        # No worker beside the process that answers: for a small model handing over costs more.
        environment={
            "MLSERVER_HOST": "127.0.0.1",
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": "{grpc}",
            "MLSERVER_METRICS_PORT": "{metrics}",
            "MLSERVER_PARALLEL_WORKERS": "0",
            "MLSERVER_DEBUG": "false",
        },
    ),
    Peer(
        name="bentoml",
        packages=("bentoml", "scikit-learn"),
        command="{bin}/bentoml serve benchmarks.peers.bentoml_service:Raisin"
        " --host 127.0.0.1 --port {port}",
        health="/readyz",
        environment={"BENTOML_HOME": "{model}/bentoml", "BENTOML_DO_NOT_TRACK": "True"},
    ),
)


def start_echo(folder: Path) -> Server:
    """Raises NotStarted."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.peers.echo", "127.0.0.1", str(port)]
    return _start(command, _plain_environment(), port, "/echo", folder / "echo.log")


def start_ours(folder: Path) -> Server:
    """The demo in an empty home, served as anybody serves it."""
    home = folder / "raisin"
    home.mkdir()
    site = LiveSite(home, free_port())
    site.manage_json("demo")
    site.start()
    assert site.process is not None
    return Server(site.port, site.process.pid, site.stop)
