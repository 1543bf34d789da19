"""An outage of Slack is no ERROR in the log: what is tried again is told by whoever tries."""

from __future__ import annotations

import subprocess
import sys

import pytest

OUTAGE = """
from core import log
log.configure("INFO")
from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient
try:
    {call}
except OSError:
    print("away")
"""


@pytest.mark.parametrize(
    "call",
    ['WebClient(token="x", base_url="http://127.0.0.1:9/").auth_test()', 'WebhookClient("http://127.0.0.1:9/").send()'],
)
def test_an_outage_of_slack_is_left_to_whoever_tries_again(call: str) -> None:
    done = subprocess.run([sys.executable, "-c", OUTAGE.format(call=call)], capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.stderr) == ("away\n", "")
