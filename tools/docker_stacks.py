"""Runs a command, and says what dockerd stands still at if it hangs meanwhile.

An engine that answers `/_ping` and nothing else fails every test that needs it, and tells none of them why. dockerd
writes its stacks when it gets SIGUSR1, which does it no harm; here they are asked for once, counted, and printed when
the command has ended, with the processes that the kernel keeps waiting.

    python3 tools/docker_stacks.py -- COMMAND [ARGUMENT...]
"""

import collections
import glob
import os
import re
import signal
import sys
import threading
import time

import engine
import guard

PID_FILE = "/var/run/docker.pid"
STACKS = "/var/run/docker/goroutine-stacks-*.log"

PAUSE_SECS = 10
# Time for dockerd to write its stacks.
WRITE_LIMIT_SECS = 15

STACKS_SHOWN = 12
FRAMES_SHOWN = 14


def _frames(block):
    """Functions of one goroutine, innermost first."""
    lines = [line for line in block.splitlines()[1:] if line and not line.startswith(("\t", "created by"))]
    return tuple(re.sub(r"\([^()]*\)$", "", line) for line in lines[:FRAMES_SHOWN])


def summary(text):
    """The commonest stacks, with how many goroutines stand there and since how many minutes at most."""
    counts, longest = collections.Counter(), collections.Counter()
    for block in re.split(r"\n\n(?=goroutine )", text):
        head = re.match(r"goroutine \d+ \[([^\],]+)(?:, (\d+) minutes)?", block)
        if head is None:
            continue
        key = (head[1], _frames(block))
        counts[key] += 1
        longest[key] = max(longest[key], int(head[2] or 0))
    lines = []
    for (state, frames), count in counts.most_common(STACKS_SHOWN):
        lines.append(f"{count} in {state}, up to {longest[state, frames]} min")
        lines += [f"    {frame}" for frame in frames]
    return lines


def _asked_stacks():
    """What dockerd writes of its goroutines, or why it does not."""
    before = set(glob.glob(STACKS))
    try:
        with open(PID_FILE, encoding="utf-8") as file:
            os.kill(int(file.read()), signal.SIGUSR1)
    except (OSError, ValueError) as error:
        return [f"its stacks cannot be asked for: {error}"]
    time.sleep(WRITE_LIMIT_SECS)
    for path in set(glob.glob(STACKS)) - before:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        os.remove(path)
        return summary(text)
    return ["it has written no stacks"]


def _waiting_processes():
    """Processes that the kernel keeps waiting, with where."""
    lines = []
    for directory in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{directory}/stat", encoding="utf-8") as file:
                # The name is in brackets and may have anything in it.
                name, _, rest = file.read().rpartition(")")
            if rest.split()[0] == "D":
                with open(f"{directory}/stack", encoding="utf-8") as file:
                    where = file.read().split("\n")[:6]
                lines += [f"process {name})", *(f"    {frame}" for frame in where if frame)]
        except OSError:
            continue
    return lines


class Watch(threading.Thread):
    """Looks now and then; after the first hang it has seen enough."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.found = []

    def run(self):
        while not self.over.wait(PAUSE_SECS):
            if engine.hangs():
                print(f"docker: no answer of /info within {engine.HANG_LIMIT_SECS} s", flush=True)
                at = time.strftime("%H:%M:%S")
                self.found = [f"docker hung at {at}; its stacks, the commonest first:", *_asked_stacks(),
                              *_waiting_processes()]
                return


def main(arguments):
    if len(arguments) < 2 or arguments[0] != "--":
        print(__doc__, file=sys.stderr)
        return 2
    watch = Watch()
    watch.start()
    code = guard.run(arguments[1:])
    watch.over.set()
    watch.join(engine.HANG_LIMIT_SECS + WRITE_LIMIT_SECS)
    print("\n".join(watch.found), end="\n" if watch.found else "", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
