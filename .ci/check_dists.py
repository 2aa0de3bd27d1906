"""Check what the built wheel and sdist hold, given their folder and the tree they were built from."""

import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

dists, tree = Path(sys.argv[1]), Path(sys.argv[2])
faults: list[str] = []

(wheel,) = dists.glob("*.whl")
(sdist,) = dists.glob("*.tar.gz")
with zipfile.ZipFile(wheel) as archive:
    names = set(archive.namelist())
    (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
    metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
    scripts = archive.read(f"{info}/entry_points.txt").decode()
with tarfile.open(sdist) as archive:
    packed = {name.partition("/")[2] for name in archive.getnames()}


def expect(what: str, *, holds: bool) -> None:
    """Remember what does not hold."""
    if not holds:
        faults.append(what)


sources = {str(path.relative_to(tree)) for path in (tree / "auditkit" / "native").glob("*.[ch]")}
source = {str(path.relative_to(tree)) for path in (tree / "auditkit").rglob("*") if path.suffix in {".py", ".typed"}}
stray = {name for name in names if name.split("/")[0] not in {"auditkit", info} or "__pycache__" in name}
runtime = sorted(each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each)

expect(f"the wheel misses {sorted(source - names)}", holds=source <= names)
expect(f"the wheel has more than the package: {sorted(stray)}", holds=not stray)
expect("the wheel has no auditkit/py.typed", holds="auditkit/py.typed" in names)
expect("the wheel has no licence", holds=f"{info}/licenses/docs/LICENSE" in names)
expect("the wheel has no `auditkit` command", holds="auditkit = auditkit.__main__:main" in scripts)
expect(f"the distribution is {metadata['Name']}", holds=metadata["Name"] == "auditkit-trail")
expect(
    f"the wheel requires {runtime}",
    holds=[each.split(">")[0] for each in runtime] == ["httpx", "wrapt"],
)
expect("the wheel has not one compiled hot path, its own", holds=sum("/_compiled." in name for name in names) == 1)
expect("the wheel has sources in C", holds=not {name for name in names if name.endswith((".c", ".h"))})
for needed in (
    *sources,
    ".build/compile.py",
    "pyproject.toml",
    "README.md",
    "docs/LICENSE",
    "tests/conftest.py",
    "auditkit/__init__.py",
    "PKG-INFO",
):
    expect(f"the sdist misses {needed}", holds=needed in packed)
for hidden in sorted(packed):
    unwanted = hidden.startswith((".ci", "audit/", ".venv")) or "__pycache__" in hidden or hidden.endswith(".so")
    expect(f"the sdist has {hidden}", holds=not unwanted)

print(f"{wheel.name}: {len(names)} files; {sdist.name}: {len(packed)} entries")
if faults:
    sys.exit("\n".join(faults))
