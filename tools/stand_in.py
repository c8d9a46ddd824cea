"""A Docker Engine for the time of one command, where the usual one is there and hangs.

The usual one belongs to this host and is never ended here. The one that stands in has its own data, bridge and socket,
and the command sees that socket in the place of the usual one, in a mount namespace of its own.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess

import engine
from docker_api import Docker

SETTINGS = "/etc/docker/daemon.json"
# What is said by flags here may not stand in the settings too.
OWN = ("bridge", "data-root", "exec-root", "hosts", "pidfile")

DATA = os.path.join(engine.CACHE, "stand-in")
RUN = "/run/berth-guard/stand-in"
SOCKET = os.path.join(RUN, "docker.sock")
USUAL_SOCKET = "/var/run/docker.sock"
BRIDGE, BRIDGE_ADDRESS = "berth-stand-in", "172.31.240.1/22"

STOP_LIMIT_SECS = 60


def _ip(*arguments):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)


def _settings():
    try:
        with open(SETTINGS, encoding="utf-8") as file:
            settings = json.load(file)
    except (OSError, ValueError):
        settings = {}
    return {name: value for name, value in settings.items() if name not in OWN}


def _usual_signals():
    # Containers ignore what their engine ignores, and shells have what runs behind them ignore these.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def _start():
    os.makedirs(RUN, mode=0o700, exist_ok=True)
    os.makedirs(DATA, mode=0o700, exist_ok=True)
    settings, log_file = os.path.join(RUN, "daemon.json"), os.path.join(DATA, "log")
    with open(settings, "w", encoding="utf-8") as file:
        json.dump(_settings(), file)
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("address", "replace", BRIDGE_ADDRESS, "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    with open(log_file, "w", encoding="utf-8") as log:
        return subprocess.Popen(
            ["dockerd", "--config-file", settings, "--data-root", os.path.join(DATA, "data"),
             "--exec-root", os.path.join(RUN, "exec"), "--pidfile", os.path.join(RUN, "pid"), "--bridge", BRIDGE,
             "--host", f"unix://{SOCKET}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            preexec_fn=_usual_signals,
        )


def _stop(process):
    process.terminate()
    try:
        process.wait(STOP_LIMIT_SECS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _ip("link", "del", BRIDGE)
    shutil.rmtree(RUN, ignore_errors=True)
    shutil.rmtree(DATA, ignore_errors=True)


@contextlib.contextmanager
def where_needed():
    """The words to put before a command, so that it has an engine that answers: none where the usual one does."""
    if os.geteuid() != 0 or "DOCKER_HOST" in os.environ or not engine.hangs():
        yield []
        return
    print("guard: the Docker Engine of this host answers pings and nothing else; another stands in for it", flush=True)
    process = _start()
    try:
        engine.wait_for(
            lambda: process.poll() is not None or Docker(SOCKET).answers(), engine.START_LIMIT_SECS
        )
        mount = f'mount --bind {SOCKET} {USUAL_SOCKET} && exec "$@"'
        yield ["unshare", "--mount", "sh", "-c", mount, "sh"]
    finally:
        _stop(process)
