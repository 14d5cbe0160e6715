"""Reading a Corefile as far as a start has to know it: servers, ports, the service."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from mlplugin.bundled.ports import Endpoint, parse_endpoint
from mlplugin.errors import MlpluginError

DEFAULT_PORTS = {"dns": 53, "tls": 853, "quic": 853, "grpc": 443, "https": 443, "https3": 443}
DEFAULT_METRICS = "localhost:9153"
DEEPEST_IMPORT = 5
WITHOUT_PLUGIN = "its servers would judge no query, put `mlplugin` into one"


def read_corefile(path: Path) -> str:
    """A Corefile without its comments, the files that it imports behind it."""
    return "\n".join(_texts(path, DEEPEST_IMPORT))


def _texts(path: Path, depth: int) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    text = re.sub(r"(?m)(^|\s)#.*$", r"\1", text)
    yield text
    if depth == 0:
        return
    for match in re.finditer(r"(?m)^\s*import\s+(\S+)", text):
        pattern = Path(match[1])
        base = Path(pattern.anchor) if pattern.is_absolute() else path.parent
        parts = pattern.relative_to(base) if pattern.is_absolute() else pattern
        for found in sorted(base.glob(str(parts))) if str(parts) != "." else ():
            yield from _texts(found, depth - 1)


def has_plugin(text: str) -> bool:
    """Whether a server of this Corefile, as `read_corefile` gives it, has the plugin."""
    return re.search(r"(?m)(?:^|\{)[ \t]*mlplugin(?=[\s{}]|$)", text) is not None


def without_service(text: str) -> str | None:
    """Say that no plugin block sends events; None where one does."""
    if re.search(r"(?m)(?:^|\{)[ \t]*service[ \t]+\S", text):
        return None
    return (
        "its mlplugin block has no `service URL`: the history stays empty, and what is vetted is "
        "not followed"
    )


def service_mismatch(text: str, http: Endpoint) -> str | None:
    """Say that the plugin sends to another port of this machine than the service listens on.

    None where it does not, or sends to another machine.
    """
    for match in re.finditer(r"(?m)^\s*service\s+(https?://\S+)", text):
        try:
            parts = urllib.parse.urlsplit(match[1])
            port = parts.port or (443 if parts.scheme == "https" else 80)
            target = parse_endpoint(f"[{parts.hostname}]", port)
        except (MlpluginError, ValueError):
            if parts.hostname != "localhost":
                continue
            target = Endpoint("127.0.0.1", port)
        here = {http.reachable_host, "127.0.0.1", "::1"}
        if target.reachable_host in here and target.port != http.port:
            return (
                f"the Corefile sends to {parts.hostname}:{port}, the service listens on {http} "
                "(--http): its events would not arrive"
            )
    return None


def model_mismatch(text: str, link: Path) -> str | None:
    """Say that the plugin would not use the model that was promoted; None where it does."""
    if re.search(rf'(?m)^\s*model\s+"?{re.escape(str(link))}"?(?=\s|$)', text):
        return None
    return (
        f"the Corefile does not use the promoted model: add `model {link} or builtin` to its "
        "mlplugin block"
    )


def metrics_of(text: str) -> str | None:
    """The address of the first `prometheus` line, None where there is none."""
    match = re.search(r"(?m)^\s*prometheus(?:[ \t]+([^\s{}]+))?[ \t]*$", text)
    return None if match is None else match[1] or DEFAULT_METRICS


def listeners(corefile: str) -> list[tuple[str, Endpoint]]:
    """(scheme, endpoint) of every server block: its zones' ports on the addresses of `bind`.

    Interface names and what comes by `import` or from the environment is left out.
    """
    found: dict[tuple[str, Endpoint], None] = {}
    text = re.sub(r"(?m)(^|\s)#.*$", r"\1", corefile)
    for keys, block in _blocks(text):
        bound = re.search(r"(?m)^\s*bind\s+([^{\n]+)", block)
        hosts = bound[1].split() if bound else ["0.0.0.0"]  # noqa: S104 - CoreDNS's default
        for key in re.split(r"[\s,]+", keys.strip()):
            match = re.fullmatch(r"(?:(\w+)://)?[^:\s]*?(?::(\d+))?", key)
            if match is None or "{" in key or key.startswith("("):
                continue
            scheme = match[1] or "dns"
            port = int(match[2]) if match[2] else DEFAULT_PORTS.get(scheme, 53)
            for host in hosts:
                try:
                    endpoint = parse_endpoint(f"[{host}]:{port}", port)
                except MlpluginError:
                    continue
                found[scheme, endpoint] = None
    return list(found)


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """(keys, body) of every block at the top level."""
    depth, start, keys = 0, 0, ""
    for brace in re.finditer(r"[{}]", text):
        if brace[0] == "{":
            if depth == 0:
                keys, start = text[start : brace.start()], brace.end()
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                yield keys, text[start : brace.start()]
                start = brace.end()
