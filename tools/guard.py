"""Runs a command that starts containers, with the host's instance credentials out of their reach.

Before the command starts, `unreachable` routes for the addresses of the instance metadata service and of the
task credentials service are put on this host where they are missing; afterwards they are taken away again, also
when the command fails or a signal ends it. Several guards may run at once: the last one to end cleans up, and
routes that were there before the first stay. A guard that was killed is cleaned up after by the next one.

A Docker Engine that the set-up started by itself is stopped too when the outermost guard ends. Where the engine of
this host hangs, another stands in for it meanwhile (`stand_in.py`).

    python3 tools/guard.py -- COMMAND [ARGUMENT...]
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys

import engine
import stand_in

ADDRESSES = ["169.254.169.254/32", "169.254.170.2/32"]

STATE = "/run/berth-guard"
NESTED = "GUARD_ACTIVE"


def _ip(*arguments):
    return subprocess.run(["ip", "-4", "route", *arguments], capture_output=True, text=True, check=False)


def is_unreachable(address):
    """Whether the host has that route already."""
    shown = _ip("show", "exact", address).stdout
    return any(line.split()[:1] == ["unreachable"] for line in shown.splitlines())


class Routes:
    """The routes of all guards on this host, counted by a shared lock on a file."""

    def __init__(self, state=STATE):
        self.state = state
        self.users = None

    @contextlib.contextmanager
    def _mutex(self):
        with open(os.path.join(self.state, "mutex"), "w", encoding="utf-8") as mutex:
            fcntl.flock(mutex, fcntl.LOCK_EX)
            yield

    def _added(self):
        try:
            with open(os.path.join(self.state, "added"), encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return []

    def _write_added(self, addresses):
        path = os.path.join(self.state, "added")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(addresses, file)
        os.replace(path + ".new", path)

    def enter(self):
        """Adds what is missing; returns an error text, or None."""
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        self.users = open(os.path.join(self.state, "users"), "w", encoding="utf-8")
        with self._mutex():
            fcntl.flock(self.users, fcntl.LOCK_SH)
            for address in ADDRESSES:
                if is_unreachable(address):
                    continue
                # Written first: a guard that dies in between leaves a note, not a stray route.
                self._write_added(sorted({*self._added(), address}))
                done = _ip("add", "unreachable", address)
                if done.returncode != 0:
                    return f"ip route add unreachable {address}: {done.stderr.strip()}"
                print(f"guard: {address} made unreachable", flush=True)
        return None

    def leave(self):
        """Takes away what guards have added, if this is the last one."""
        with self._mutex():
            try:
                fcntl.flock(self.users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            for address in self._added():
                if is_unreachable(address):
                    _ip("del", "unreachable", address)
                    print(f"guard: {address} as before", flush=True)
            self._write_added([])
            self.users.close()


def run(command):
    """Runs the command, passes signals on, and returns its exit code."""
    child = None
    pending = []

    def forward(number, _frame):
        if child is None:
            pending.append(number)
        elif child.poll() is None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    # A terminal sends Ctrl-C to the whole foreground group, so the command has it already.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    child = subprocess.Popen(command, env={**os.environ, NESTED: "1"})
    for number in pending:
        child.send_signal(number)
    code = child.wait()
    return 128 - code if code < 0 else code


def guarded(command):
    """Routes up, command, routes down."""
    missing = [address for address in ADDRESSES if not is_unreachable(address)]
    if missing and os.geteuid() != 0:
        print("guard: containers must not reach instance credentials; as root, run first:", file=sys.stderr)
        for address in missing:
            print(f"    ip route add unreachable {address}", file=sys.stderr)
        return 1
    if os.geteuid() != 0:
        return run(command)
    # From here on no signal may end this program before it has cleaned up.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    routes = Routes()
    try:
        error = routes.enter()
        if error:
            print(f"guard: {error}", file=sys.stderr)
            return 1
        return run(command)
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        routes.leave()


def main(arguments):
    if len(arguments) < 2 or arguments[0] != "--":
        print(__doc__, file=sys.stderr)
        return 2
    outermost = NESTED not in os.environ
    try:
        if not outermost:
            return guarded(arguments[1:])
        with stand_in.where_needed() as prefix:
            return guarded([*prefix, *arguments[1:]])
    except FileNotFoundError as error:
        print(f"guard: {error}", file=sys.stderr)
        return 127
    finally:
        if outermost:
            engine.stop_if_ours()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
