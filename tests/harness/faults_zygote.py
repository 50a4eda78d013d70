"""A process that loads everything once, and forks what is to be killed: each start then costs a fraction of a second.

What is forked is the product itself (the service, any verb of `vigie`) in a session of its own. The model was loaded, by the
product's own code, before the fork; a real cold start loads the same. Orders come in as JSON, one a line, and answers go out so.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_READY = "ready"


@dataclass
class Forked:
    """A process that was forked: its number, which is that of its group too."""

    zygote: "Zygote"
    pid: int
    code: int | None = None

    def kill(self, how: signal.Signals = signal.SIGKILL) -> int:
        """End it and all that it started; returns its exit code, negative for a signal."""
        if self.code is None:
            try:
                os.killpg(self.pid, how)
            except ProcessLookupError:
                os.kill(self.pid, how)
            return self.wait()
        return self.code

    def wait(self) -> int:
        """Wait for its end; returns its exit code, negative for a signal."""
        if self.code is None:
            self.code = int(self.zygote.ask({"reap": self.pid})["code"])
        return self.code

    def over(self) -> bool:
        """Whether it has ended."""
        if self.code is None:
            code = self.zygote.ask({"look": self.pid})["code"]
            self.code = None if code is None else int(code)
        return self.code is not None


class Zygote:
    """The process that forks; started with the environment that says which model to load."""

    def __init__(self, models: Path, log: Path) -> None:
        self.log = log
        environment = {**os.environ, "VIGIE_MODEL_DIR": str(models)}
        environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
        command = [sys.executable, "-m", "tests.harness.faults_zygote"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with log.open("ab") as journal:
            self.process: subprocess.Popen[str] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stderr=journal,
                text=True,
                **pipes,  # type: ignore[call-overload]
            )
        self._one = threading.Lock()
        self._hear(_READY)

    def _hear(self, wanted: str) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"Le processus père s'est arrêté : {self.log.read_text(errors='replace')[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        assert wanted in answer, answer
        return answer

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Give an order, and hear its answer."""
        with self._one:
            assert self.process.stdin
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            return self._hear("pid" if "run" in order else "code")

    def start(self, run: Sequence[Any], environment: Mapping[str, str]) -> Forked:
        """Fork: `["serve"]`, `["vigie", ARGUMENT…]` or `["call", "module:function", ARGUMENT…]`, with this environment added."""
        return Forked(self, int(self.ask({"run": list(run), "environment": dict(environment), "log": str(self.log)})["pid"]))

    def stop(self) -> None:
        """End it; what it forked goes on."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def _preload() -> None:
    """Load the model that serves, and have whoever asks for it again be given the same."""
    from model import analyser, store
    from model.analyser import Analyser
    from service.samples import SAMPLES
    from service.settings import load_settings

    for name in ("service.cli", "service.app", "service.server", "uvicorn.protocols.http.h11_impl", "psycopg"):
        importlib.import_module(name)
    for name in ("training.fit", "training.challenge", "training.pool"):
        importlib.import_module(name)
    from service.routes import WORKPLACE_ROUTES

    for name in WORKPLACE_ROUTES:
        importlib.import_module(f"service.routes.{name}")
    root = load_settings().model_dir.resolve()
    trust = load_settings().trust()
    loaded = Analyser.load(root, None, trust)
    loaded.predict(SAMPLES[0].text)
    known = loaded.artefact
    slow_artefact, slow_analyser = store.load_artefact, Analyser.load

    def is_known(root: Path, name: str | None) -> bool:
        return root.resolve() / (name or store.current_name(root)) == known.folder.resolve()

    def load_artefact(root: Path, name: str | None = None, trust: Any = None) -> Any:
        return known if is_known(root, name) else slow_artefact(root, name, trust)

    def load(root: Path, name: str | None = None, trust: Any = None) -> Any:
        return loaded if is_known(root, name) else slow_analyser(root, name, trust)

    store.load_artefact = load_artefact
    analyser.Analyser.load = staticmethod(load)  # type: ignore[method-assign]


def _become(order: Mapping[str, Any]) -> int:
    """What the forked process does; returns its exit code."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    journal = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    empty = os.open(os.devnull, os.O_RDONLY)
    for given, taken in ((empty, 0), (journal, 1), (journal, 2)):
        os.dup2(given, taken)
    os.environ.update(order["environment"])
    from service.settings import load_settings

    load_settings.cache_clear()
    verb, *arguments = order["run"]
    if verb == "call":
        module, _, function = arguments[0].partition(":")
        getattr(importlib.import_module(module), function)(*arguments[1:])
    elif verb == "serve":
        from service.server import check_startup, run_server

        check_startup(load_settings())
        run_server(load_settings())
    else:
        from service.cli import main

        sys.argv = ["vigie", *arguments]
        main()
    return 0


def _fork(order: Mapping[str, Any]) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        code = _become(order)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Load, then fork what is asked for until the input ends."""
    # What is loaded writes nothing where answers go.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _preload()
    sys.stdin.reconfigure(line_buffering=True)  # type: ignore[union-attr]

    def answer(told: Mapping[str, Any]) -> None:
        answers.write(json.dumps(told) + "\n")
        answers.flush()

    answer({_READY: time.process_time()})
    while line := sys.stdin.readline():
        order = json.loads(line)
        if "run" in order:
            answer({"pid": _fork(order)})
        else:
            pid, status = os.waitpid(order.get("reap") or order["look"], 0 if "reap" in order else os.WNOHANG)
            answer({"code": os.waitstatus_to_exitcode(status) if pid else None})


if __name__ == "__main__":
    main()
