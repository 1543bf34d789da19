"""The arms of a release, in the order in which tables have them.

Rooms that do not know one another (feedback counts, releases judge) exchange columns by that order. Pure.
"""

from __future__ import annotations

from typing import Final, Literal

ArmName = Literal["baseline", "candidate"]
OfferedArm = Literal["baseline", "candidate", "none"]
"""What a phone is offered and echoes; `none`: it is in no release."""

ARMS: Final[tuple[ArmName, ...]] = ("baseline", "candidate")
