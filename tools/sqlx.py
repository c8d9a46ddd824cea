#!/usr/bin/env python3
"""Writes or checks `.sqlx/`: what the query macros know of each statement, so that builds need no database.

The schema is made from `migrations/*.sql` with the SQLite of Python; then the compiler runs with the variables that
make the macros of sqlx ask that database and write down its answers.

    python3 tools/sqlx.py            write .sqlx
    python3 tools/sqlx.py --check    fail if .sqlx is not what would be written
"""

import argparse
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / ".sqlx"


def make_schema(path: pathlib.Path) -> None:
    """A database file with every migration applied."""
    connection = sqlite3.connect(path)
    try:
        for migration in sorted((ROOT / "migrations").glob("*.sql")):
            connection.executescript(migration.read_text(encoding="utf-8"))
    finally:
        connection.close()


def describe(schema: pathlib.Path, out: pathlib.Path) -> None:
    """Compiles the library against the schema; each macro writes one file to `out`."""
    environment = dict(
        os.environ,
        DATABASE_URL=f"sqlite:{schema}",
        SQLX_OFFLINE="false",
        SQLX_OFFLINE_DIR=str(out),
    )
    # Cargo does not see that the macros' input has changed, but it sees a newer file.
    (ROOT / "src" / "lib.rs").touch()
    subprocess.run(["cargo", "check", "--lib", "--quiet"], cwd=ROOT, env=environment, check=True)


def contents(folder: pathlib.Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("query-*.json")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, fail on a difference")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        schema = pathlib.Path(scratch) / "schema.db"
        fresh = pathlib.Path(scratch) / "sqlx"
        fresh.mkdir()
        make_schema(schema)
        describe(schema, fresh)
        wanted, have = contents(fresh), contents(DATA)
        if not wanted:
            print("no statement was described", file=sys.stderr)
            return 1
        if check:
            differing = sorted(
                name for name in wanted.keys() | have.keys() if wanted.get(name) != have.get(name)
            )
            for name in differing:
                print(f"{name}: not as written by tools/sqlx.py", file=sys.stderr)
            return 1 if differing else 0
        shutil.rmtree(DATA, ignore_errors=True)
        shutil.copytree(fresh, DATA)
        print(f"{len(wanted)} statements")
    return 0


if __name__ == "__main__":
    sys.exit(main())
