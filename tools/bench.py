#!/usr/bin/env python3
"""Measures the agent beside plain Docker calls, in turns, in one run.

Absolute figures move with the machine; what counts is the ratio to the plain Docker API at the concurrency that is
best in the median of all rounds, measured between the rounds of the agent. Any agent that speaks berth's admin API can be driven: `--binary PATH`.

Tasks are one busybox container that ends on SIGTERM, 32 MiB, on the bridge network.
"""

import argparse
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import demo_images  # noqa: E402
from docker_api import Docker, _UnixConnection  # noqa: E402
from docker_recorder import Recorder  # noqa: E402

BENCH_LABEL = "berth.bench"
COMMAND = ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"]
TASKS = 50
IDLE_SECS = 30
PLAIN_CONCURRENCY = (2, 8, 16, 50)
WAIT_SECS = 120
# Between looks at what is measured: closer ones take a tenth of two cores from the agent and from Docker.
PACE_SECS = 0.05
# Before a single task is measured.
SETTLE_SECS = 0.2
# Longest that one thread here keeps another from its time stamp; Python's default is 5 ms.
SWITCH_SECS = 0.0002


def call(socket, method, path, body=None):
    connection = _UnixConnection(socket, 30)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, body=json.dumps(body) if body is not None else None, headers=headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {text.decode(errors='replace')}")
        return json.loads(text) if text else None
    finally:
        connection.close()


class Agent:
    """One agent process and its admin socket."""

    def __init__(self, binary, directory, environment=None):
        self.binary, self.directory, self.environment = binary, directory, environment or {}
        self.socket = os.path.join(directory, "berth.sock")
        self.process = None

    def start(self):
        """Starts it; gives the seconds until its admin API answered."""
        log = open(os.path.join(self.directory, "agent.log"), "ab")
        began = time.monotonic()
        environment = {
            **os.environ, "ECS_IMAGE_PULL_BEHAVIOR": "prefer-cached", "BERTH_TASK_ADDRESS": "false",
            "BERTH_BLOCK_INSTANCE_METADATA": "false", **self.environment
        }
        self.process = subprocess.Popen(
            [self.binary, "agent", "--data-dir", self.directory], stdout=log, stderr=log, env=environment
        )
        while True:
            try:
                call(self.socket, "GET", "/v1/health")
                return time.monotonic() - began
            except (OSError, http.client.HTTPException, SystemExit):
                if self.process.poll() is not None or time.monotonic() - began > WAIT_SECS:
                    raise SystemExit(f"the agent did not start: see {self.directory}/agent.log")
                time.sleep(0.005)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(WAIT_SECS)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT_SECS)

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def tasks(self):
        return call(self.socket, "GET", "/v1/tasks")["tasks"]


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / os.sysconf("SC_CLK_TCK")


def engine_pids():
    pids = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/comm") as comm:
                    if comm.read().strip() in ("dockerd", "containerd"):
                        pids.append(int(entry))
            except OSError:
                pass
    return pids


def definition(image, number):
    return {
        "family": f"bench{number}",
        "containerDefinitions": [{
            "name": "app", "image": image, "command": COMMAND, "memory": 32,
            "dockerLabels": {BENCH_LABEL: str(os.getpid())},
        }],
    }


def plain_round(docker, image, concurrency):
    """Seconds to create and start TASKS containers by the plain API; removes them again."""

    def one(number):
        body = {
            "Image": image,
            "Cmd": COMMAND,
            "Labels": {BENCH_LABEL: str(os.getpid())},
            "HostConfig": {"Memory": 32 << 20, "CpuShares": 2},
        }
        status, text = docker.call(
            "POST", "/containers/create", {"name": f"berth-bench-{os.getpid()}-{number}"},
            json.dumps(body), "application/json",
        )
        if status != 201:
            raise SystemExit(f"create: {status} {text}")
        identity = json.loads(text)["Id"]
        status, text = docker.call("POST", f"/containers/{identity}/start")
        if status != 204:
            raise SystemExit(f"start: {status} {text}")
        return identity

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(concurrency) as pool:
        made = list(pool.map(one, range(TASKS)))
    took = time.monotonic() - began
    # One after the other: Docker 20.10 may lock itself up where many containers end at once (moby/moby#42545).
    for identity in made:
        docker.call("DELETE", f"/containers/{identity}", {"force": "true"})
    return took


