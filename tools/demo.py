"""The demonstration: one task definition from file to running service and back to nothing.

It drives the `berth` program as a person would, shows each command with what it prints, and checks every step:
the page is fetched over HTTP, and at the end Docker is asked whether anything of the task is left. It exits with
1 at the first step that does not do what it should, after clearing away what it had started.

    python3 tools/demo.py                    builds berth, then runs
    python3 tools/demo.py --binary PATH      runs a berth that is built already
"""

import argparse
import contextlib
import glob
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import demo_images
from docker_api import Docker, DockerError
from engine import ROOT, wait_for

EXAMPLE = os.path.join("examples", "web.json")
PAGE = "Served by a task"
WEB_PORT = "8080/tcp"

ARN_LABEL = "com.amazonaws.ecs.task-arn"
NAME_LABEL = "com.amazonaws.ecs.container-name"
FAMILY_LABEL = "com.amazonaws.ecs.task-definition-family"
# Where a task's cgroup may be: cgroup v1, and v2 with either driver of Docker.
CGROUPS = ["/sys/fs/cgroup/*/ecs/{task}", "/sys/fs/cgroup/ecs/{task}", "/sys/fs/cgroup/ecstasks-{task}.slice"]
ARN = re.compile(r"arn:aws[\w-]*:ecs:[\w-]*:\d*:task/[\w/-]+")

# The health check first runs after 5 s; the rest is room for a busy machine with two cores.
UP_LIMIT_SECS = 90
# The containers stop on SIGTERM at once; their stopTimeout is 10 s each, one after the other.
DOWN_LIMIT_SECS = 60
COMMAND_LIMIT_SECS = 30
POLL_SECS = 0.3
# Long enough for two rounds of the sidecar, so that its lines are seen.
WATCH_SECS = 5

STEPS = 9


class StepFailed(Exception):
    """A step did not do what it should; the text says which and how."""


class Screen:
    """Where progress goes: colours on a terminal only."""

    def __init__(self):
        self.colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.number = 0

    def _paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def step(self, text):
        self.number += 1
        print(self._paint("1;36", f"\n[{self.number}/{STEPS}] {text}"), flush=True)

    def command(self, arguments):
        print(self._paint("1", f"$ {shlex.join(arguments)}"), flush=True)

    def note(self, text):
        print(f"  {text}", flush=True)

    def good(self, text):
        print(self._paint("32", f"  {text}"), flush=True)

    def bad(self, text):
        print(self._paint("1;31", text), file=sys.stderr, flush=True)


