"""Sessions: what they are opened with decides what a number means."""

from __future__ import annotations

import onnxruntime
import pytest

from optimize import quantize, tasks
from optimize.sessions import open_session
from tests.optimize.builders import a_gemm


@pytest.mark.parametrize("bits", [4, 8])
def test_weights_alone_are_timed_with_the_setting_that_the_app_is_told(bits: int) -> None:
    """Without it weight-only files run three times slower than the parent."""
    session = tasks._open(quantize.weights(a_gemm(), bits=bits))

    assert session.get_session_options().get_session_config_entry("session.disable_quant_qdq") == "1"


def test_hints_of_a_hostile_file_set_nothing_else() -> None:
    hints = {"session.load_model_format": "ORT", "session.disable_quant_qdq": "1; rm -rf"}

    options = open_session(a_gemm(), hints=hints).get_session_options()

    for name in hints:
        with pytest.raises(RuntimeError, match="does not have configuration"):
            options.get_session_config_entry(name)


def test_device_like_means_no_optimization_of_the_graph_so_no_kernels_that_saturate() -> None:
    """x86 kernels without VNNI saturate: the same file scored 95.7 % with them and 99.4 % without."""
    level = {
        kind: open_session(a_gemm(), device_like=kind).get_session_options().graph_optimization_level
        for kind in (True, False)
    }

    assert level[True] == onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    assert level[False] == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL


def test_a_session_uses_one_thread_so_that_thread_time_is_all_of_its_time() -> None:
    options = open_session(a_gemm()).get_session_options()

    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
