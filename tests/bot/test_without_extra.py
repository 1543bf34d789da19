"""Where the extra `optimize` is not installed: nothing breaks, and whoever asks is told how to get it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot.context import Context
from tests.bot.models_made import Bench
from tests.bot.releases_made import words
from tests.bot.workspace import DANA
from tests.conftest import JobList
from tests.optimize.builders import tiny_fixture

ROOT = Path(__file__).parents[2]
# onnx and ONNX Runtime as if they had never been installed.
GONE = """
import sys
from importlib.abc import MetaPathFinder
class Gone(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("onnx", "onnxruntime"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Gone())
"""


@pytest.fixture
def bench(ctx: Context, jobs: JobList) -> Bench:
    return Bench(ctx=ctx, jobs=jobs)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", GONE + code], capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout.strip()


def test_web_and_bot_and_worker_start_without_it() -> None:
    assert run("import wsgi, bot.socket, bot.worker, bot.cli; print('all there')") == "all there"


def test_the_command_says_what_is_missing_and_how_to_install_it() -> None:
    said = run("from bot.flows.orders import missing_extra; print(missing_extra())")

    assert "onnx" in said
    assert "pip install" in said
    assert "optimize" in said


def test_an_order_is_refused_with_that_sentence(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tiny_fixture()
    bench.register(made.model)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    said = words(bench.type(DANA, "model optimize kws@1.4.0 recipe=fp16"))

    assert "not installed; run: pip install" in said
    assert bench.jobs.names() == []


def test_neither_web_nor_bot_imports_the_heavy_libraries() -> None:
    code = "import sys, wsgi, bot.socket; print([m for m in ('onnx', 'onnxruntime', 'sklearn') if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    assert done.stdout.strip() == "[]"
