"""A message goes to the address that was checked, in the name's name, and is over by a moment."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from core.clock import system_clock
from core.errors import InvalidInputError, UpstreamError
from integrations.webhook import WebhookClient, check_url

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
Talk = Callable[[socket.socket], None]


@contextmanager
def listening(talk: Talk) -> Iterator[int]:
    """Yield the port at which each connection is handed to `talk`."""

    def serve() -> None:
        with suppress(OSError):  # the door was shut
            while True:
                connection, _ = door.accept()
                with connection, suppress(OSError):
                    talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=serve)
        thread.start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)
    thread.join()


def hear(connection: socket.socket) -> bytes:
    """Return a whole request: to close with some of it unread would break the reply off."""
    heard = b""
    while not heard.endswith(b"{}") and (more := connection.recv(4096)):
        heard += more
    return heard


def leading_to(*addresses: str) -> tuple[Callable[..., Any], list[str]]:
    """Return a name service whose next answer is the next address, and the list of what it was asked."""
    asked: list[str] = []

    def resolve(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        asked.append(host)
        family = socket.AF_INET6 if ":" in addresses[len(asked) - 1] else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (addresses[len(asked) - 1], port))]

    return resolve, asked


def test_the_connection_goes_where_the_look_up_led_and_nowhere_else() -> None:
    heard: list[bytes] = []
    resolve, asked = leading_to("127.0.0.1", "192.0.2.1")

    def answer(connection: socket.socket) -> None:
        heard.append(hear(connection))
        connection.sendall(NO_CONTENT)

    with listening(answer) as port:
        WebhookClient(private=True, resolve=resolve).post(
            f"http://ci.example.com:{port}/a b", b"{}", {"webhook-id": "m"}
        )

    assert asked == ["ci.example.com"]
    assert heard[0].startswith(b"POST /a%20b HTTP/1.1\r\n")
    assert f"\r\nHost: ci.example.com:{port}\r\n".encode() in heard[0]


def test_the_certificate_must_be_the_name_s_though_the_connection_goes_to_an_address(tmp_path: Path) -> None:
    mine = a_certificate(tmp_path, "ci.example.com")
    trusted = ssl.create_default_context(cafile=str(mine))
    names: list[str] = []

    def answer(connection: socket.socket) -> None:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(mine)
        server.sni_callback = lambda _line, name, _context: names.append(name)
        with server.wrap_socket(connection, server_side=True) as line:
            hear(line)
            line.sendall(NO_CONTENT)

    with listening(answer) as port:
        resolve, _ = leading_to("127.0.0.1", "127.0.0.1")
        client = WebhookClient(private=True, resolve=resolve, trusted=trusted)
        client.post(f"https://ci.example.com:{port}/", b"{}", {})
        with pytest.raises(UpstreamError, match="certificate is not trusted"):
            client.post(f"https://other.example.com:{port}/", b"{}", {})

    assert names == ["ci.example.com", "other.example.com"]


def test_a_reply_that_comes_in_drops_is_waited_for_until_a_moment_only() -> None:
    """Each drop would start a socket's own time limit anew."""
    enough = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(10_000):
            if enough.wait(0.01):
                return
            connection.sendall(b"X" if number else b"X-Slow: ")

    with listening(drip) as port:
        with pytest.raises(UpstreamError, match="no answer in time") as late:
            WebhookClient(private=True, deadline_s=0.3).post(f"http://127.0.0.1:{port}/", b"{}", {})
        enough.set()

    assert not late.value.permanent


def test_a_body_that_never_ends_is_not_read() -> None:
    over = threading.Event()

    def talk(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        over.wait(60)

    with listening(talk) as port:
        WebhookClient(private=True, deadline_s=30).post(f"http://127.0.0.1:{port}/", b"{}", {})
        over.set()


@pytest.mark.parametrize("said", [b"", b"220 mail.example.com ESMTP\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200])
def test_what_is_no_answer_is_tried_again(said: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        hear(connection)
        connection.sendall(said)

    with listening(answer) as port, pytest.raises(UpstreamError, match="the connection broke") as broken:
        WebhookClient(private=True).post(f"http://127.0.0.1:{port}/", b"{}", {})

    assert not broken.value.permanent


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.8", "169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1", "0.0.0.0", "::1", "::",
        "fd00::1", "fe80::1%eth0", "fec0::1", "ff02::1", "::ffff:10.0.0.1", "::7f00:1", "64:ff9b::a00:1",
        "64:ff9b:1::a00:1", "2002:a00:1::1", "2001:0:a00:1::1",
    ],
)  # fmt: skip
def test_a_name_that_leads_into_our_own_network_is_refused_unless_allowed(address: str) -> None:
    resolve, _ = leading_to(address)

    with pytest.raises(UpstreamError, match="private network; MUSTER_WEBHOOK_PRIVATE=1") as refused:
        WebhookClient(private=False, resolve=resolve).post("https://ci.example.com/", b"{}", {})

    assert refused.value.permanent


@pytest.mark.parametrize("url", ["https://ci..example.com/a", "https://example.com:99999/a", "https://[::1"])
def test_an_address_that_cannot_be_one_is_given_up_on_at_once(url: str) -> None:
    with pytest.raises(UpstreamError, match="add it anew") as refused:
        WebhookClient(private=False).post(url, b"{}", {})

    assert refused.value.permanent


@pytest.mark.parametrize(
    "url",
    [
        "https://ci..example.com/a", "https://example.com:99999/a", "https://[::1", "https:///x", "ftp://example.com",
        "https://exa mple.com", f"https://{'a' * 64}.example.com", "", "ci.example.com", "mailto:tom@example.com",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_when_it_is_added(url: str) -> None:
    with pytest.raises(InvalidInputError, match="url: must be an address such as https://"):
        check_url(url, private=True)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "ci.localhost",
        "10.0.0.5",
        "169.254.169.254",
        "[::1]",
        "[fd00::1]",
        "2130706433",
        "0x7f.1",
    ],
)
def test_what_plainly_is_a_private_address_is_refused_when_it_is_added(host: str) -> None:
    with pytest.raises(InvalidInputError, match="MUSTER_WEBHOOK_PRIVATE=1"):
        check_url(f"https://{host}/hook", private=False)

    check_url(f"https://{host}/hook", private=True)


@pytest.mark.parametrize(
    "url",
    ["https://ci.example.com/hook", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/", "https://bücher.example/ü"],
)
def test_a_plain_address_is_taken(url: str) -> None:
    check_url(url, private=False)


@pytest.mark.parametrize("url", ["http://ci.example.com/x", "http://8.8.8.8/"])
def test_what_is_not_encrypted_stays_on_this_machine(url: str) -> None:
    with pytest.raises(InvalidInputError, match="url: must be an https:// address"):
        check_url(url, private=True)

    check_url("http://localhost:8080/x", private=True)


def test_all_that_is_wrong_with_an_address_is_told() -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_url("http://tom:secret@10.0.0.5/", private=False)

    assert len(refused.value.problems) == 3


def a_certificate(folder: Path, name: str) -> Path:
    """Write a certificate of its own making for a name, with its key, into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = system_clock()
    made = (
        x509.CertificateBuilder(called, called, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{name}.pem"
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path
