# ruff: noqa: S608 - only text of this file becomes SQL
"""What the figures on the screen have to be: plain SQL over a copy of the file, or the API.

Nothing here is the service's own: the questions are asked of the columns of `events` anew.
"""

from __future__ import annotations

import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import duckdb

from tests.e2e.system import get_json

Asked = dict[str, Any]
Group = tuple[Any, ...]
FLAGGED = "suspicious,malicious"
COLUMNS = {
    "registered_domain": "CASE WHEN domain_length > 0 THEN right(qname, domain_length) END",
    "qname": "qname", "client": "client", "threat": "threat::VARCHAR",
    "action": "action::VARCHAR", "rcode": "rcode",
}  # fmt: skip
# The thresholds of the shipped model, and how far below the lower one a name still waits.
SUSPICIOUS, MALICIOUS, NEAR = 30.0, 37.0, 10.0


class Truth(Protocol):
    """Where true figures come from; `asked` is a filter as an address has it."""

    def stats(self, asked: Asked) -> dict[str, Any]: ...
    def by(self, asked: Asked, column: str) -> list[tuple[str, int]]: ...
    def top(self, asked: Asked, column: str, limit: int) -> list[Group]: ...
    def timeline(self, asked: Asked, step: int) -> dict[str, dict[str, int]]: ...
    def rows(self, asked: Asked, limit: int, sort: str) -> list[Group]: ...
    def stored(self) -> dict[str, int]: ...
    def scores(self, asked: Asked) -> dict[int, int]: ...
    def queue(self, asked: Asked, limit: int) -> list[Group]: ...
    def client(self, asked: Asked) -> dict[str, list[Group]]: ...


