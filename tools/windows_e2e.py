"""berth.exe under Wine against the real Docker Engine, from the console to a service.

    python3 tools/guard.py -- python3 tools/windows_e2e.py      after `python3 tools/windows.py build`

A named pipe of Wine leads to the engine's socket. In a prefix and a network namespace of its own, which has
169.254.170.2 on loopback as the host's adapter has it on Windows, it is shown that

- what the registry and Docker say of a Windows host counts where a task is planned: its family, its ports, and what
  is for Linux (Docker is a double there, since the real one is Linux's);
- `host setup` and `clean` may be repeated, give up in words without an administrator's rights, and are done again by an
  agent at its start (`netsh` is a double that keeps what it is told, and the address follows it);
- the agent in a console runs a task definition of its directory, and `ps`, `why` and `logs` ask it over the pipe of
  its admin API;
- the introspection API answers programs outside Wine;
- the credentials of the task's role are served at 169.254.170.2, port 80;
- a hundred clients at once, a quarter of them with streams, are served through the pipe of Docker;
- an agent that is killed goes on with the same container when it is started again;
- where another program has port 80 of that address, the agent runs on, `doctor` says so, and the port is taken as soon
  as it is free;
- the pipe of Docker may go away and come back, or take connections and never answer for a while;
- the service takes the place of another agent's, without its dependency on Docker, and directories that are made for the
  agent are closed to others;
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
import windows_docker
from docker_api import Docker, DockerError
from engine import wait_for

EXAMPLES = os.path.join(os.path.dirname(windows.EXE), "examples")
RELAY = os.path.join(EXAMPLES, "pipe_relay.exe")
CLIENTS = os.path.join(EXAMPLES, "docker_clients.exe")
PREFIX = os.path.join(windows.BUILT, "wine-e2e")
PIPE = r"\\.\pipe\docker_engine"
WINDOWS_PIPE = r"\\.\pipe\docker_of_windows"
NAMESPACE = "BERTH_WINE_NAMESPACE"
TASK_SERVER = "169.254.170.2"
ROLE = "arn:aws:iam::000000000000:role/wine"
ENVIRONMENT_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
VERSION_KEY = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion"
SERVICE = "AmazonECS"
SERVICE_KEY = rf"HKLM\System\CurrentControlSet\Services\{SERVICE}"
ARN_LABEL = "com.amazonaws.ecs.task-arn"
FAMILY_LABEL = "com.amazonaws.ecs.task-definition-family"

# Wine needs a second to start a program on a busy machine, and a container some more.
UP_LIMIT_SECS = 60
COMMAND_LIMIT_SECS = 60

# Until the agent takes a Docker that hangs for one that is away: the deadline of a list, and then some.
HANG_LIMIT_SECS = 180


class StepFailed(Exception):
    """A step did not do what it should; the text says which and how."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what, limit=UP_LIMIT_SECS):
    if not wait_for(condition, limit):
        raise StepFailed(f"not within {limit} s: {what}")


