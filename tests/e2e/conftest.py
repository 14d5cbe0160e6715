"""What the end-to-end tests share: certificates."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(
    authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Certificate chain and key for 127.0.0.1, as files."""
    folder = tmp_path_factory.mktemp("tls")
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    chain, key = folder / "cert.pem", folder / "key.pem"
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(str(chain), append=True)
    leaf.private_key_pem.write_to_path(str(key))
    return chain, key
