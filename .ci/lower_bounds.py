"""Print the runtime dependencies of pyproject.toml at their lower bounds: `httpx>=0.27` as `httpx==0.27`."""

import sys
import tomllib
from pathlib import Path

for each in tomllib.loads(Path(sys.argv[1]).read_text("utf-8"))["project"]["dependencies"]:
    print(each.replace(">=", "=="))
