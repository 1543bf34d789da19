"""A signed link opens one page until a moment."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from core.links import check, sign
from tests.builders import at

KEY = b"0123456789abcdef"


def args(link: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(link).query))


def test_a_link_opens_until_it_expires() -> None:
    link = sign("/digests/d1", until=at(24), key=KEY)

    assert check("/digests/d1", args(link), now=at(24), key=KEY)
    assert not check("/digests/d1", args(link), now=at(24.1), key=KEY)


@pytest.mark.parametrize(
    "changed", [{"until": "99999999999"}, {"sig": "0" * 64}, {"sig": "é"}, {"until": ""}, {"until": "soon"}]
)
def test_a_changed_link_opens_nothing(changed: dict[str, str]) -> None:
    link = args(sign("/digests/d1", until=at(24), key=KEY))

    assert not check("/digests/d1", link | changed, now=at(0), key=KEY)


def test_a_link_opens_no_other_page() -> None:
    assert not check("/digests/d2", args(sign("/digests/d1", until=at(24), key=KEY)), now=at(0), key=KEY)
