"""berth.exe under Wine against the real Docker Engine, from the console to a service.

    python3 tools/guard.py -- python3 tools/windows_e2e.py      after `python3 tools/windows.py build`

A named pipe of Wine leads to the engine's socket. In a prefix and a network namespace of its own, which has
169.254.170.2 on loopback as the host's adapter has it on Windows, it is shown that

- the agent in a console runs a task definition of its directory, and `ps`, `why` and `logs` ask it over the pipe of
  its admin API;
- the introspection API answers programs outside Wine;
- the credentials of the task's role are served at 169.254.170.2, port 80;
- an agent that is killed goes on with the same container when it is started again;
- the pipe of Docker may go away and come back;
- installed as a service it is started, asked and stopped by the service manager, with settings from the registry and
  its log in a file, and the container goes on meanwhile;
- removing the file stops the task, and nothing of it is left.

Exits with 1 at the first thing that is not so, and clears away what it had started.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import demo_images
import windows
from docker_api import Docker, DockerError
from engine import wait_for

RELAY = os.path.join(os.path.dirname(windows.EXE), "examples", "pipe_relay.exe")
PREFIX = os.path.join(windows.BUILT, "wine-e2e")
PIPE = r"\\.\pipe\docker_engine"
NAMESPACE = "BERTH_WINE_NAMESPACE"
TASK_SERVER = "169.254.170.2"
ROLE = "arn:aws:iam::000000000000:role/wine"
ENVIRONMENT_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
SERVICE = "AmazonECS"
ARN_LABEL = "com.amazonaws.ecs.task-arn"
FAMILY_LABEL = "com.amazonaws.ecs.task-definition-family"

# Wine needs a second to start a program on a busy machine, and a container some more.
UP_LIMIT_SECS = 60
COMMAND_LIMIT_SECS = 60


class StepFailed(Exception):
    """A step did not do what it should; the text says which and how."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what, limit=UP_LIMIT_SECS):
    if not wait_for(condition, limit):
        raise StepFailed(f"not within {limit} s: {what}")


def expect(condition, what):
    if not condition:
        raise StepFailed(what)