class Demo:
    """One run, with everything that must be cleared away after it."""

    def __init__(self, binary, directory, screen):
        self.binary = binary
        self.directory = directory
        self.screen = screen
        self.docker = Docker()
        self.arns = set()
        self.families = set()
        self.volumes = set()
        self.children = contextlib.ExitStack()
        self.data = os.path.join(directory, "data")
        self.tasks = os.path.join(directory, "tasks")

    # Running berth.

    def _environment(self, data):
        # The image exists on this host only, so nobody is asked for it.
        return {**os.environ, "ECS_DATADIR": data, "ECS_IMAGE_PULL_BEHAVIOR": "prefer-cached",
                "BERTH_TASK_ADDRESS": "false", "BERTH_BLOCK_INSTANCE_METADATA": "false"}

    def berth(self, *arguments, quiet=False):
        """Output of one berth command; what it prints is shown too unless `quiet`."""
        if not quiet:
            self.screen.command(["berth", *arguments])
        try:
            done = subprocess.run([self.binary, *arguments], env=self._environment(self.data), cwd=ROOT, check=False,
                                  text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=COMMAND_LIMIT_SECS)
        except subprocess.TimeoutExpired as late:
            raise StepFailed(f"berth {arguments[0]} was not done within {COMMAND_LIMIT_SECS} s") from late
        if not quiet:
            for line in done.stdout.splitlines():
                self.screen.note(line)
        if done.returncode != 0:
            raise StepFailed(f"berth {shlex.join(arguments)}: exit code {done.returncode}\n{done.stdout}")
        return done.stdout

    def spawn(self, data, arguments, output):
        """Starts berth in a process group of its own; it is killed at the end if it still runs."""
        self.screen.command(["berth", *arguments])
        child = subprocess.Popen([self.binary, *arguments], env=self._environment(data), cwd=ROOT,
                                 stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                 start_new_session=True)
        self.children.callback(lambda: child.poll() is None and child.kill())
        return child

    # Looking at Docker, so that berth's word is not the only one.

    def containers(self, arn=None):
        """Inspected containers of the task (or of all tasks of this run) by container name."""
        found = {}
        for task in [arn] if arn else sorted(self.arns):
            for listed in self.docker.containers(f"{ARN_LABEL}={task}"):
                shown = self.docker.inspect(listed["Id"])
                if shown:
                    mounts = (mount for mount in shown["Mounts"] if mount["Type"] == "volume")
                    self.volumes.update(mount["Name"] for mount in mounts)
                    found[shown["Config"]["Labels"][NAME_LABEL]] = shown
        return found

    def learn(self, family):
        """Containers of a family that belongs to this run alone; their tasks count as ours from now on."""
        listed = self.docker.containers(f"{FAMILY_LABEL}={family}")
        self.arns.update(one["Labels"][ARN_LABEL] for one in listed)
        return listed

    def leftovers(self):
        """Containers, volumes and cgroups of tasks of this run that are still there."""
        left = [f"container {shown['Name'].lstrip('/')}" for shown in self.containers().values()]
        left += [f"volume {volume['Name']}" for volume in self.docker.volumes() if volume["Name"] in self.volumes]
        for task in map(short, self.arns):
            left += [f"cgroup {path}" for pattern in CGROUPS for path in glob.glob(pattern.format(task=task))]
        return left

    def watch(self, arn, alive):
        """Shows each change of the containers until the sidecar runs; the sidecar comes last."""
        seen = {}
        asked = False
        end = time.monotonic() + UP_LIMIT_SECS
        while True:
            containers = self.containers(arn)
            for name, shown in containers.items():
                now = describe(shown["State"])
                if seen.get(name) != now:
                    self.screen.note(f"{name}: {now}")
                    seen[name] = now
            if seen.get("sidecar") == "running":
                return containers
            if "web" in seen and not asked:
                asked = True
                self.berth("why", short(arn))
            if not alive():
                raise StepFailed("berth ended while the task came up")
            if time.monotonic() > end:
                raise StepFailed(f"the task was not up within {UP_LIMIT_SECS} s; last seen: {seen}")
            time.sleep(POLL_SECS)

    def fetch(self, web):
        """Gets the page through the published port."""
        port = web["NetworkSettings"]["Ports"][WEB_PORT][0]["HostPort"]
        url = f"http://127.0.0.1:{port}/"
        self.screen.command(["GET", url])
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=COMMAND_LIMIT_SECS) as answer:
            page = answer.read().decode()
        self.screen.note(page.strip())
        if PAGE not in page:
            raise StepFailed("the page is not the one that the init container wrote")

    def new_arn(self, listing):
        """ARN of the task that the listing names and that this run has not seen."""
        fresh = [arn for arn in ARN.findall(listing) if arn not in self.arns]
        if not fresh:
            return None
        self.arns.add(fresh[0])
        return fresh[0]

    def clear(self):
        """Ends what still runs and removes what is still there; the last resort after a failure."""
        self.children.close()
        with contextlib.suppress(DockerError):
            for family in self.families:
                self.learn(family)
            for shown in self.containers().values():
                self.docker.remove_container(shown["Id"])
            for left in self.leftovers():
                kind, name = left.split(" ", 1)
                if kind == "volume":
                    self.docker.remove_volume(name)


def describe(state):
    """A container's state in a few words."""
    if state["Status"] == "exited":
        return f"exited with code {state['ExitCode']}"
    health = state.get("Health", {}).get("Status")
    return f"{state['Status']}, health {health}" if health else state["Status"]


def short(arn):
    """Task id: the last segment of the ARN."""
    return arn.rsplit("/", 1)[1]


def served_by_agent(demo, screen):
    """Steps 2 to 7: the agent with a directory of task definitions."""
    screen.step("What would be done with the task definition, before anything starts")
    demo.berth("plan", EXAMPLE)

    screen.step("The agent starts and watches a directory")
    log_path = os.path.join(demo.directory, "agent.log")
    with open(log_path, "w", encoding="utf-8") as log:
        agent = demo.spawn(demo.data, ["agent", "--data-dir", demo.data, "--tasks-dir", demo.tasks], log)
    try:
        socket = os.path.join(demo.data, "berth.sock")
        if not wait_for(lambda: os.path.exists(socket) or agent.poll() is not None, COMMAND_LIMIT_SECS):
            raise StepFailed(f"the agent did not open {socket} within {COMMAND_LIMIT_SECS} s")
        if agent.poll() is not None:
            raise StepFailed(f"the agent ended with code {agent.returncode}")
        screen.good(f"process {agent.pid} answers at its socket")

        screen.step("A task definition is put into the directory: init container, web service, sidecar")
        arn = put_file(demo, screen)
        containers = demo.watch(arn, lambda: agent.poll() is None)

        screen.step("The service is asked, and the agent about it")
        demo.fetch(containers["web"])
        demo.berth("ps")
        demo.berth("why", short(arn))
        time.sleep(WATCH_SECS)
        demo.berth("logs", short(arn))
        demo.berth("events")

        screen.step("The task is stopped: the sidecar first, then the service it depends on")
        demo.berth("stop", short(arn))
        stopped = lambda: all(not one["State"]["Running"] for one in demo.containers(arn).values())
        if not wait_for(stopped, DOWN_LIMIT_SECS):
            raise StepFailed(f"containers still run {DOWN_LIMIT_SECS} s after the stop")
        demo.berth("ps")

        screen.step("The task is removed, and the agent ends")
        os.remove(os.path.join(demo.tasks, "web.json"))
        demo.berth("rm", short(arn))
        if not wait_for(lambda: not demo.leftovers(), DOWN_LIMIT_SECS):
            raise StepFailed(f"still there after the removal: {', '.join(demo.leftovers())}")
        end_child(agent, signal.SIGTERM, "the agent")
        screen.good("no container, volume or cgroup of the task is left")
    except StepFailed:
        show_tail(log_path, screen)
        raise


