"""What the other rooms ask of feedback's database; the functions live in the store_… files, by subject."""

from __future__ import annotations

from feedback.diary_counts import Arrival, Diaries, InstallSums, LeafCounts, Seen, arrivals, seen_since
from feedback.fold import Folding, catch_up, fold_install, fresh
from feedback.renewal import gather_install, renew_pseudonyms, reseal_answers
from feedback.sheet_counts import Sheets
from feedback.store_arms import ArmCell, arm_cells
from feedback.store_cohorts import (
    AnswerCount,
    ChoiceCount,
    ImpressionCount,
    answer_counts,
    as_asked,
    choice_counts,
    heard,
    impressions,
    quotes,
    sent_otherwise,
    who_answered,
)
from feedback.store_corrections import Corrected, corrected, corrections
from feedback.store_days import (
    LeafDay,
    first_day,
    leaf_days,
    leaf_installs,
    roll_up_day,
    rolled_up,
)
from feedback.store_diaries import read as diaries
from feedback.store_habits import Habits, devices_seen, habits
from feedback.store_history import full_groups, install_history, response_counts
from feedback.store_imports import (
    KnownImport,
    apps_of_import,
    find_import,
    list_imports,
    save_import,
)
from feedback.store_installs import (
    Activity,
    Battery,
    activity,
    battery_per_hour,
    erase_install,
    export_install,
    installs_seen,
    usual_latency_p95,
)
from feedback.store_leaves import arm_leaves, install_sums
from feedback.store_periods import period_rows, reported
from feedback.store_polls import (
    StoredPoll,
    find_poll,
    known_poll,
    list_polls,
    poll_versions,
    retention_by_poll,
    running_polls,
    save_poll,
    set_poll_status,
)
from feedback.store_retention import forget
from feedback.store_shown import forget_shown, lock_shown, remember, told_groups
from feedback.store_tallies import (
    ANSWERED,
    ASKED_ONLY,
    BOTH,
    CRASHED,
    TIMED_OUT,
    harm_tallies,
    polled_tallies,
)
from feedback.store_texts import Said, texts

__all__ = [
    "ANSWERED",
    "ASKED_ONLY",
    "BOTH",
    "CRASHED",
    "TIMED_OUT",
    "Activity",
    "AnswerCount",
    "ArmCell",
    "Arrival",
    "Battery",
    "ChoiceCount",
    "Corrected",
    "Diaries",
    "Folding",
    "Habits",
    "ImpressionCount",
    "InstallSums",
    "KnownImport",
    "LeafCounts",
    "LeafDay",
    "Said",
    "Seen",
    "Sheets",
    "StoredPoll",
    "activity",
    "answer_counts",
    "apps_of_import",
    "arm_cells",
    "arm_leaves",
    "arrivals",
    "as_asked",
    "battery_per_hour",
    "catch_up",
    "choice_counts",
    "corrected",
    "corrections",
    "devices_seen",
    "diaries",
    "erase_install",
    "export_install",
    "find_import",
    "find_poll",
    "first_day",
    "fold_install",
    "forget",
    "forget_shown",
    "fresh",
    "full_groups",
    "gather_install",
    "habits",
    "harm_tallies",
    "heard",
    "impressions",
    "install_history",
    "install_sums",
    "installs_seen",
    "known_poll",
    "leaf_days",
    "leaf_installs",
    "list_imports",
    "list_polls",
    "lock_shown",
    "period_rows",
    "poll_versions",
    "polled_tallies",
    "quotes",
    "remember",
    "renew_pseudonyms",
    "reported",
    "reseal_answers",
    "response_counts",
    "retention_by_poll",
    "roll_up_day",
    "rolled_up",
    "running_polls",
    "save_import",
    "save_poll",
    "seen_since",
    "sent_otherwise",
    "set_poll_status",
    "texts",
    "told_groups",
    "usual_latency_p95",
    "who_answered",
]