class Run:
    """One run, with everything that must be cleared away after it."""

    def __init__(self):
        self.docker = Docker()
        self.family = f"wine-{os.getpid()}"
        self.introspection, self.task_server, self.engine = free_port(), free_port(), free_port()
        self.stack = contextlib.ExitStack()
        self.drive = os.path.join(PREFIX, "drive_c", "berth")
        self.tasks = os.path.join(self.drive, "tasks")
        self.log = os.path.join(self.drive, "log", "service.log")
        self.environment = {**windows.environment(), "WINEPREFIX": PREFIX}
        # What tells these programs of each other is no setting of the agent's.
        for name in [name for name in self.environment if name.startswith(("BERTH_", "ECS_"))]:
            del self.environment[name]
        self.relay = None

    def settings(self):
        """Of the agent, as environment variables."""
        return {
            "ECS_DATADIR": r"C:\berth\data dir",
            "ECS_LOGFILE": r"C:\berth\log\service.log",
            "BERTH_TASKS_DIR": r"C:\berth\tasks",
            "BERTH_INTROSPECTION_ADDRESS": f"127.0.0.1:{self.introspection}",
            "BERTH_TASK_SERVER_ADDRESS": f"127.0.0.1:{self.task_server}",
            "BERTH_TASK_ADDRESS": "True",
            "BERTH_CREDENTIALS": "dev",
            "BERTH_CREDENTIALS_FILE": r"C:\berth\credentials.json",
            "BERTH_BLOCK_INSTANCE_METADATA": "False",
            "ECS_IMAGE_PULL_BEHAVIOR": "prefer-cached",
        }

    # Programs.

    def spawn(self, command, env=None, output=None):
        child = subprocess.Popen(command, env=env or self.environment, stdin=subprocess.DEVNULL, text=True,
                                 stdout=output or subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True)
        self.stack.callback(lambda: child.poll() is None and child.kill())
        return child

    def wine(self, *command, check=True, env=None):
        """What a program under Wine prints; it has to do well unless `check` is off."""
        try:
            done = subprocess.run([windows.WINE, *command], env=env or self.environment, check=False, text=True,
                                  errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=COMMAND_LIMIT_SECS)
        except subprocess.TimeoutExpired as late:
            raise StepFailed(f"{command}: not done within {COMMAND_LIMIT_SECS} s") from late
        if check and done.returncode != 0:
            raise StepFailed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
        return done.stdout

    def berth(self, *arguments, check=True):
        return self.wine(windows.EXE, *arguments, check=check)

    def start_relay(self):
        self.relay = self.spawn([windows.WINE, RELAY, PIPE, f"127.0.0.1:{self.engine}"], output=subprocess.PIPE)
        line = self.relay.stdout.readline().strip()
        expect(line == "listening", f"the relay says {line!r}")

    def start_agent(self):
        log = self.stack.enter_context(open(os.path.join(self.drive, "agent.log"), "a", encoding="utf-8"))
        return self.spawn([windows.WINE, windows.EXE, "agent"], {**self.environment, **self.settings()}, log)

    # What is there.

    def fetch(self, url):
        # Nothing between here and there: no proxy that the environment may name.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=10) as answer:
            return json.load(answer)

    def introspect(self, path):
        return self.fetch(f"http://127.0.0.1:{self.introspection}{path}")

    def is_ready(self):
        try:
            self.introspect("/readyz")
        except urllib.error.HTTPError:
            return False
        return True

    def task(self):
        """The task as the admin API shows it, or None."""
        shown = self.berth("ps", "--json", check=False)
        with contextlib.suppress(ValueError):
            tasks = json.loads(shown)["tasks"]
            return next((task for task in tasks if task["family"] == self.family), None)
        return None

    def status(self):
        return (self.task() or {}).get("status")

    def containers(self):
        return self.docker.containers(f"{FAMILY_LABEL}={self.family}")

    def running(self):
        return [each["Id"] for each in self.containers() if each["State"] == "running"]

    # The steps.

    def set_up(self):
        shutil.rmtree(PREFIX, ignore_errors=True)
        error = windows.make_prefix(PREFIX)
        expect(not error, error)
        self.stack.callback(windows.end_wine, PREFIX)
        os.makedirs(self.tasks)
        fixed = {"AccessKeyId": "wine-id", "SecretAccessKey": "wine-secret", "Token": "wine-token"}
        with open(os.path.join(self.drive, "credentials.json"), "w", encoding="utf-8") as file:
            json.dump(fixed, file)
        demo_images.ensure(self.docker)
        self.stack.callback(self.clear_docker)
        self.spawn(["socat", f"TCP-LISTEN:{self.engine},bind=127.0.0.1,fork,reuseaddr",
                    f"UNIX-CONNECT:{self.docker.path}"])
        self.start_relay()

    def clear_docker(self):
        for container in self.containers():
            self.docker.remove_container(container["Id"])

    def put_task(self):
        definition = {"family": self.family, "networkMode": "bridge", "taskRoleArn": ROLE, "containerDefinitions": [{
            "name": "web", "image": demo_images.IMAGE, "essential": True, "cpu": 16, "memory": 32,
            "command": ["sh", "-c", "trap 'exit 0' TERM; echo said by the container; while :; do echo tick; sleep 1; done"]}]}
        path = os.path.join(self.tasks, "web.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(definition, file)
        os.replace(path + ".new", path)

    def runs_in_a_console(self):
        agent = self.start_agent()
        self.put_task()
        until(lambda: self.status() == "RUNNING", "the task of the directory runs")
        container = self.running()
        expect(len(container) == 1, f"one container runs: {container}")
        why = self.berth("why", self.task()["taskArn"])
        expect("RUNNING" in why.upper(), f"why says: {why}")
        logs = self.berth("logs", self.task()["taskArn"])
        expect("said by the container" in logs, f"logs say: {logs}")
        follow = self.spawn([windows.WINE, windows.EXE, "logs", "--follow", "--tail", "0", self.task()["taskArn"]],
                            output=subprocess.PIPE)
        lines = [follow.stdout.readline().strip() for _ in range(3)]
        os.killpg(follow.pid, signal.SIGKILL)
        expect(lines == ["tick"] * 3, f"logs are followed: {lines}")
        events = self.berth("events", self.task()["taskArn"])
        expect("Started" in events, f"events say: {events}")
        answer = self.introspect("/v1/tasks")
        expect(any(task.get("Family") == self.family for task in answer["Tasks"]), f"introspection says: {answer}")
        return agent, container

    def serves_credentials(self, container):
        variables = dict(line.split("=", 1) for line in self.docker.inspect(container[0])["Config"]["Env"])
        path = variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
        answer = self.fetch(f"http://{TASK_SERVER}{path}")
        expect(answer["AccessKeyId"] == "wine-id" and answer["RoleArn"] == ROLE, "the role of the task is served")
        metadata = self.fetch(variables["ECS_CONTAINER_METADATA_URI_V4"])
        expect(metadata["Name"] == "web", f"metadata says: {metadata}")

    def outlives_a_kill(self, agent, container):
        os.killpg(agent.pid, signal.SIGKILL)
        agent.wait()
        gone = self.berth("ps", check=False)
        expect("there is no agent socket" in gone, f"a command without an agent says: {gone}")
        agent = self.start_agent()
        until(lambda: self.status() == "RUNNING", "the task is known after the kill")
        expect(self.running() == container, "it is the same container")
        return agent

    def bears_a_docker_that_goes(self, container):
        os.killpg(self.relay.pid, signal.SIGKILL)
        self.relay.wait()
        until(lambda: not self.is_ready(), "the agent says that it is without Docker")
        expect(self.status() == "RUNNING", "what was known of the task stays")
        self.start_relay()
        until(self.is_ready, "the agent has found Docker again")
        expect(self.running() == container, "it is the same container")

    def ends_in_a_console(self, agent, container):
        os.killpg(agent.pid, signal.SIGINT)
        until(lambda: agent.poll() is not None, "the agent ends on Ctrl-C", 30)
        expect(agent.returncode == 0, f"it ends well: {agent.returncode}")
        expect(self.running() == container, "the container goes on")

    def is_a_service(self, container):
        for name, text in self.settings().items():
            self.wine("reg", "add", ENVIRONMENT_KEY, "/v", name, "/d", text, "/f")
        # Wine's service manager reads them when it begins.
        windows.end_wine(PREFIX)
        self.relay.wait()
        self.start_relay()
        self.berth("service", "install")
        expect("stopped" in self.berth("service", "status"), "it is installed and stopped")
        # A second time changes nothing.
        self.berth("service", "install")
        # Wine gives a program ten seconds to become a service, which is little on a busy machine.
        until(lambda: "running" in self.berth("service", "start", check=False), "it runs")
        until(lambda: self.status() == "RUNNING", "the service knows the task")
        expect(self.running() == container, "it is the same container")
        expect(self.introspect("/v1/tasks")["Tasks"], "introspection answers")
        self.berth("service", "stop")
        expect("stopped" in self.berth("service", "status"), "it is stopped")
        expect(self.running() == container, "the container goes on")
        with open(self.log, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        stops = [line for line in lines if line.get("event") == "stopping"]
        expect([line["signal"] for line in stops] == ["service stop"], f"the log tells of the stop: {stops}")
        # Started again by the service manager's own program.
        self.wine("net", "start", SERVICE, check=False)
        until(lambda: self.status() == "RUNNING", "the service knows the task again")

    def forgets_the_task(self):
        os.remove(os.path.join(self.tasks, "web.json"))
        until(lambda: not self.running(), "the task of a file that is gone is stopped")
        task = self.task()
        if task:
            self.berth("rm", task["taskArn"])
        until(lambda: not self.containers(), "nothing of it is left")
        self.berth("service", "uninstall")
        expect("not installed" in self.berth("service", "status"), "the service is gone")

    def all(self):
        steps = [("set-up", self.set_up)]
        state = {}

        def console():
            state["agent"], state["container"] = self.runs_in_a_console()

        def kill():
            state["agent"] = self.outlives_a_kill(state["agent"], state["container"])

        steps += [
            ("in a console", console),
            ("credentials on port 80", lambda: self.serves_credentials(state["container"])),
            ("killed and started again", kill),
            ("without Docker for a while", lambda: self.bears_a_docker_that_goes(state["container"])),
            ("ended by Ctrl-C", lambda: self.ends_in_a_console(state["agent"], state["container"])),
            ("as a service", lambda: self.is_a_service(state["container"])),
            ("the end of the task", self.forgets_the_task),
        ]
        for name, step in steps:
            began = time.monotonic()
            step()
            windows.say(f"e2e: {name}: good ({time.monotonic() - began:.1f} s)")

    def show_logs(self):
        for path in [os.path.join(self.drive, "agent.log"), self.log]:
            with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
                print(f"--- {path}", file=sys.stderr)
                print("".join(file.readlines()[-40:]), file=sys.stderr)


def own_network():
    """Starts this program anew in a network of its own; returns there only. Wine's sockets are its server's, which is
    started there too."""
    if os.environ.get(NAMESPACE):
        for words in ("link set lo up", f"address add {TASK_SERVER}/32 dev lo"):
            subprocess.run(["ip", *words.split()], check=True)
        return
    os.environ[NAMESPACE] = "1"
    os.execvp("unshare", ["unshare", "--net", "--", sys.executable, os.path.abspath(__file__)])


def main():
    own_network()
    run = Run()
    with run.stack:
        try:
            run.all()
        except (StepFailed, DockerError, OSError) as error:
            windows.fail(f"e2e: {error}")
            run.show_logs()
            return 1
    # Half a gigabyte; one that has something to tell stays until the next run.
    shutil.rmtree(PREFIX, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
