"""Files that await reading: no phone gets them before, and one that is refused takes neither name nor place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from core.db import Databases
from core.errors import ConflictError, InvalidInputError
from releases import counters, registry
from releases.artifact_store import current_baselines, find_artifacts
from releases.artifacts import Artifact
from releases.catalog import LOOK_EVERY_S, Catalog
from releases.registry import Inspection
from tests.builders import T0, at
from tests.conftest import JobList
from tests.releases.builders import Seconds, an_artifact, digest_of, propose, register_both, start

BASELINE = an_artifact("1.0.0", is_baseline=True, awaits_reading=True)
OTHER = replace(BASELINE, sha256=digest_of("another file"))
RUBBISH = Inspection(facts=None, refused="is no ONNX file")


def register(session: Session, artifact: Artifact) -> bool:
    return registry.register(session, artifact, app="demo", by="key_1", now=T0, companions={})[1]


def read(session: Session, artifact: Artifact, found: Inspection) -> None:
    told = {"app": "demo", "artifact": artifact.sha256}
    registry.save_inspection(session, found, **told, role="model", sha256=artifact.sha256, now=T0)
    registry.note_read(session, **told)


def offered(session: Session) -> list[str]:
    return [each.sha256 for each in current_baselines(session, app="demo", model="kws")]


def test_a_baseline_is_offered_once_it_was_read_and_phones_hear_of_it(databases: Databases) -> None:
    with databases.control.begin() as session:
        register(session, BASELINE)
        before, seen = offered(session), counters.current(session, "catalog")

        read(session, BASELINE, Inspection(facts={"opset": 17}, refused=None))

        assert (before, offered(session)) == ([], [BASELINE.sha256])
        assert counters.current(session, "catalog") > seen


def test_a_baseline_that_is_refused_is_offered_to_nobody_until_somebody_says_that_the_app_reads_it(
    databases: Databases,
) -> None:
    with databases.control.begin() as session:
        register(session, BASELINE)
        read(session, BASELINE, RUBBISH)
        before = offered(session)

        assert not register(session, replace(BASELINE, awaits_reading=False))

        assert (before, offered(session)) == ([], [BASELINE.sha256])


@pytest.mark.parametrize(
    "better",
    [
        pytest.param(OTHER, id="another file under its name"),
        pytest.param(replace(OTHER, version="1.0.1"), id="another version"),
        pytest.param(replace(BASELINE, version="1.0.1"), id="the same file under another name"),
    ],
)
def test_what_was_refused_gives_way(databases: Databases, better: Artifact) -> None:
    with databases.control.begin() as session:
        register(session, BASELINE)
        read(session, BASELINE, RUBBISH)

        assert register(session, better)
        read(session, better, Inspection(facts={"opset": 17}, refused=None))

        assert offered(session) == [better.sha256]


def test_what_is_still_being_read_keeps_its_name_and_its_place(databases: Databases) -> None:
    with databases.control.begin() as session:
        register(session, BASELINE)

        with pytest.raises(ConflictError, match="is another file already"):
            register(session, OTHER)
        with pytest.raises(ConflictError, match=r"has the baseline 1\.0\.0"):
            register(session, replace(OTHER, version="1.0.1"))


def test_a_refused_baseline_that_comes_again_does_not_push_out_the_one_after_it(databases: Databases) -> None:
    with databases.control.begin() as session:
        register(session, BASELINE)
        read(session, BASELINE, RUBBISH)
        register(session, replace(OTHER, version="1.0.1", awaits_reading=False))

        with pytest.raises(ConflictError, match=r"has the baseline 1\.0\.1"):
            register(session, replace(BASELINE, awaits_reading=False))


def test_a_file_that_is_taken_unread_keeps_its_name_when_it_is_refused(databases: Databases) -> None:
    with databases.control.begin() as session:
        register(session, replace(BASELINE, awaits_reading=False))
        read(session, BASELINE, RUBBISH)

        with pytest.raises(ConflictError, match="is another file already"):
            register(session, OTHER)


def test_a_file_that_a_release_names_keeps_its_name_even_if_it_is_refused(databases: Databases) -> None:
    with databases.control.begin() as session:
        _, candidate = register_both(session, awaits_reading=True)
        propose(session)
        read(session, candidate, RUBBISH)

        with pytest.raises(ConflictError, match="is another file already"):
            register(session, replace(candidate, sha256=digest_of("another file")))


def test_a_file_that_others_were_made_from_keeps_its_name(databases: Databases) -> None:
    with databases.control.begin() as session:
        register(session, BASELINE)
        register(session, an_artifact("1.0.0+int8", made_from=BASELINE.sha256, made_by="int8"))
        read(session, BASELINE, RUBBISH)

        with pytest.raises(ConflictError, match="is another file already"):
            register(session, OTHER)


def test_a_file_that_was_refused_is_not_released(databases: Databases) -> None:
    with databases.control.begin() as session:
        _, candidate = register_both(session, awaits_reading=True)
        read(session, candidate, RUBBISH)

        with pytest.raises(InvalidInputError, match="was refused when it was read: model is no ONNX file; register"):
            propose(session)


def test_a_file_that_gave_way_and_comes_again_is_read_again(databases: Databases, jobs: JobList) -> None:
    with databases.control.begin() as session:
        register(session, BASELINE)
        read(session, BASELINE, RUBBISH)
        register(session, OTHER)
        read(session, OTHER, RUBBISH)

    with databases.control.begin() as session:
        registry.register(session, BASELINE, app="demo", by="key_1", now=at(1), companions={})

        assert [each.sha256 for each in find_artifacts(session, app="demo")] == [BASELINE.sha256]
    assert jobs.names() == ["inspect_artifact"] * 3


def test_a_file_that_was_never_read_is_read_when_it_is_registered_again(databases: Databases, jobs: JobList) -> None:
    with databases.control.begin() as session:
        register(session, BASELINE)
    with databases.control.begin() as session:
        registry.register(session, BASELINE, app="demo", by="key_1", now=at(1), companions={})

    assert jobs.names() == ["inspect_artifact"] * 2


def test_phones_get_no_file_of_a_release_before_it_was_read(databases: Databases) -> None:
    with databases.control.begin() as session:
        _, candidate = register_both(session, awaits_reading=True)
        start(session)
    seconds = Seconds()
    catalog = Catalog(databases, seconds=seconds)
    before = candidates(catalog)

    with databases.control.begin() as session:
        read(session, candidate, Inspection(facts={"opset": 17}, refused=None))
    seconds.now = LOOK_EVERY_S

    assert (before, candidates(catalog)) == ([], ["1.4.0"])


def candidates(catalog: Catalog) -> list[str]:
    live = catalog.slot("demo", "kws").live
    assert live is not None
    return [each.version for each in live.candidates]