def is_free(address, port):
    """Whether a program could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind((address, port))
            return True
        return False


def says(address, port):
    """What whoever listens there sends before it is asked anything."""
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=5) as peer:
        return peer.recv(64).decode(errors="replace").strip()
    return ""


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
        self.environment = {**windows.environment(), "WINEPREFIX": PREFIX,
                            "WINEDLLOVERRIDES": "mscoree,mshtml=d;netsh.exe=n"}
        # What tells these programs of each other is no setting of the agent's.
        for name in [name for name in self.environment if name.startswith(("BERTH_", "ECS_"))]:
            del self.environment[name]
        self.relay = None
        self.disk = os.path.join(PREFIX, "drive_c")

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

    def relayed(self, pipe, port):
        relay = self.spawn([windows.WINE, RELAY, pipe, f"127.0.0.1:{port}"], output=subprocess.PIPE)
        line = relay.stdout.readline().strip()
        expect(line == "listening", f"the relay says {line!r}")
        return relay

    def start_relay(self):
        self.relay = self.relayed(PIPE, self.engine)

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
        """None = it has not said."""
        try:
            self.introspect("/readyz")
        except urllib.error.HTTPError:
            return False
        except OSError:
            return None
        return True

    def task(self):
        """The task as the admin API shows it, or None."""
        with contextlib.suppress(ValueError, StepFailed):
            shown = self.berth("ps", "--json", check=False)
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
        error = windows.make_prefix(PREFIX) or windows.put_netsh(PREFIX)
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

    # A Windows host.

    def plan(self, definition):
        """Whether the task fits a host whose Docker is for Windows, and the words."""
        path = os.path.join(self.drive, "plan.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(definition, file)
        env = {**self.environment, "DOCKER_HOST": "npipe:////./pipe/docker_of_windows", "ECS_DATADIR": r"C:\berth\plan"}
        said = self.wine(windows.EXE, "plan", r"C:\berth\plan.json", check=False, env=env)
        expect("Docker does not answer" not in said, f"the Docker of Windows is asked: {said}")
        return "The task is refused" not in said, said

    def plans_for_a_windows_host(self):
        port = windows_docker.serve(self.stack)
        relay = self.relayed(WINDOWS_PIPE, port)

        def registry(*words):
            self.wine("reg", *words[:1], VERSION_KEY, *words[1:], "/f")

        def task(**more):
            container = {"name": "web", "image": "web:1", "memory": 512, "portMappings": more.pop("ports", [])}
            return {"family": "plan", "containerDefinitions": [container], **more}

        def constraint(text):
            return task(placementConstraints=[{"type": "memberOf", "expression": text}])

        core = constraint("ecs.os-type == 'windows' and ecs.os-family == WINDOWS_SERVER_2022_CORE")
        # Wine has no kind of installation: the host is just `windows`.
        fits, said = self.plan(core)
        expect(not fits and 'ecs.os-family is "windows"' in said, f"without a kind of installation: {said}")
        before = self.wine("reg", "query", VERSION_KEY, "/v", "CurrentBuildNumber").split()[-1]
        registry("add", "/v", "InstallationType", "/d", "Server Core")
        registry("add", "/v", "CurrentBuildNumber", "/d", "20348")
        fits, said = self.plan(core)
        expect(fits, f"the registry says 2022 and Core: {said}")
        registry("add", "/v", "CurrentBuildNumber", "/d", "18363")
        fits, said = self.plan(core)
        expect(not fits and 'ecs.os-family is "windows"' in said, f"a build without a name: {said}")
        registry("add", "/v", "CurrentBuildNumber", "/d", before)
        registry("delete", "/v", "InstallationType")
        for definition, word in [
                (task(ports=[{"containerPort": 80, "hostPort": 80}]), "port 80/tcp of this host is reserved"),
                (task(runtimePlatform={"operatingSystemFamily": "LINUX"}), "this host runs windows containers"),
                (task(networkMode="host"), "Windows containers cannot share this namespace"),
                (task(requiresCompatibilities=["FARGATE"]), "made for FARGATE only")]:
            fits, said = self.plan(definition)
            expect(not fits and word in said, f"{word}: {said}")
        fits, said = self.plan(task(ports=[{"containerPort": 80, "hostPort": 0}]))
        expect(fits and '"nat"' in said, f"a port that Docker chooses, in the network of Windows: {said}")
        os.killpg(relay.pid, signal.SIGKILL)

    # What the host is told.

    def netsh(self):
        """What netsh was asked to change, and how many rules there are."""
        def lines(name):
            with contextlib.suppress(FileNotFoundError), open(os.path.join(self.disk, name), encoding="utf-8") as file:
                return file.read().splitlines()
            return []
        return lines("netsh.log"), len(lines("netsh.rules"))

    def adds(self):
        return sum("ipv4 add address" in line for line in self.netsh()[0])

    def address(self, verb):
        subprocess.run(["ip", "address", verb, f"{TASK_SERVER}/32", "dev", "lo"], check=True)

    def gives_the_address(self, told):
        """Does to the network what netsh was told, once it is told."""
        def asked():
            return self.adds() > told
        until(asked, "netsh is told to add the address")
        self.address("add")

    def sets_the_host_up(self):
        deny = os.path.join(self.disk, "netsh.deny")
        self.address("del")
        with open(deny, "w", encoding="utf-8"):
            pass
        said = self.berth("host", "setup", check=False)
        expect("does the agent run as an administrator" in said, f"without rights: {said}")
        os.remove(deny)
        adds = self.adds()
        setup = self.spawn([windows.WINE, windows.EXE, "host", "setup"], output=subprocess.PIPE)
        self.gives_the_address(adds)
        said = setup.communicate(timeout=COMMAND_LIMIT_SECS)[0]
        expect(setup.returncode == 0 and "is an address of this host" in said, f"set up: {said}")
        before, rules = self.netsh()
        expect(rules == 1, f"one rule: {before}")
        expect("vEthernet (nat)" in before[-3], f"the adapter of Docker's network: {before}")
        self.berth("host", "setup")
        after, rules = self.netsh()
        expect(rules == 1, f"still one rule: {after}")
        added = [line for line in after[len(before):] if "ipv4" in line]
        expect(not added, f"an address that is there is not given again: {added}")
        for _ in range(2):
            self.berth("host", "clean")
            self.address_is_gone()
        expect(self.netsh()[1] == 0, "no rule is left")

    def sets_server_2016_up(self):
        """Where the adapter of Docker's network has another name."""
        other = os.path.join(self.disk, "netsh.2016")
        with open(other, "w", encoding="utf-8"):
            pass
        adds = self.adds()
        setup = self.spawn([windows.WINE, windows.EXE, "host", "setup"], output=subprocess.PIPE)
        # The usual name comes first, and is refused.
        self.gives_the_address(adds + 1)
        said = setup.communicate(timeout=COMMAND_LIMIT_SECS)[0]
        asked = [line for line in self.netsh()[0] if "ipv4 add address" in line]
        given = "vEthernet (HNS Internal NIC)" in asked[-1] and "is an address of this host" in said
        expect(setup.returncode == 0 and given, f"set up as of 2016: {asked[-2:]}, {said}")
        self.berth("host", "clean")
        self.address_is_gone()
        os.remove(other)

    def address_is_gone(self):
        """Takes the address away once netsh has been told to."""
        expect(not os.path.exists(os.path.join(self.disk, "netsh.address")), "netsh has taken the address away")
        with contextlib.suppress(subprocess.CalledProcessError):
            self.address("del")

    def has_a_hundred_clients(self, container):
        said = self.wine(CLIENTS, "npipe:////./pipe/docker_engine", container[0])
        expect("100 of 100 clients were served" in said, f"the clients say: {said}")

    def is_closed(self, name):
        """Wine makes modes of the access lists of directories that are made, and hands a group what administrators get."""
        mode = os.stat(os.path.join(self.drive, name)).st_mode & 0o777
        expect(mode & 0o707 == 0o700, f"{name} is closed to others: {mode:o}")

    def put_task(self):
        definition = {"family": self.family, "networkMode": "bridge", "taskRoleArn": ROLE, "containerDefinitions": [{
            "name": "web", "image": demo_images.IMAGE, "essential": True, "cpu": 16, "memory": 32,
            "command": ["sh", "-c", "trap 'exit 0' TERM; echo said by the container; while :; do echo tick; sleep 1; done"]}]}
        path = os.path.join(self.tasks, "web.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(definition, file)
        os.replace(path + ".new", path)

    def runs_in_a_console(self):
        # The host has been restarted: the agent gives it the address again.
        adds = self.adds()
        agent = self.start_agent()
        self.gives_the_address(adds)
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
        self.is_closed("data dir")
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
        # Wine's server may hold the pipe of the admin API for a moment longer than the agent is there.
        until(lambda: "there is no agent socket" in self.berth("ps", check=False), "a command says that there is no agent")
        agent = self.start_agent()
        until(lambda: self.status() == "RUNNING", "the task is known after the kill")
        expect(self.running() == container, "it is the same container")
        return agent

    def doctor(self, name):
        """What `doctor` says of one thing."""
        shown = self.berth("doctor", "--json", check=False)
        with contextlib.suppress(ValueError):
            return next(check["message"] for check in json.loads(shown) if check["name"] == name)
        return shown

    def waits_for_port_80(self, agent, container):
        os.killpg(agent.pid, signal.SIGKILL)
        agent.wait()
        # Wine's server holds what a program listened at for a moment longer than the program is there.
        until(lambda: is_free(TASK_SERVER, 80), "Wine lets go of port 80")
        stranger = self.spawn(["socat", f"TCP-LISTEN:80,bind={TASK_SERVER},fork,reuseaddr", "SYSTEM:echo stranger"])
        until(lambda: says(TASK_SERVER, 80) == "stranger", "the stranger has port 80")
        agent = self.start_agent()
        until(lambda: self.status() == "RUNNING", "the agent runs without port 80")
        until(lambda: "is no agent" in self.doctor("address"), "doctor names the stranger at port 80")
        expect(self.running() == container, "it is the same container")
        os.killpg(stranger.pid, signal.SIGKILL)
        stranger.wait()
        until(lambda: "the agent answers at" in self.doctor("address"), "the agent has port 80 again")
        return agent

    def bears_a_docker_that_goes(self, container):
        os.killpg(self.relay.pid, signal.SIGKILL)
        self.relay.wait()
        until(lambda: self.is_ready() is False, "the agent says that it is without Docker")
        expect(self.status() == "RUNNING", "what was known of the task stays")
        self.start_relay()
        until(self.is_ready, "the agent has found Docker again")
        expect(self.running() == container, "it is the same container")

    def bears_a_docker_that_hangs(self, container):
        # Wine's server goes on taking connections for a program that is held.
        os.killpg(self.relay.pid, signal.SIGSTOP)
        said = self.doctor("docker")
        expect("no answer within" in said, f"doctor says of a Docker that hangs: {said}")
        until(lambda: self.is_ready() is False, "the agent says that Docker does not answer", HANG_LIMIT_SECS)
        expect(self.status() == "RUNNING", "what was known of the task stays")
        os.killpg(self.relay.pid, signal.SIGCONT)
        until(self.is_ready, "Docker answers again")
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
        self.wine("sc", "create", SERVICE, "binPath=", r"C:\other\agent.exe", "start=", "demand", "depend=", "Docker")
        expect("DependOnService" in self.wine("reg", "query", SERVICE_KEY), "another agent's service waits for Docker")
        self.berth("service", "install")
        expect("stopped" in self.berth("service", "status"), "it is installed and stopped")
        kept = self.wine("reg", "query", SERVICE_KEY)
        expect("berth.exe" in kept and "C:\\other" not in kept, f"the program is ours: {kept}")
        depends = [line for line in kept.splitlines() if "DependOnService" in line and "Docker" in line]
        expect(not depends, f"it waits for nothing: {depends}")
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
        self.is_closed("log")
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

        def port():
            state["agent"] = self.waits_for_port_80(state["agent"], state["container"])

        steps += [
            ("plans for a Windows host", self.plans_for_a_windows_host),
            ("host set-up", self.sets_the_host_up),
            ("host set-up of Server 2016", self.sets_server_2016_up),
            ("in a console", console),
            ("credentials on port 80", lambda: self.serves_credentials(state["container"])),
            ("a hundred clients", lambda: self.has_a_hundred_clients(state["container"])),
            ("killed and started again", kill),
            ("port 80 with somebody else", port),
            ("without Docker for a while", lambda: self.bears_a_docker_that_goes(state["container"])),
            ("with a Docker that hangs", lambda: self.bears_a_docker_that_hangs(state["container"])),
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
