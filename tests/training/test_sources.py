"""What is known of sources: the table, fetched lists by their year, lists of one's own."""

from __future__ import annotations

from mlplugin.training.sources import known, split, usable


def test_a_fetched_list_with_its_year() -> None:
    table = known()
    (source,) = split("tranco-2026", table)
    assert (source.name, source.kind, source.year) == ("tranco-2026", "popularity", 2026)
    (old,) = split("umbrella-2018", table)
    assert old.year == 2018
    (misp,) = split("misp-alexa-2023", table)
    assert (misp.kind, misp.licence) == ("popularity", table["misp-alexa"].licence)


def test_a_year_makes_no_voter() -> None:
    table = known()
    for name in ("urlhaus-2026", "nobody-2026", "tranco-20266", "tranco-1999"):
        (source,) = split(name, table)
        assert (source.kind, source.year) == ("unknown", None), name


def test_lists_of_ones_own() -> None:
    own, private = split("own:tranco,private:tranco-2026", known())
    assert (own.kind, own.usable) == ("unknown", True)
    assert (private.kind, private.usable) == ("unknown", False)


def test_a_remark_is_no_source() -> None:
    sources = split("openphish (also tranco-2026 umbrella-2026)", known())
    assert [source.name for source in sources] == ["openphish"]
    assert not usable(sources)
