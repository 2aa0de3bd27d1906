"""hatchling's build hook: compile auditkit/native where there is a compiler; else auditkit is pure Python.

`AUDITKIT_COMPILE=1` makes a failure an error, `AUDITKIT_COMPILE=0` leaves it out.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension, errors
from setuptools.command.build_ext import build_ext

MODULE = "auditkit.native._compiled"
FAILURES = (errors.BaseError, errors.CCompilerError, OSError)


class CompileHook(BuildHookInterface[Any]):
    """Put the compiled module beside its sources, and into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is filled."""
        del version
        wanted = os.environ.get("AUDITKIT_COMPILE", "")
        if self.target_name != "wheel":
            return
        place_of(Path(self.root)).unlink(missing_ok=True)  # an editable installation would run what an earlier one left
        if wanted == "0" or sys.implementation.name != "cpython":
            return
        try:
            made = compiled(Path(self.root))
        except FAILURES as error:
            if wanted:
                raise
            self.app.display_warning(f"auditkit goes without its compiled hot path, as pure Python: {error}")
            return
        build_data["pure_python"], build_data["infer_tag"] = False, True
        build_data["force_include"][str(made)] = str(made.relative_to(self.root))


def place_of(root: Path) -> Path:
    """Return where this Python looks for the compiled module of a source tree."""
    folder = root.joinpath(*MODULE.split(".")[:-1])
    return folder / f"_compiled{sysconfig.get_config_var('EXT_SUFFIX')}"


def compiled(root: Path) -> Path:
    """Compile the module of a source tree into it, and return where it is."""
    place = place_of(root)
    sources = sorted(place.parent.glob("*.[ch]"))
    unix = ["-std=c11", "-fvisibility=hidden", "-Wall", "-Wextra"]
    if "-O" not in os.environ.get("CFLAGS", "-O"):  # these replace the interpreter's own, which optimize
        unix += ["-O2", "-DNDEBUG"]
    extension = Extension(
        MODULE,
        [str(each) for each in sources if each.suffix == ".c"],
        define_macros=[("AUDITKIT_SOURCES", f'"{digest_of(sources)}"')],
        extra_compile_args=[] if os.name == "nt" else unix,
    )
    with TemporaryDirectory() as work:
        command = build_ext(Distribution({"ext_modules": [extension]}))
        command.build_lib = command.build_temp = work
        command.ensure_finalized()
        command.run()
        (made,) = Path(work).rglob(place.name)
        new = place.with_name(f".{os.getpid()}{place.name}")
        new.write_bytes(made.read_bytes())
    return new.replace(place)  # in one step: what runs here may have loaded the one before


def digest_of(sources: list[Path]) -> str:
    """Return what tells these sources from others: tests look that they run what is there."""
    return hashlib.sha256(b"\0".join(each.read_bytes() for each in sources)).hexdigest()[:16]
