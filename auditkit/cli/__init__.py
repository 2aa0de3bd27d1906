"""The command line: a pure parser, and one file for each command."""
