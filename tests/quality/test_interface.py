"""The outer names that users and scripts rely on: extend, never rename."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mlplugin.bundled.ports import free_port
from mlplugin.cli.main import cli
from tests.e2e.system import CoreDNS, Service, get_json, mlplugin, post_json, until

ROOT = Path(__file__).resolve().parents[2]

COMMANDS = {
    "up": {"--dns", "--http", "--forward", "--data", "--store", "--corefile"},
    "replay": {"--rate", "--dns", "--clients"},
    "classify": {"-f", "--explain", "--scores", "--fail-on", "--format"},
    "queries": {
        "--qname", "--domain", "--client", "--verdict", "--threat", "--since", "--until",
        "--limit", "--format",
    },
    "hindsight": {
        "--model", "--since", "--until", "--suspicious", "--malicious", "--on", "--allow", "--deny",
        "--limit", "--format",
    },
    "hunt": {"--model", "--since", "--until", "--allow", "--deny", "--limit", "--format"},
    "vet": {"--client", "--for", "--reason"},
    "feeds": set(),
    "train": {"--data", "--out", "--from-history", "--data-dir", "--store", "--threat"},
    "evaluate": set(),
    "store": set(),
    "models": {"--models", "--data", "--format"},
    "coredns": set(),
    "serve": {"--http", "--data", "--store"},
    "password": {"--data"},
    "check": set(),
    "export": set(),
    "selftest": set(),
}  # fmt: skip

# Commands within a command: list is what `models` does by itself.
WITHIN = {
    "store": {
        "check": {"--store", "--data", "--role"},
        "migrate": {"--store", "--data"},
        "copy": set(),
        "prune": {"--store", "--data", "--before", "--to-bytes"},
    },
    "models": {
        "promote": {"--data", "--names", "--force", "--format"},
        "rollback": {"--data"},
        "shadow": {"--data", "--off"},
    },
}

VERDICT = {
    "qname", "registered_domain", "verdict", "threat", "score", "source", "model", "reasons",
}  # fmt: skip

ROUTES = {
    ("/", "post"),
    ("/api/v1/classify", "post"), ("/api/v1/events", "post"), ("/api/v1/queries", "get"),
    ("/api/v1/domains/{name}", "get"), ("/api/v1/clients/{ip}", "get"), ("/api/v1/stats", "get"),
    ("/api/v1/overrides/{name}", "get"), ("/api/v1/overrides/{name}", "put"),
    ("/api/v1/overrides/{name}", "delete"), ("/api/v1/policy", "get"),
    ("/api/v1/stats/compared", "get"), ("/api/v1/timeline", "get"), ("/api/v1/top", "get"),
    ("/api/v1/domains/{name}/lookalikes", "get"), ("/api/v1/scores", "get"),
    ("/api/v1/scores/{score}", "get"), ("/api/v1/vetting", "get"), ("/api/v1/changes", "get"),
    ("/api/v1/models", "get"), ("/api/v1/models/{version}", "get"),
    ("/api/v1/shadow", "get"), ("/api/v1/hindsight", "post"), ("/api/v1/hunts", "get"),
    ("/api/v1/jobs", "get"), ("/api/v1/jobs", "post"), ("/api/v1/jobs/{id}", "get"),
    ("/api/v1/jobs/{id}", "delete"), ("/api/v1/jobs/{id}/events", "get"),
    ("/api/v1/models/{version}/promote", "post"), ("/api/v1/models/rollback", "post"),
    ("/api/v1/models/{version}/shadow", "put"), ("/api/v1/models/{version}/shadow", "delete"),
}  # fmt: skip

PLUGIN_METRICS = {
    "coredns_mlplugin_queries_total",
    "coredns_mlplugin_verdicts_total",
    "coredns_mlplugin_events_recorded_total",
    "coredns_mlplugin_events_sent_total",
    "coredns_mlplugin_events_dropped_total",
    "coredns_mlplugin_events_pending",
}


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None, f"there is no command {name}"
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_its_options(name: str) -> None:
    options = {text for parameter in command(name).params for text in parameter.opts}
    assert COMMANDS[name] <= options, COMMANDS[name] - options


@pytest.mark.parametrize("name", WITHIN)
def test_commands_within_have_their_options(name: str) -> None:
    group = command(name)
    assert isinstance(group, click.Group)
    assert set(group.commands) >= set(WITHIN[name])
    for inner, wanted in WITHIN[name].items():
        options = {text for param in group.commands[inner].params for text in param.opts}
        assert wanted <= options, wanted - options
        done = mlplugin(name, inner, "--help")
        assert f"mlplugin {name} {inner}" in done.stdout.split("Example")[-1]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(name: str) -> None:
    done = mlplugin(name, "--help")
    assert done.returncode == 0
    assert re.search(rf"mlplugin {name}\b", done.stdout.split("Usage:")[-1].split("\n", 1)[1])


def test_no_command_is_unlisted() -> None:
    assert set(cli.list_commands(click.Context(cli))) == set(COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["classify", "example.org"], 0),
        (["classify", "a..b"], 2),
        (["classify", "--no-such-option"], 2),
        (["no-such-command"], 2),
        (["classify", "--model", "/no/such/model", "example.org"], 3),
        (["queries", "--service", "http://127.0.0.1:1", "--data", "/no/such/place"], 3),
    ],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    done = mlplugin(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code:
        assert done.stderr.strip()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("interface")
    service = Service(folder / "data", folder / "service.log")
    service.start()
    yield service
    service.stop()


@pytest.mark.e2e
def test_routes(service: Service) -> None:
    paths = get_json(f"{service.url}/openapi.json")["paths"]
    found = {(path, method) for path, methods in paths.items() for method in methods}
    assert found >= ROUTES, ROUTES - found


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/metrics", "text/plain"),
        ("/healthz", "application/json"),
        ("/readyz", "application/json"),
    ],
)
def test_pages(service: Service, path: str, kind: str) -> None:
    with urllib.request.urlopen(service.url + path, timeout=10) as answer:
        assert answer.headers.get_content_type() == kind


@pytest.mark.e2e
def test_verdict_object(service: Service) -> None:
    answer = post_json(
        f"{service.url}/api/v1/classify", {"names": ["example.com"], "explain": True}
    )
    (verdict,) = answer["verdicts"]
    assert set(verdict) == VERDICT
    assert verdict["verdict"] == "benign"


@pytest.mark.e2e
def test_queries_and_stats(service: Service) -> None:
    assert set(get_json(f"{service.url}/api/v1/queries")) == {"queries", "total", "next"}
    stats = get_json(f"{service.url}/api/v1/stats")
    assert {"queries", "flagged", "blocked", "dropped", "clients", "names"} <= set(stats)


@pytest.mark.e2e
def test_original_contract(service: Service) -> None:
    answer = post_json(f"{service.url}/", {"Domain Name": "example.com", "IP": "192.0.2.1"})
    assert set(answer) == {"p"}
    assert re.fullmatch(r"[01]\.\d\d", answer["p"])
    assert float(answer["p"]) < 0.5


@pytest.mark.e2e
def test_plugin_metrics(service: Service, tmp_path: Path) -> None:
    port, metrics = free_port(), free_port()
    corefile = (
        f".:{port} {{\nbind 127.0.0.1\nprometheus 127.0.0.1:{metrics}\n"
        f"mlplugin {{\nservice {service.url}\n}}\nwhoami\n}}\n"
    )
    server = CoreDNS(tmp_path, corefile, port, metrics)
    server.start()
    import dns.message
    import dns.query

    dns.query.udp(dns.message.make_query("example.net.", "A"), "127.0.0.1", 5, port)
    found = until("metrics are there", lambda: set(server.metrics()) >= PLUGIN_METRICS, 10)
    assert found
    server.stop()
