"""Print the commands of README.md's first shell blocks, one a line, as a new user copies them."""

import re
import sys
from pathlib import Path

WANTED = 2

blocks = re.findall(
    r"^```(?:bash|sh|shell)\n(.*?)^```$", Path(sys.argv[1]).read_text("utf-8"), re.MULTILINE | re.DOTALL
)
commands = [line for block in blocks for line in block.splitlines() if line.strip() and not line.startswith("#")]
if len(commands) < WANTED or not commands[1].endswith("pytest"):
    sys.exit(f"README.md: its first two shell commands must be set-up and tests, got {commands[:WANTED]}")
print(*commands[:WANTED], sep="\n")
