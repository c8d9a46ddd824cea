#!/usr/bin/env python3
"""Measures a connected agent beside plain Docker calls, in turns, in one run.

The control plane is that of the integration tests, as a program (`tools/control_plane.rs`); its time stamps and those
of Docker's events are by one clock. Tasks are those of `tools/bench.py`.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time

import bench
import demo_images
from docker_api import Docker, _UnixConnection

CLUSTER = "arn:aws:ecs:us-west-2:123456789012:cluster/lab"
INSTANCE = "arn:aws:ecs:us-west-2:123456789012:container-instance/lab/4641"
TASK = "arn:aws:ecs:us-west-2:123456789012:task/lab/"
# What the control plane checks signatures with.
SETTINGS = {
    "ECS_CLUSTER": "lab", "AWS_DEFAULT_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "LABACCESSKEY",
    "AWS_SECRET_ACCESS_KEY": "lab-secret", "AWS_EC2_METADATA_DISABLED": "true", "BERTH_TASK_SERVER_ADDRESS": "127.0.0.1:0",
    "BERTH_INTROSPECTION_ADDRESS": "127.0.0.1:0",
}
IDLE_SECS = 60
# Long enough for waits between tries to have grown to their longest.
AWAY_SECS = 45
LOOK_SECS = 0.01


class ControlPlane:
    """The program, and everything it has told: dicts with `at` in seconds, `what`, `about`."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.told = []
        self._news = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()
        self.url = self.wait("listening", "the control plane listens")["about"]["url"]

    def _listen(self):
        for line in self.process.stdout:
            entry = json.loads(line)
            entry["at"] /= 1e6
            with self._news:
                self.told.append(entry)
                self._news.notify_all()

    def _tell(self, command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def wait(self, what, why, since=0, about=lambda _: True):
        """The first such entry from number `since` on."""
        deadline, at = time.monotonic() + bench.WAIT_SECS, since
        with self._news:
            while True:
                while at < len(self.told):
                    entry = self.told[at]
                    if entry["what"] == what and about(entry["about"]):
                        return entry
                    at += 1
                if not self._news.wait(deadline - time.monotonic()):
                    raise SystemExit(f"{why}: not within {bench.WAIT_SECS} s")

    def change(self, identity, status, since):
        """Report of the task's status."""
        return self.wait("SubmitTaskStateChange", f"{identity} {status}", since,
                         lambda it: it["task"] == TASK + identity and it["status"] == status)

    def payload(self, message, tasks):
        """Sends it; gives the number of entries before, and the entries of its way out and its acknowledgement."""
        since = len(self.told)
        self._tell({"say": "PayloadMessage", "message": {
            "messageId": message, "clusterArn": CLUSTER, "containerInstanceArn": INSTANCE, "seqNum": since,
            "generatedAt": 1, "tasks": tasks,
        }})
        said = self.wait("said", "the payload goes out", since)
        acknowledged = self.wait("AckRequest", f"{message} acknowledged", since, lambda it: it["messageId"] == message)
        return since, said, acknowledged

    def away(self, away):
        self._tell({"away": away})

    def end(self):
        """Fails if a signature was wrong."""
        self.process.stdin.close()
        if self.process.wait(bench.WAIT_SECS) != 0:
            raise SystemExit("the control plane failed")

    def kill(self):
        self.process.kill()
        self.process.wait()


class Ends:
    """When containers ended, in seconds of Unix time by their id, as Docker's events say."""

    def __init__(self, docker):
        self._at = {}
        self._news = threading.Condition()
        connection = _UnixConnection(docker.path, None)
        connection.request("GET", "/events?filters=%7B%22event%22%3A%5B%22die%22%5D%7D")
        self._stream = connection.getresponse()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while line := self._stream.readline():
            event = json.loads(line)
            with self._news:
                self._at[event["Actor"]["ID"]] = event["timeNano"] / 1e9
                self._news.notify_all()

    def has(self, container):
        with self._news:
            return container in self._at

    def of(self, container):
        with self._news:
            if not self._news.wait_for(lambda: container in self._at, bench.WAIT_SECS):
                raise SystemExit(f"{container} does not end")
            return self._at[container]


def task(identity, image, status="RUNNING"):
    return {
        "arn": TASK + identity, "desiredStatus": status, "family": "bench", "version": "1", "overrides": "{}",
        "networkMode": "bridge", "launchType": "EC2",
        "containers": [{
            "name": "app", "image": image, "essential": True, "memory": 32, "command": bench.COMMAND, "overrides": "{}",
            "dockerConfig": {
                "config": json.dumps({"Labels": {bench.BENCH_LABEL: str(os.getpid())}}),
                "hostConfig": '{"NetworkMode": "bridge"}', "version": "1.17",
            },
        }],
    }


def plain_start(docker, image, number):
    """Seconds to create and start one container by the plain API over an open connection; removes it again."""
    body = {"Image": image, "Cmd": bench.COMMAND, "HostConfig": {"Memory": 32 << 20, "CpuShares": 2}}
    connection = _UnixConnection(docker.path, bench.WAIT_SECS)
    connection.connect()

    def post(path, body=None):
        connection.request("POST", path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{path}: {answer.status} {text}")
        return text

    began = time.monotonic()
    made = post(f"/containers/create?name=berth-bench-{os.getpid()}-one-{number}", json.dumps(body))
    identity = json.loads(made)["Id"]
    post(f"/containers/{identity}/start")
    took = time.monotonic() - began
    connection.close()
    docker.remove_container(identity)
    return took


def end(docker, ends, container):
    """Ends it from within: an end that somebody asks Docker for may be half of a restart, and is held back for that; of
    one by SIGKILL Docker is asked whether memory ran out."""
    process = docker.inspect(container)["State"]["Pid"]
    while not ends.has(container):
        # Its shell hears signals once it has said which.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)
        time.sleep(LOOK_SECS)


def one_by_one(plane, docker, image, count):
    """Milliseconds of single tasks: to the acknowledgement, to RUNNING, plain Docker, from the end to STOPPED."""
    ends = Ends(docker)
    acknowledged, running, plain, stopped = [], [], [], []
    for number in range(count):
        plain.append(plain_start(docker, image, number))
        identity = f"bench0x{number:04d}"
        # Docker goes on writing for a while when a container is gone, which is not what is measured.
        time.sleep(bench.SETTLE_SECS)
        since, said, ack = plane.payload(f"one{number}", [task(identity, image)])
        acknowledged.append(ack["at"] - said["at"])
        up = plane.change(identity, "RUNNING", since)
        running.append(up["at"] - said["at"])
        container = up["about"]["containers"][0]["runtimeId"]
        end(docker, ends, container)
        told = plane.change(identity, "STOPPED", since)
        stopped.append(told["at"] - ends.of(container))
        docker.remove_container(container)
    return [[1000 * took for took in times] for times in (acknowledged, running, plain, stopped)]


def all_at_once(plane, image, number):
    """Seconds from a payload of many tasks to the last RUNNING, and the tasks' ids."""
    ids = [f"bench{number}x{index:04d}" for index in range(bench.TASKS)]
    since, said, _ = plane.payload(f"many{number}", [task(identity, image) for identity in ids])
    last = max(plane.change(identity, "RUNNING", since)["at"] for identity in ids)
    return last - said["at"], ids


def stop_all(plane, agent, image, number, ids):
    since, _, _ = plane.payload(f"stop{number}", [task(identity, image, "STOPPED") for identity in ids])
    for identity in ids:
        plane.change(identity, "STOPPED", since)
    bench.remove(agent, [it["taskId"] for it in agent.tasks()])


def restart(plane, agent):
    """Milliseconds from the start of a killed agent until it is connected and lists all tasks."""
    agent.stop(signal.SIGKILL)
    since, began = len(plane.told), time.time()
    agent.start()
    while not bench.agent_converged(agent):
        time.sleep(LOOK_SECS)
    listed = time.time()
    opened = plane.wait("opened", "connected again", since)["at"]
    return 1000 * (max(listed, opened) - began)


def reconnect(plane):
    """Seconds from the control plane's return to a session."""
    plane.away(True)
    time.sleep(AWAY_SECS)
    since, back = len(plane.told), time.time()
    plane.away(False)
    return plane.wait("opened", "connected again", since)["at"] - back


def idle(plane, agent):
    """CPU seconds a minute of the agent and of the engine while telemetry is told."""
    since = len(plane.told)
    shares = bench.idle(agent, IDLE_SECS)
    plane.wait("PublishMetricsRequest", "telemetry", since)
    return [share * 60 / 100 for share in shares]


def measure(note, agent, plane, docker, arguments):
    image, tasks = demo_images.IMAGE, bench.TASKS
    plane.wait("opened", "connected")
    acknowledged, running, plain, stopped = one_by_one(plane, docker, image, arguments.count)
    note("payload of one task to durable ack, p50", statistics.median(acknowledged), "ms")
    note("payload of one task to durable ack, p99", bench.percentile(acknowledged, 0.99), "ms", "aim <= 5")
    note("one container, plain API, p50", statistics.median(plain), "ms")
    note("payload to RUNNING reported, p50", statistics.median(running), "ms")
    above = statistics.median(running) - statistics.median(plain)
    note("payload to RUNNING reported above plain API, p50", above, "ms", "aim <= 20")
    note("die event to STOPPED reported, p50", statistics.median(stopped), "ms", "aim <= 5")
    note("die event to STOPPED reported, p90", bench.percentile(stopped, 0.9), "ms")
    bench.remove(agent, [it["taskId"] for it in agent.tasks()])

    own, rounds = [], {concurrency: [] for concurrency in bench.PLAIN_CONCURRENCY}
    for number in range(1, arguments.rounds + 1):
        for concurrency, times in rounds.items():
            times.append(bench.plain_round(docker, image, concurrency))
        took, ids = all_at_once(plane, image, number)
        latest = ", ".join(f"{at_once} at once {times[-1]:.2f} s" for at_once, times in rounds.items())
        print(f"  plain API: {latest}; agent: {took:.2f} s", flush=True)
        own.append(took)
        if number < arguments.rounds:
            stop_all(plane, agent, image, number, ids)
    best = min(statistics.median(times) for times in rounds.values())
    note(f"{tasks} tasks in one payload to RUNNING reported, median", statistics.median(own), "s")
    note("ratio to the plain API at its best", statistics.median(own) / best, "", "aim <= 1.10")

    cpu, engine = idle(plane, agent)
    note(f"CPU a minute, {tasks} tasks and telemetry: agent", cpu, "s")
    note(f"CPU a minute, {tasks} tasks and telemetry: with engine", cpu + engine, "s", "aim <= 0.5")
    note(f"RSS connected with {tasks} tasks", agent.rss_mb(), "MB", "aim <= 30")
    restarts = [restart(plane, agent) for _ in range(3)]
    note(f"kill -9 and restart with {tasks} tasks to connected, p50", statistics.median(restarts), "ms", "aim <= 300")
    note("return of the control plane to connected", reconnect(plane), "s", "aim <= 15")
    stop_all(plane, agent, image, 0, ids)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/release/berth")
    parser.add_argument("--control-plane", default="target/release/examples/control_plane")
    parser.add_argument("--count", type=int, default=100, help="tasks that are measured one by one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="also write the figures to this file")
    arguments = parser.parse_args()
    docker = Docker()
    demo_images.ensure(docker)
    directory = tempfile.mkdtemp(prefix="berth-bench-")
    figures = {}

    def note(name, value, unit, aim=""):
        figures[name] = round(value, 3)
        print(f"{name:58} {value:10.2f} {unit:4} {aim}", flush=True)

    plane = ControlPlane(arguments.control_plane)
    agent = bench.Agent(arguments.binary, directory, {**SETTINGS, "ECS_BACKEND_HOST": plane.url})
    try:
        agent.start()
        measure(note, agent, plane, docker, arguments)
        agent.stop()
        plane.end()
    finally:
        agent.kill()
        plane.kill()
        bench.sweep(docker)
        shutil.rmtree(directory, ignore_errors=True)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump(figures, out, indent=2)
            out.write("\n")


if __name__ == "__main__":
    main()
