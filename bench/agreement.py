"""The same verdict from the live plugin and from `mlplugin classify`, for every name of a sample.

uv run python -m bench.agreement [--sample 100000] [--seed 1] FILE...

FILE is a list of names, or a TSV whose first column is one, gzip too. The names go through
a live CoreDNS (answers from a template, none of them suspicious by itself); what it
recorded is exported from the store and compared with the offline verdicts.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mlplugin.bundled.ports import free_port
from mlplugin.errors import MlpluginError
from mlplugin.qname import canonical
from tests.e2e.system import CoreDNS, Service, mlplugin, until

COREFILE = """
.:{port} {{
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:{metrics}
    mlplugin {{
        service {url}
        sensor agreement
        spool {spool} 1GiB
    }}
    template IN ANY . {{
        rcode NOERROR
    }}
}}
"""


def names_of(path: Path) -> Iterator[str]:
    """The first column of each line; a header named `name` is left out."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as lines:
        for line in lines:
            name = line.split("\t")[0].strip()
            if name and name != "name":
                yield name


def judged_live(sample: list[str], folder: Path) -> dict[str, tuple[str, str | None, str]]:
    """Verdict, threat and source that a live CoreDNS recorded for each name."""
    listing = folder / "sample.txt"
    listing.write_text("\n".join(sample) + "\n")
    service = Service(folder / "data", folder / "service.log")
    service.start()
    port, metrics = free_port(), free_port()
    corefile = COREFILE.format(port=port, metrics=metrics, url=service.url, spool=folder / "spool")
    server = CoreDNS(folder, corefile, port, metrics)
    server.start()
    done = mlplugin(
        "replay", str(listing), "--dns", f"127.0.0.1:{port}", "--service", service.url, timeout=600
    )
    print(done.stderr.strip().splitlines()[-1:] or "", file=sys.stderr)
    until("events are delivered", lambda: server.metrics()["coredns_mlplugin_events_pending"] == 0)
    out = folder / "export.jsonl"
    exported = mlplugin("export", "--service", service.url, "--format", "jsonl", "-o", str(out))
    server.stop()
    service.stop()
    if exported.returncode != 0:
        raise SystemExit(exported.stderr)
    found = {}
    with out.open() as lines:
        for line in lines:
            row = json.loads(line)
            found[row["qname"]] = (row["verdict"], row.get("threat"), row["source"])
    return found


def judged_offline(folder: Path) -> dict[str, tuple[str, str | None, str]]:
    """The same from `mlplugin classify`."""
    listing = folder / "sample.txt"
    done = mlplugin("classify", "-f", str(listing), "--format", "jsonl", timeout=600)
    rows = map(json.loads, done.stdout.splitlines())
    return {row["qname"]: (row["verdict"], row["threat"], row["source"]) for row in rows}


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


def main() -> int:
    """Draw the sample, judge it twice, print what differs."""
    options = parsed()
    pool = set()
    for path in options.files:
        for name in names_of(path):
            try:
                pool.add(canonical(name))
            except MlpluginError:
                continue
    sample = random.Random(options.seed).sample(sorted(pool), min(options.sample, len(pool)))
    with tempfile.TemporaryDirectory() as place:
        live = judged_live(sample, Path(place))
        offline = judged_offline(Path(place))
    different = [name for name in sample if live.get(name) != offline.get(name)]
    print(f"names {len(sample)}, verdicts", dict(collections.Counter(v[0] for v in live.values())))
    print(f"different: {len(different)}")
    for name in different[:20]:
        print(f"  {name}: live {live.get(name)}, offline {offline.get(name)}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
