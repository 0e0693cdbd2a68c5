"""Builds the front-end into the package when it is not there yet."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEndHook(BuildHookInterface):
    """Runs npm once; a source distribution carries the result, so that installing from one needs no npm."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build ``attnscope/static/`` from ``js/``."""
        root = Path(self.root)
        if version == "editable" or (root / "attnscope/static/widget.js").exists():
            return
        npm = shutil.which("npm")
        if npm is None:
            msg = "attnscope/static/widget.js is missing; install Node.js 20 or newer (npm) to build it."
            raise RuntimeError(msg)
        for arguments in (["ci"], ["run", "build"]):
            subprocess.run([npm, *arguments], cwd=root / "js", check=True)