class SQL:
    """A copy of the embedded store's file."""

    def __init__(self, file: Path) -> None:
        self.connection = duckdb.connect(file, read_only=True)

    def ask(self, text: str, asked: Asked) -> list[Group]:
        """Run a query with `{where}` in it."""
        parts, values = self._where(asked)
        where = " AND ".join(parts) or "true"
        return self.connection.execute(text.format(where=where), values).fetchall()

    def _where(self, asked: Asked) -> tuple[list[str], list[Any]]:
        parts, values = [], []
        said = {
            "qname": "qname LIKE ?" if "*" in asked.get("qname", "") else "qname = ?",
            "domain": "domain_length > 0 AND right(qname, domain_length) = ?",
            "client": "client = ?", "threat": "threat::VARCHAR = ?", "rcode": "rcode = ?",
            "qtype": "qtype = ?", "action": "action::VARCHAR = ?", "source": "source::VARCHAR = ?",
            "verdict": "list_contains(string_split(?, ','), verdict::VARCHAR)",
            "min_score": "score >= ?::DECIMAL(3, 1)", "since": "time >= ?::TIMESTAMP",
            "until": "time < ?::TIMESTAMP",
            "sensor": "sensor = (SELECT id FROM sensors WHERE name = ?)",
        }  # fmt: skip
        for name, value in asked.items():
            if value is None:
                continue
            if name == "client" and "/" in value:
                network, _, bits = value.partition("/")
                octets = network.split(".")[: int(bits) // 8]
                parts.append("starts_with(client, ?)")
                values.append(".".join(octets) + ".")
                continue
            parts.append(said[name])
            values.append(value.replace("*", "%").removesuffix("Z"))
        return parts, values

    def stats(self, asked: Asked) -> dict[str, Any]:
        """Count."""
        ((queries, flagged, blocked, clients, names, nxdomain, first, last),) = self.ask(
            """SELECT count(*), count(*) FILTER (verdict <> 'benign'),
                count(*) FILTER (action <> 'observe'), count(DISTINCT client),
                count(DISTINCT qname), count(*) FILTER (rcode = 'NXDOMAIN'), min(time), max(time)
            FROM events WHERE {where}""", asked
        )  # fmt: skip
        return {"queries": queries, "flagged": flagged, "blocked": blocked, "clients": clients,
                "names": names, "nxdomain": nxdomain, "first": _said(first),
                "last": _said(last)}  # fmt: skip

    def by(self, asked: Asked, column: str) -> list[tuple[str, int]]:
        """Count by each value of a column, the most frequent first."""
        return [(row[0], row[1]) for row in self.top(asked, column, 1000)]

    def top(self, asked: Asked, column: str, limit: int) -> list[Group]:
        """Value, queries, flagged ones, clients."""
        if column == "answer":
            return self.ask(
                """SELECT answer, count(*), count(*) FILTER (verdict <> 'benign'),
                    count(DISTINCT client)
                FROM (SELECT client, verdict, unnest(list_distinct(string_split(answers, ' ')))
                    AS answer FROM events WHERE {where} AND answers IS NOT NULL)
                """ + f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {limit}", asked
            )  # fmt: skip
        return self.ask(
            f"""SELECT {COLUMNS[column]} AS value, count(*),
                count(*) FILTER (verdict <> 'benign'), count(DISTINCT client)
            FROM events WHERE {{where}} AND value IS NOT NULL
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {limit}""", asked
        )  # fmt: skip

    def timeline(self, asked: Asked, step: int) -> dict[str, dict[str, int]]:
        """Count by step and verdict."""
        found: dict[str, dict[str, int]] = {}
        for at, verdict, count in self.ask(
            f"""SELECT time_bucket(INTERVAL {step} SECOND, time, TIMESTAMP '1970-01-01'),
                verdict::VARCHAR, count(*) FROM events WHERE {{where}} GROUP BY 1, 2""", asked
        ):  # fmt: skip
            found.setdefault(at.isoformat()[:19], {})[verdict] = count
        return found

    def rows(self, asked: Asked, limit: int, sort: str) -> list[Group]:
        """Time, name, type, client, verdict, threat, score, action, rcode, sensor, reason."""
        column = {"time": "time", "score": "score", "duration": "coalesce(duration, -1)"}
        down = "DESC" if sort.startswith("-") else "ASC"
        found = self.ask(
            f"""SELECT time, qname, qtype, client, verdict::VARCHAR, threat::VARCHAR,
                score::DOUBLE, action::VARCHAR, rcode, (SELECT name FROM sensors
                WHERE id = sensor), reason
            FROM events WHERE {{where}} ORDER BY {column[sort.removeprefix("-")]} {down},
                time {down}, sensor {down}, sequence {down} LIMIT {limit}""", asked
        )  # fmt: skip
        return [(_said(row[0]), *row[1:]) for row in found]

    def stored(self) -> dict[str, int]:
        """How many there are of each sensor."""
        return dict(self.connection.execute(
            "SELECT name, count(*) FROM events JOIN sensors ON id = sensor GROUP BY 1"
        ).fetchall())  # fmt: skip

    def scores(self, asked: Asked) -> dict[int, int]:
        """How many names have which score, of those that the model judged."""
        return dict(self.ask(
            """SELECT CASE WHEN score >= 59 THEN 59 ELSE floor(score)::INTEGER END,
                count(DISTINCT qname)
            FROM events WHERE {where} AND source::VARCHAR = 'model' GROUP BY 1""", asked
        ))  # fmt: skip

    def queue(self, asked: Asked, limit: int) -> list[Group]:
        """Domain, verdict, score, queries, clients, flagged, last, of what waits for a decision."""
        domain = COLUMNS["registered_domain"]
        return self.ask(
            f"""WITH wanted AS (
                SELECT {domain} AS domain, * FROM events WHERE {{where}} AND domain_length > 0 AND (
                    source::VARCHAR = 'model' AND score >= {SUSPICIOUS - NEAR}
                    OR source::VARCHAR IN ('answer', 'behaviour') AND verdict <> 'benign')
            ), found AS (
                SELECT domain, arg_max(verdict::VARCHAR, (score, qname)) AS verdict,
                    max(score)::DOUBLE AS score, count(*) AS queries,
                    count(DISTINCT client) AS clients,
                    count(*) FILTER (verdict <> 'benign') AS flagged, max(time) AS last,
                    arg_max(qname, (score, qname)) AS worst
                FROM wanted GROUP BY domain ORDER BY flagged DESC, queries DESC, domain LIMIT 2000
            ), rated AS (
                FROM found SELECT *,
                    exp(-least(abs(score - {SUSPICIOUS}), abs(score - {MALICIOUS})) / 3) AS doubt
            )
            SELECT domain, verdict, score, queries, clients, flagged, last FROM rated
            WHERE NOT EXISTS (FROM overrides o WHERE worst = o.name
                OR o.scope = 'subdomains' AND ends_with(worst, '.' || o.name))
            ORDER BY flagged > 0 DESC, CASE WHEN flagged > 0
                THEN (0.5 + doubt) * ln(1 + flagged) * clients
                ELSE doubt * ln(1 + queries) * clients END DESC, domain DESC
            LIMIT {limit}""", asked
        )  # fmt: skip

    def client(self, asked: Asked) -> dict[str, list[Group]]:
        """What nobody else asked for, and what is new in the range; of the 1,000 most frequent."""
        domain = COLUMNS["registered_domain"]
        there = {name: value for name, value in asked.items() if name != "client"}
        mine = self.top(asked, "registered_domain", 1000)
        listed = [row[0] for row in mine]
        self.connection.execute("CREATE OR REPLACE TEMP TABLE mine AS SELECT unnest(?) AS value",
                                [listed])  # fmt: skip
        other = f"SELECT DISTINCT {domain} AS d FROM events WHERE {{where}}"
        client = str(asked["client"]).replace("'", "")
        shared = {row[0] for row in self.ask(
            f"SELECT value FROM mine WHERE value IN ({other} AND client <> '{client}')", there
        )}  # fmt: skip
        only = [(row[0], row[1]) for row in mine if row[0] not in shared]
        new: list[Group] = []
        if asked.get("since"):
            before = {"client": client, "until": asked["since"]}
            known = {row[0] for row in self.ask(
                f"SELECT value FROM mine WHERE value IN ({other})", before
            )}  # fmt: skip
            new = [(row[0], row[1]) for row in mine if row[0] not in known]
        return {"only": only, "new": new}


class API:
    """The service's own answers to programs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, asked: Asked, **more: Any) -> Any:
        """Get an answer."""
        given = {name: value for name, value in {**asked, **more}.items() if value is not None}
        return get_json(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(given)}")

    def stats(self, asked: Asked) -> dict[str, Any]:
        """Count."""
        found = self.ask("stats", asked)
        return {**found, "nxdomain": found["by_rcode"].get("NXDOMAIN", 0)}

    def by(self, asked: Asked, column: str) -> list[tuple[str, int]]:
        """Count by each value of a column."""
        return list(self.ask("stats", asked)[f"by_{column}"].items())

    def top(self, asked: Asked, column: str, limit: int) -> list[Group]:
        """Value, queries, flagged ones, clients."""
        found = self.ask("top", asked, column=column, limit=limit)["values"]
        return [tuple(row[name] for name in ("value", "queries", "flagged", "clients"))
                for row in found]  # fmt: skip

    def timeline(self, asked: Asked, step: int) -> dict[str, dict[str, int]]:
        """Count by step and verdict."""
        found = self.ask("timeline", asked, step=step)["buckets"]
        return {row["time"][:19]: row["counts"] for row in found if row["queries"]}

    def rows(self, asked: Asked, limit: int, sort: str) -> list[Group]:
        """Some rows."""
        names = ("time", "qname", "qtype", "client", "verdict", "threat", "score", "action",
                 "rcode", "sensor", "reason")  # fmt: skip
        found = self.ask("queries", asked, limit=limit, sort=sort)["queries"]
        return [tuple(row[name] for name in names) for row in found]

    def stored(self) -> dict[str, int]:
        """How many there are of each sensor."""
        return {one["name"]: one["stored"] for one in self.ask("stats", {})["sensors"]}

    def scores(self, asked: Asked) -> dict[int, int]:
        """How many names have which score."""
        return {int(one["score"]): one["names"] for one in self.ask("scores", asked)["bins"]
                if one["names"]}  # fmt: skip

    def queue(self, asked: Asked, limit: int) -> list[Group]:
        """What waits for a decision."""
        names = ("name", "verdict", "score", "queries", "clients", "flagged", "last")
        found = self.ask("vetting", asked, limit=limit)["names"]
        return [tuple(row[name] for name in names) for row in found]

    def client(self, asked: Asked) -> dict[str, list[Group]]:
        """What nobody else asked for, and what is new."""
        there = {name: value for name, value in asked.items() if name != "client"}
        found = self.ask(f"clients/{asked['client']}", there)
        parts = {"only": found["only_here"], "new": found["new_domains"]}
        return {part: [(row["value"], row["queries"]) for row in rows]
                for part, rows in parts.items()}  # fmt: skip


def _said(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.isoformat()}Z"


def said(moment: datetime) -> str:
    """Write a time as addresses have it."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


def earlier(asked: Asked) -> Asked:
    """The range of the same length before one."""
    since, until = (datetime.fromisoformat(asked[name]) for name in ("since", "until"))
    length: timedelta = until - since
    return {**asked, "since": said(since - length), "until": said(since)}
