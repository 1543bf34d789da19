"""The fixtures are good models, made alike each time."""

from __future__ import annotations

import pytest

from optimize import fixtures
from optimize.fixtures import Fixture
from optimize.inspect import read_needs
from optimize.samples import read_samples
from tests.optimize.builders import scores_of


@pytest.mark.slow
@pytest.mark.parametrize(("name", "accuracy", "size_bytes"), [("mlp", 0.975, 2_386_499), ("cnn", 0.99, 307_950)])
def test_a_fixture_knows_digits_that_it_has_never_seen(
    name: str, accuracy: float, size_bytes: int, request: pytest.FixtureRequest
) -> None:
    made: Fixture = request.getfixturevalue(name)
    judged = read_samples(made.evaluation)

    right = scores_of(made.model, judged.x).argmax(axis=1) == judged.y

    assert len(judged) == 1080
    assert right.mean() > accuracy
    assert len(made.model) == size_bytes
    assert read_samples(made.calibration).y is None


@pytest.mark.slow
def test_making_it_again_gives_the_same_bytes(cnn: Fixture) -> None:
    assert fixtures.cnn() == cnn
    assert read_needs(cnn.model).ops["Conv"] == 2