def wait_for(condition, what):
    deadline = time.monotonic() + WAIT_SECS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {WAIT_SECS} s")
        time.sleep(PACE_SECS)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@contextlib.contextmanager
def starts(agent):
    """Hears of each container that starts from now on: lists of all tasks would take a twentieth of two cores."""
    connection = _UnixConnection(agent.socket, WAIT_SECS)
    try:
        connection.request("GET", "/v1/events?follow=true&after=latest&kind=Started")
        answer = connection.getresponse()
        yield (line for line in iter(answer.readline, b"") if b'"Started"' in line)
    finally:
        connection.close()


def agent_round(agent, image, number):
    """Seconds from the first put to all tasks running, and the tasks' ids."""
    with starts(agent) as started:
        return _agent_round(agent, image, number, started)


def _agent_round(agent, image, number, started):
    ids = [f"bench{number}x{index:04d}" for index in range(TASKS)]
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: call(agent.socket, "PUT", f"/v1/tasks/{i}", definition(image, number)), ids))
    accepted = time.monotonic() - began
    heard = sum(1 for _ in itertools.islice(started, TASKS))
    if heard < TASKS:
        raise SystemExit(f"the event log ended after {heard} starts")
    wait_for(
        lambda: sum(t["status"] == "RUNNING" for t in agent.tasks() if t["taskId"] in ids) == TASKS,
        "all tasks running",
    )
    return time.monotonic() - began, accepted, ids


def remove(agent, ids):
    for identity in ids:
        call(agent.socket, "DELETE", f"/v1/tasks/{identity}")
    wait_for(lambda: not agent.tasks(), "all tasks removed")


def overhead(binary, docker, image, count=300):
    """Milliseconds from a put to the arrival of its create call at Docker's socket, one task at a time."""
    directory = tempfile.mkdtemp(prefix="berth-bench-")
    recorder = Recorder(os.path.join(directory, "docker.sock"), docker.path)
    agent = Agent(binary, directory, {"DOCKER_HOST": f"unix://{recorder.path}"})
    try:
        agent.start()
        # What comes in before the first look at Docker waits for that look: a matter of the start, measured there.
        wait_for(lambda: call(agent.socket, "GET", "/v1/health")["engine"].get("relistedAt"), "the first look at Docker")
        sent = []
        for index in range(count):
            identity = f"bench0x{index:04d}"
            # Docker goes on writing for a while when a container runs, which is not what is measured.
            time.sleep(SETTLE_SECS)
            sent.append(time.time())
            call(agent.socket, "PUT", f"/v1/tasks/{identity}", definition(image, 0))
            wait_for(
                lambda: any(t["taskId"] == identity and t["status"] == "RUNNING" for t in agent.tasks()), "one task"
            )
            # The way from a put to its create call does not depend on how many tasks there are.
            if index % 20 == 19:
                remove(agent, [t["taskId"] for t in agent.tasks()])
        arrived = [at for at, head in recorder.requests if "/containers/create?" in head]
        if len(arrived) != count:
            raise SystemExit(f"{len(arrived)} create calls for {count} tasks")
        return [(create - put) * 1000 for put, create in zip(sent, arrived)]
    finally:
        agent.kill()
        recorder.close()
        shutil.rmtree(directory, ignore_errors=True)


