"""Reads the PowerShell scripts of deploy/windows with a grammar: what does not parse is named with its place.

    .cache/venv/bin/python tools/powershell.py      after `make setup`; `make windows` runs it

There is no PowerShell here that could run them. That the grammar notices what is wrong is tried first.
"""

import glob
import os
import sys

import tree_sitter
import tree_sitter_powershell

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, "deploy", "windows")

# Scripts that must not parse: a bracket, a text and a block without their ends.
BROKEN = [b"if (1 { }\n", b"$a = 'text\n", b"function A {\n  Get-Item x\n"]


def problems(parser, script):
    """Line, column (from 1) and beginning of everything that is no PowerShell."""
    found = []
    nodes = [parser.parse(script).root_node]
    while nodes:
        node = nodes.pop()
        if node.type == "ERROR" or node.is_missing:
            row, column = node.start_point
            begin = script[node.start_byte:node.end_byte].decode(errors="replace").splitlines()
            found.append((row + 1, column + 1, begin[0] if begin else f"{node.type} is missing"))
        nodes.extend(node.children)
    return sorted(found)


def main():
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    for script in BROKEN:
        if not problems(parser, script):
            print(f"powershell: error: the grammar takes {script!r}", file=sys.stderr)
            return 1
    scripts = sorted(glob.glob(os.path.join(FOLDER, "*.ps*1")))
    if not scripts:
        print(f"powershell: error: there are no scripts in {FOLDER}", file=sys.stderr)
        return 1
    bad = 0
    for path in scripts:
        with open(path, "rb") as file:
            for line, column, begin in problems(parser, file.read()):
                print(f"powershell: error: {os.path.relpath(path, ROOT)}:{line}:{column}: {begin}", file=sys.stderr)
                bad += 1
    print(f"powershell: {len(scripts)} scripts, {bad} errors", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