def put_file(demo, screen):
    """Copies the example in as one rename, and waits until the agent lists the task."""
    target = os.path.join(demo.tasks, "web.json")
    screen.command(["cp", EXAMPLE, target])
    shutil.copy(os.path.join(ROOT, EXAMPLE), os.path.join(demo.directory, "web.json"))
    os.rename(os.path.join(demo.directory, "web.json"), target)
    found = []

    def listed():
        # An agent that still starts says so, and is asked again.
        try:
            shown = demo.berth("ps", "--json", quiet=True)
        except StepFailed:
            return False
        arn = demo.new_arn(shown)
        found.extend([arn] if arn else [])
        return bool(found)

    if not wait_for(listed, UP_LIMIT_SECS):
        raise StepFailed(f"the agent does not list the task {UP_LIMIT_SECS} s after its file came")
    screen.good(f"task {short(found[0])}")
    return found[0]


def own_family(directory):
    """A copy of the example under a family of its own, and that family.

    `berth run` names no task to ask for, so its containers are found by family; nobody else's must match.
    """
    with open(os.path.join(ROOT, EXAMPLE), encoding="utf-8") as file:
        definition = json.load(file)
    definition["family"] = f"web-{secrets.token_hex(4)}"
    path = os.path.join(directory, "run.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(definition, file)
    return path, definition["family"]


def run_in_foreground(demo, screen):
    """Step 8: the same definition without an agent, ended by Ctrl-C."""
    screen.step("The same definition in the foreground, without an agent; Ctrl-C ends it")
    data = os.path.join(demo.directory, "run")
    path, family = own_family(demo.directory)
    demo.families.add(family)
    child = demo.spawn(data, ["run", path, "--data-dir", data], None)

    def sidecar_runs():
        for one in demo.learn(family):
            if one["Labels"][NAME_LABEL] == "sidecar" and one["State"] == "running":
                return True
        return child.poll() is not None

    if not wait_for(sidecar_runs, UP_LIMIT_SECS):
        raise StepFailed(f"berth run had no running sidecar within {UP_LIMIT_SECS} s")
    if child.poll() is not None:
        raise StepFailed(f"berth run ended with code {child.returncode} before it was asked to")
    demo.containers()
    time.sleep(WATCH_SECS)
    screen.command(["Ctrl-C"])
    end_child(child, signal.SIGINT, "berth run")
    if demo.leftovers():
        raise StepFailed(f"left behind: {', '.join(demo.leftovers())}")


def end_child(child, number, what):
    """Sends the signal and waits for the end."""
    child.send_signal(number)
    try:
        code = child.wait(timeout=DOWN_LIMIT_SECS)
    except subprocess.TimeoutExpired as late:
        raise StepFailed(f"{what} did not end within {DOWN_LIMIT_SECS} s of its signal") from late
    print(f"  {what} ended with code {code}", flush=True)
    return code


def show_tail(path, screen):
    """The end of the agent's log, for whoever looks for the cause."""
    with open(path, encoding="utf-8", errors="replace") as log:
        lines = log.readlines()[-20:]
    screen.bad("the agent's last lines:\n" + "".join(lines))


def build(screen):
    """Builds berth and returns its path."""
    screen.command(["cargo", "build", "--all-features"])
    if subprocess.run(["cargo", "build", "--all-features"], cwd=ROOT, check=False).returncode != 0:
        raise StepFailed("cargo build failed")
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    return os.path.join(target, "debug", "berth")


def play(binary, directory, screen):
    """All steps; returns whether they all did what they should."""
    docker = Docker()
    demo = None
    loaded = False
    try:
        screen.step("berth is built, and the image of the example on the spot")
        binary = os.path.abspath(binary) if binary else build(screen)
        loaded = demo_images.ensure(docker)
        screen.good(f"image {demo_images.IMAGE}: {'loaded' if loaded else 'was there'}")
        demo = Demo(binary, directory, screen)
        os.makedirs(demo.tasks)
        served_by_agent(demo, screen)
        run_in_foreground(demo, screen)
        screen.step("Nothing is left behind")
        screen.good("no container, no volume, no cgroup, no process")
        return True
    except (StepFailed, DockerError, OSError) as error:
        screen.bad(f"\nstep {screen.number} failed: {error}")
        return False
    finally:
        if demo:
            demo.clear()
        if loaded:
            docker.remove_image(demo_images.IMAGE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="a berth that is built already")
    options = parser.parse_args()
    # So that `finally` runs when the demonstration is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    screen = Screen()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="berth-demo-") as directory:
        good = play(options.binary, directory, screen)
    took = time.monotonic() - began
    if good:
        screen.good(f"\ndemo: all {STEPS} steps did what they should, in {took:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