def idle(agent, seconds):
    """CPU of the agent and of the engine, as a share of one core."""
    engine = engine_pids()
    before = cpu_seconds([agent.process.pid]), cpu_seconds(engine)
    time.sleep(seconds)
    after = cpu_seconds([agent.process.pid]), cpu_seconds(engine)
    return [100 * (b - a) / seconds for a, b in zip(before, after)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/release/berth")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="also write the figures to this file")
    arguments = parser.parse_args()
    sys.setswitchinterval(SWITCH_SECS)
    docker = Docker()
    image = demo_images.IMAGE
    demo_images.ensure(docker)
    directory = tempfile.mkdtemp(prefix="berth-bench-")
    figures = {}

    def note(name, value, unit, aim=""):
        figures[name] = round(value, 3)
        print(f"{name:58} {value:10.2f} {unit:4} {aim}", flush=True)

    agent = Agent(arguments.binary, directory)
    try:
        note("binary", os.path.getsize(arguments.binary) / 1e6, "MB")
        note("cold start to admin API", agent.start() * 1000, "ms")
        time.sleep(2)
        note("RSS idle", agent.rss_mb(), "MB", "aim <= 15")
        note("CPU idle, no task: agent", idle(agent, IDLE_SECS)[0], "%")

        extra = overhead(arguments.binary, docker, image)
        note("put to create call at Docker's socket, p50", statistics.median(extra), "ms")
        note("put to create call at Docker's socket, p90", percentile(extra, 0.9), "ms")
        note("put to create call at Docker's socket, p99", percentile(extra, 0.99), "ms", "aim <= 10")

        plain, own, accepted = {c: [] for c in PLAIN_CONCURRENCY}, [], []
        for number in range(1, arguments.rounds + 1):
            for concurrency, times in plain.items():
                times.append(plain_round(docker, image, concurrency))
            took, took_put, ids = agent_round(agent, image, number)
            latest = ", ".join(f"{c} at once {times[-1]:.2f} s" for c, times in plain.items())
            print(f"  plain API: {latest}; agent: {took:.2f} s", flush=True)
            own.append(took)
            accepted.append(took_put)
            if number < arguments.rounds:
                remove(agent, ids)
        best, times = min(plain.items(), key=lambda entry: statistics.median(entry[1]))
        note(f"{TASKS} tasks, plain API, {best} at once, median", statistics.median(times), "s")
        note(f"{TASKS} tasks, agent, median", statistics.median(own), "s")
        note("ratio to the plain API", statistics.median(own) / statistics.median(times), "", "aim <= 1.10")
        note(f"{TASKS} puts answered", statistics.median(accepted), "s")

        time.sleep(3)
        note(f"RSS with {TASKS} tasks", agent.rss_mb(), "MB", "aim <= 25")
        share, engine = idle(agent, IDLE_SECS)
        agent.stop()
        baseline = engine_baseline(IDLE_SECS)
        note(f"CPU idle, {TASKS} tasks: agent", share, "%")
        note(f"CPU idle, {TASKS} tasks: engine with agent", engine, "%")
        note(f"CPU idle, {TASKS} tasks: engine alone", baseline, "%")
        note("CPU idle: agent and what it costs the engine", share + max(0, engine - baseline), "%", "aim <= 1")

        restarts = []
        for _ in range(3):
            began = time.monotonic()
            agent.start()
            wait_for(
                lambda: agent_converged(agent),
                "converged after the restart",
            )
            restarts.append((time.monotonic() - began) * 1000)
            agent.stop(signal.SIGKILL)
        note(f"kill -9 and restart with {TASKS} tasks to converged, p50", statistics.median(restarts), "ms", "aim <= 300")
        agent.start()
        wait_for(lambda: agent_converged(agent), "converged")
        remove(agent, [t["taskId"] for t in agent.tasks()])
        agent.stop()
    finally:
        agent.kill()
        sweep(docker)
        shutil.rmtree(directory, ignore_errors=True)
    if arguments.json:
        with open(arguments.json, "w") as out:
            json.dump(figures, out, indent=2)
            out.write("\n")


def sweep(docker):
    """Removes what this program's rounds have left behind."""
    for container in docker.containers():
        if container.get("Labels", {}).get(BENCH_LABEL) == str(os.getpid()):
            docker.call("DELETE", f"/containers/{container['Id']}", {"force": "true"})


def engine_baseline(seconds):
    """CPU of the engine with the same containers and no agent."""
    engine = engine_pids()
    before = cpu_seconds(engine)
    time.sleep(seconds)
    return 100 * (cpu_seconds(engine) - before) / seconds


def agent_converged(agent):
    health = call(agent.socket, "GET", "/v1/health")
    return bool(health["engine"].get("relistedAt")) and sum(t["status"] == "RUNNING" for t in agent.tasks()) == TASKS


if __name__ == "__main__":
    main()
