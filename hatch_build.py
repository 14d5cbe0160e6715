"""Puts CoreDNS with the plugin, its licences and the models into a wheel.

A wheel is for one platform: that of the machine, or of GOOS and GOARCH. An editable
install compiles nothing; there CoreDNS is built on first use.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "src"))

from mlplugin import __version__  # noqa: E402 - the sources are not installed here
from mlplugin.bundled.build import Progress, compile_coredns  # noqa: E402
from mlplugin.bundled.licences import licence_text  # noqa: E402
from mlplugin.bundled.toolchain import find_go  # noqa: E402
from mlplugin.errors import MlpluginError  # noqa: E402

GO_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
GO_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
# The binary is static, so one Linux wheel serves glibc and musl alike.
WHEEL_PLATFORMS = {
    ("linux", "amd64"): "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64",
    ("linux", "arm64"): "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
    ("darwin", "amd64"): "macosx_12_0_x86_64",
    ("darwin", "arm64"): "macosx_12_0_arm64",
}


def wheel_platform() -> str:
    """Give the platform part of the wheel's tag. Raises ValueError where there is none."""
    system = os.environ.get("GOOS") or GO_SYSTEMS.get(platform.system(), platform.system())
    machine = os.environ.get("GOARCH") or GO_MACHINES.get(platform.machine(), platform.machine())
    try:
        return WHEEL_PLATFORMS[system, machine]
    except KeyError:
        raise ValueError(f"no wheel can be built for {system} on {machine}") from None


class CoreDNSBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles CoreDNS into a temporary folder and adds it to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the binary, the licences and the models; nothing for an editable install."""
        if version == "editable":
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{wheel_platform()}"
        folder = Path(self._folder().name)
        try:
            self._make(folder)
        except MlpluginError as fault:
            raise SystemExit(f"error: {fault}") from None
        included = build_data["force_include"]
        included[str(folder / "coredns")] = "mlplugin/bin/coredns"
        included[str(folder / "LICENSES.txt")] = "mlplugin/bin/LICENSES.txt"
        for model in sorted((ROOT / "models").iterdir()):
            if model.is_dir():
                included[str(model)] = f"mlplugin/models/{model.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Forget the temporary folder."""
        if version != "editable":
            self._folder().cleanup()

    def _folder(self) -> tempfile.TemporaryDirectory[str]:
        if not hasattr(self, "_temporary"):
            self._temporary = tempfile.TemporaryDirectory(prefix="mlplugin-wheel-")
        return self._temporary

    def _make(self, folder: Path) -> None:
        go = find_go()
        compile_coredns(
            ROOT,
            folder / "coredns",
            go,
            full=False,
            version=__version__,
            cache=folder / "cache",
            report=self._report,
        )
        text = licence_text(ROOT, go, full=False, cache=folder / "cache")
        (folder / "LICENSES.txt").write_text(text, encoding="utf-8")

    def _report(self, progress: Progress) -> None:
        if progress.done % 50 == 0 or progress.done == progress.total:
            whole = f" of {progress.total}" if progress.total else ""
            self.app.display_info(f"CoreDNS: {progress.step}: {progress.done}{whole}")
