"""Starts a Docker Engine where none answers, and stops it again if it was started here.

Where systemd runs, it is asked to start the service, which then belongs to the host and stays. Elsewhere dockerd
is started in the background; its process id is kept in `.cache/dockerd.pid`, which is how a later command knows
that the engine is ours. An engine that answers already is never touched.
"""

import os
import signal
import subprocess
import time

from docker_api import Docker, DockerError

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(ROOT, ".cache")
PID_FILE = os.path.join(CACHE, "dockerd.pid")
LOG_FILE = os.path.join(CACHE, "dockerd.log")

# dockerd answers within two seconds on an idle machine; a busy one with a cold disk needs longer.
START_LIMIT_SECS = 60
# dockerd gives containers 15 s to stop before it kills them.
STOP_LIMIT_SECS = 30
# The tests give up after 10 s: an engine that needs longer is hanging as far as they are concerned.
HANG_LIMIT_SECS = 20


def hangs():
    """Whether the engine is there and says nothing of itself within the limit."""
    docker = Docker()
    if not docker.answers():
        return False
    try:
        docker.call("GET", "/info", timeout=HANG_LIMIT_SECS)
        return False
    except DockerError:
        return True


def has_systemd():
    """Whether systemd runs this host."""
    return os.path.isdir("/run/systemd/system")


def wait_for(condition, limit_secs):
    """Whether the condition came true within the limit."""
    end = time.monotonic() + limit_secs
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _is_dockerd(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            # `12 (dockerd) S 1 ...`; a zombie (Z) is a process that has ended and that nobody has collected.
            name, state = file.read().split()[1:3]
            return name == "(dockerd)" and state != "Z"
    except (OSError, ValueError):
        return False


def our_pid():
    """Process id of the dockerd that was started here and still runs, or None."""
    try:
        with open(PID_FILE, encoding="utf-8") as file:
            pid = int(file.read())
    except (OSError, ValueError):
        return None
    return pid if _is_dockerd(pid) else None


def start():
    """Starts the engine; returns an error text, or None once it answers."""
    docker = Docker()
    if has_systemd():
        done = subprocess.run(["systemctl", "start", "docker"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"systemctl start docker: {done.stderr.strip()}"
    else:
        os.makedirs(CACHE, exist_ok=True)
        with open(LOG_FILE, "w", encoding="utf-8") as log:
            process = subprocess.Popen(["dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True)
        with open(PID_FILE, "w", encoding="utf-8") as file:
            file.write(str(process.pid))
        if not wait_for(lambda: docker.answers() or process.poll() is not None, START_LIMIT_SECS):
            return f"dockerd did not answer within {START_LIMIT_SECS} s; see {LOG_FILE}"
        if process.poll() is not None:
            os.remove(PID_FILE)
            with open(LOG_FILE, encoding="utf-8", errors="replace") as log:
                tail = "".join(log.readlines()[-5:])
            return f"dockerd exited with code {process.returncode}; the end of {LOG_FILE}:\n{tail}"
    if not wait_for(docker.answers, START_LIMIT_SECS):
        return f"Docker Engine did not answer within {START_LIMIT_SECS} s"
    return None


def stop_if_ours():
    """Stops the engine that was started here; leaves any other alone."""
    pid = our_pid()
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    if wait_for(lambda: not _is_dockerd(pid), STOP_LIMIT_SECS):
        os.remove(PID_FILE)
        print("guard: the Docker Engine that the set-up started is stopped", flush=True)
    else:
        print(f"guard: dockerd (process {pid}) did not stop within {STOP_LIMIT_SECS} s", flush=True)
