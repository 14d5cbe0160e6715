"""What is no cluster as it should be gets one clear line, and nothing waits for it for long."""

from __future__ import annotations

import datetime
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from mlplugin.errors import StoreError
from mlplugin.store import Options, open_store
from mlplugin.store.elastic import ElasticStore
from mlplugin.store.port import StoreUnavailableError
from tests.support.search_stub import VERSION, Script, answering, error

OPENSEARCH = {"version": {"number": "2.19.5", "distribution": "opensearch"}}


def refusal(url: str, data: Path, options: Options | None = None) -> StoreError:
    with pytest.raises(StoreError) as caught:
        open_store(url, data, options, read_only=True)
    assert "\n" not in str(caught.value)
    return caught.value


def always(status: int, content: Any) -> Script:
    return lambda _method, _path, _body: (status, content)


@pytest.mark.parametrize(
    ("status", "content", "says"),
    [
        (200, "<html>It works!</html>", "is no search server"),
        (200, {"hello": "world"}, "is no search server"),
        (200, {"version": "1"}, "is no search server"),
        (404, "<html>nothing</html>", "is no search server"),
        (302, "", "refused (status 302)"),
        (200, {"version": {"number": "6.8.23"}}, "needs Elasticsearch 7.7.1 or later"),
        (200, {"version": {"number": "7.6.2"}}, "needs Elasticsearch 7.7.1 or later"),
        (200, {"version": {"number": "new"}}, "is no search server"),
        (401, error("security_exception", "missing"), "credentials are wrong"),
        (403, error("security_exception", "no monitor"), "needs the cluster privilege `monitor`"),
        (503, error("x", "no master"), "in trouble (status 503): no master"),
        (429, error("x", "busy"), "is too busy"),
    ],
)
def test_what_answers(status: int, content: Any, says: str, tmp_path: Path) -> None:
    with answering(always(status, content)) as stub:
        fault = refusal(stub.url, tmp_path)
        assert says in str(fault)
        assert isinstance(fault, StoreUnavailableError) == (status in {429, 503})


def test_nobody(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        fault = refusal(f"http://127.0.0.1:{taken.getsockname()[1]}", tmp_path)
    assert isinstance(fault, StoreUnavailableError)
    assert "cannot be reached: Connection refused" in str(fault)


def test_a_service_starts_without_its_cluster(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        store = open_store(f"http://127.0.0.1:{taken.getsockname()[1]}", tmp_path)
        with pytest.raises(StoreUnavailableError):
            store.overrides()
        store.close()


def test_the_oldest_and_the_newest_are_known(tmp_path: Path) -> None:
    for number in ("7.7.1", "9.99.0"):
        with answering(always(200, {"version": {"number": number}})) as stub:
            store = ElasticStore(stub.url, tmp_path, read_only=True)
            assert str(store.connect()) == f"Elasticsearch {number}"
            store.close()
    with answering(always(200, OPENSEARCH)) as stub:
        store = ElasticStore(stub.url, tmp_path, read_only=True)
        assert str(store.connect()) == "OpenSearch 2.19.5"
        store.close()


# Certificates


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(found)
    return found


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def test_a_certificate_of_a_known_authority(
    authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    with answering(always(200, VERSION), context(authority.issue_cert("127.0.0.1"))) as stub:
        store = open_store(
            stub.url, tmp_path, Options(ca_file=ca_file, api_key="a2V5"), read_only=True
        )
        store.close()
        assert stub.headers[0]["authorization"] == "ApiKey a2V5"
        text = str(refusal(stub.url, tmp_path))
        assert "is not trusted" in text
        assert "store.ca_file" in text


def test_a_certificate_of_another_name(
    authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    with answering(always(200, VERSION), context(authority.issue_cert("192.0.2.1"))) as stub:
        assert "see that the name is right" in str(
            refusal(stub.url, tmp_path, Options(ca_file=ca_file))
        )


def test_an_expired_certificate(authority: trustme.CA, ca_file: Path, tmp_path: Path) -> None:
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    leaf = authority.issue_cert("127.0.0.1", not_after=past)
    with answering(always(200, VERSION), context(leaf)) as stub:
        text = str(refusal(stub.url, tmp_path, Options(ca_file=ca_file)))
    assert "its certificate has expired" in text


def test_tls_where_there_is_none(tmp_path: Path) -> None:
    with answering(always(200, VERSION)) as stub:
        text = str(refusal(stub.url.replace("http:", "https:"), tmp_path))
    assert "speaks no TLS" in text
