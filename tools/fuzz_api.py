"""Sends requests to a running agent and compares each answer with the OpenAPI documents that it serves.

    python3 tools/fuzz_api.py [BINARY]     default target/debug/berth

First a client follows a task through its life and beyond, and asks what there is to ask; each answer must be one that
the document has, in status, type and body. Then schemathesis (PyPI) generates requests from both documents and makes
all of its usual checks, but for those in `LEFT_OUT`. Docker is not needed: the agent gets an address where none
answers, so no container is ever made. The tool lives in an environment of its own below `target/`; what it generates
is deterministic and limited, so that a run is bounded and repeats itself.
"""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import venv

import python_packages

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / "target" / "fuzz-api"
# Exactly these: a later one may ask more.
REQUIREMENTS = ["schemathesis==4.32.5", "hypothesis==6.170.17", "jsonschema_rs==0.60.3"]
EXAMPLES = "15"
CHUNK = 65536
START_LIMIT_SECS = 60
RUN_LIMIT_SECS = 1800
ASK_LIMIT_SECS = 30

# Streams that follow never end; readiness and health are 503 without Docker, as they should.
NOT_ASKED = ["readEvents", "readLogs", "readyz", "healthz"]

# What takes a task definition: generated ones are refused with 422 for what no schema says (names that must differ,
# containers that wait for each other), and the schema of the body is that of ECS, not ours.
WITH_DEFINITION = ["putTask", "createTask", "planTask"]

# Checks that are left out, for which operations.
LEFT_OUT = [(WITH_DEFINITION, ["positive_data_acceptance"])]


def tool() -> pathlib.Path:
    """The program, installed if need be."""
    program = ENVIRONMENT / "bin" / "schemathesis"
    if not program.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        if not python_packages.install(ENVIRONMENT / "bin" / "python", *REQUIREMENTS):
            raise SystemExit("fuzz_api: schemathesis cannot be installed")
    return program


def pump(source: socket.socket, target: socket.socket) -> None:
    """Passes bytes and their end on; the other direction is not its business."""
    try:
        while chunk := source.recv(CHUNK):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def forward(path: str) -> int:
    """Listens on a port of loopback and passes each connection on to the socket; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            client, _ = listener.accept()
            agent = socket.socket(socket.AF_UNIX)
            agent.connect(path)
            for pair in ((client, agent), (agent, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def until(condition, agent: subprocess.Popen) -> None:
    """Until that is so, while the agent is there."""
    end = time.monotonic() + START_LIMIT_SECS
    while time.monotonic() < end and agent.poll() is None:
        try:
            if condition():
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.1)
    raise SystemExit("fuzz_api: the agent does not answer")


def accepts(path: str) -> bool:
    """Whether somebody listens on the socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(path)
        return True


def answers(port: int, path: str) -> bool:
    """Whether that is served at the port: a listener may be there before what it serves."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_LIMIT_SECS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    finally:
        connection.close()


class Answer:
    """One answer of the agent."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.kind = (response.headers.get("content-type") or "").split(";")[0]
        self.text = response.read().decode()

    def values(self) -> list:
        """What is to fit the schema: lines of a stream one by one."""
        if self.kind == "application/x-ndjson":
            return [json.loads(line) for line in self.text.splitlines()]
        return [json.loads(self.text)] if self.kind.endswith("json") else [self.text]


class Client:
    """Asks at a port, and holds each answer to the document found there."""

    def __init__(self, port: int, document: str) -> None:
        self.port = port
        self.document = json.loads(self.send("GET", document, None).text)
        self.seen: set[str] = set()

    def send(self, method: str, path: str, body: object, headers: dict | None = None) -> Answer:
        """Sends a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ASK_LIMIT_SECS)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json", **(headers or {})})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def ask(self, status: int, method: str, path: str, body: object = None, headers: dict | None = None) -> list:
        """Asks, expects that status, and compares the answer with the document; gives what it holds."""
        import jsonschema_rs  # of the environment of the tool

        answer = self.send(method, path, body, headers)
        what = f"{method} {path}"
        if answer.status != status:
            raise SystemExit(f"fuzz_api: {what}: {answer.status} instead of {status}: {answer.text}")
        operation = self.operation(method, path)
        self.seen.add(operation["operationId"])
        written = operation["responses"].get(str(status)) or operation["responses"].get(f"{status // 100}XX")
        if written is None:
            raise SystemExit(f"fuzz_api: {what}: {status} is not in the document")
        content = written.get("content", {})
        if answer.kind not in content:
            raise SystemExit(f"fuzz_api: {what}: {answer.kind} is not in the document, but {list(content)}")
        schema = {**content[answer.kind]["schema"], "components": self.document["components"]}
        validator = jsonschema_rs.validator_for(schema)
        for value in answer.values():
            for error in validator.iter_errors(value):
                raise SystemExit(f"fuzz_api: {what}: {error}")
        return answer.values()

    def operation(self, method: str, path: str) -> dict:
        """What the document has of that request."""
        bare = path.split("?")[0].split("/")
        for template, item in self.document["paths"].items():
            parts = template.split("/")
            fits = len(parts) == len(bare) and all(
                part == given or part.startswith("{") for part, given in zip(parts, bare))
            if fits and method.lower() in item:
                return item[method.lower()]
        raise SystemExit(f"fuzz_api: {method} {path} is not in the document")


DEFINITION = {"family": "client", "containerDefinitions": [
    {"name": "app", "image": "registry.test/client:1", "memory": 32, "essential": True, "command": ["true"]}]}

# What there is to ask on both listeners, with a task of that id.
QUESTIONS = [
    (200, "/v1/tasks/{}"), (200, "/v1/tasks/{}/why"), (200, "/v1/tasks/{}/usage"), (200, "/v1/why"),
    (200, "/v1/events"), (200, "/v1/events?snapshot&limit=3"), (200, "/v1/resources"), (200, "/v1/images"),
    (200, "/v1/usage"), (200, "/v1/drain"), (200, "/v1/files"), (200, "/v1/config"), (200, "/v1/health"),
    (200, "/livez"), (503, "/readyz"), (503, "/healthz"), (200, "/metrics"),
    (404, "/v1/tasks/nobody"), (404, "/v1/tasks/nobody/why"), (404, "/v1/tasks/nobody/usage"),
    (404, "/v1/events?task=nobody"), (400, "/v1/why?deep=yes"), (400, "/v1/events?limit=many"),
]


def follow_a_task(admin: Client, beside: Client) -> None:
    """A task is put, looked at, stopped and removed; errors on the way."""
    put = admin.ask(201, "PUT", "/v1/tasks/client1", DEFINITION)[0]
    admin.ask(200, "PUT", "/v1/tasks/client1", DEFINITION)
    generation = put["generation"]
    admin.ask(200, "PUT", "/v1/tasks/client1", DEFINITION, {"If-Match": f'"{generation}"'})
    admin.ask(412, "PUT", "/v1/tasks/client1", DEFINITION, {"If-Match": f'"{generation + 1}"'})
    admin.ask(412, "PUT", "/v1/tasks/client2", DEFINITION, {"If-Match": '"1"'})
    admin.ask(400, "PUT", "/v1/tasks/client1", DEFINITION, {"If-Match": "1"})
    admin.ask(409, "PUT", "/v1/tasks/client1", {**DEFINITION, "family": "other"})
    refused = admin.ask(422, "PUT", "/v1/tasks/client3", {"family": "client", "containerDefinitions": []})[0]
    if not refused["errors"]:
        raise SystemExit("fuzz_api: a refused definition names no field")
    created = admin.ask(201, "POST", "/v1/tasks", DEFINITION)[0]
    admin.ask(200, "POST", "/v1/plan", DEFINITION)
    listed = admin.ask(200, "GET", "/v1/tasks?family=client&limit=1")[0]
    admin.ask(200, "GET", "/v1/tasks?after=" + urllib.parse.quote(listed["next"]))
    admin.ask(400, "GET", "/v1/tasks?limit=0")
    for client in [admin, beside]:
        for status, path in QUESTIONS:
            client.ask(status, "GET", path.format("client1"))
    for path in ["/docs", "/docs/page.js", "/docs/page.css"]:
        beside.ask(200, "GET", path)
    admin.ask(404, "GET", "/v1/tasks/client1/containers/other/logs")
    admin.ask(409, "GET", "/v1/tasks/client1/containers/app/logs")
    admin.ask(200, "PUT", "/v1/drain?reason=client")
    admin.ask(200, "GET", "/v1/drain")
    admin.ask(200, "DELETE", "/v1/drain")
    for identity in ["client1", created["taskId"]]:
        admin.ask(202, "POST", f"/v1/tasks/{identity}/stop?reason=enough")
        admin.ask(200, "GET", f"/v1/tasks/{identity}")
        admin.ask(202, "DELETE", f"/v1/tasks/{identity}")
    admin.ask(404, "POST", "/v1/tasks/nobody/stop")
    admin.ask(404, "DELETE", "/v1/tasks/nobody")
    for client, document in [(admin, "/v1/openapi.json"), (beside, "/openapi.json")]:
        client.ask(200, "GET", document)
        paths = client.document["paths"].values()
        unseen = {operation["operationId"] for item in paths for operation in item.values()} - client.seen
        if unseen:
            raise SystemExit(f"fuzz_api: the client has not used {sorted(unseen)}")
    print(f"fuzz_api: a client has used all {len(admin.seen)} and {len(beside.seen)} operations", flush=True)


def fuzz(port: int, document: str, directory: str, operations: list[str], without: list[str]) -> int:
    """Runs the tool, which keeps things where it runs, for those operations; 0 = nothing found."""
    command = [
        tool(), "run", f"http://127.0.0.1:{port}{document}", "--url", f"http://127.0.0.1:{port}",
        "--phases=examples,coverage,fuzzing", f"--max-examples={EXAMPLES}", "--generation-deterministic", "--no-color",
        *[f"--include-operation-id={operation}" for operation in operations],
    ]
    if without:
        command.append("--exclude-checks=" + ",".join(without))
    return subprocess.run(command, cwd=directory, check=False, timeout=RUN_LIMIT_SECS).returncode


def fuzz_all(client: Client, document: str, directory: str) -> int:
    """Runs the tool for every operation of a document, in groups by the checks that are left out."""
    paths = client.document["paths"].values()
    operations = {operation["operationId"] for item in paths for operation in item.values()} - set(NOT_ASKED)
    failed = 0
    for special, without in LEFT_OUT:
        group = sorted(operations & set(special))
        operations -= set(group)
        if group:
            failed |= fuzz(client.port, document, directory, group, without)
    return failed | fuzz(client.port, document, directory, sorted(operations), [])


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def main() -> int:
    tool()
    python = ENVIRONMENT / "bin" / "python"
    if pathlib.Path(sys.prefix) != ENVIRONMENT:
        os.execv(python, [str(python), __file__, *sys.argv[1:]])
    binary = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "target" / "debug" / "berth")
    with tempfile.TemporaryDirectory() as data:
        beside = free_port()
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": data,
            "ECS_DATADIR": data,
            "DOCKER_HOST": f"unix://{data}/no-docker.sock",
            "ECS_LOGLEVEL": "none",
            "BERTH_TASK_ADDRESS": "false",
            "BERTH_BLOCK_INSTANCE_METADATA": "false",
            "BERTH_INTROSPECTION_ADDRESS": f"127.0.0.1:{beside}",
            "BERTH_TASK_SERVER_ADDRESS": "127.0.0.1:0",
        }
        agent = subprocess.Popen([binary, "agent"], env=environment)
        try:
            path = os.path.join(data, "berth.sock")
            until(lambda: accepts(path), agent)
            port = forward(path)
            until(lambda: answers(port, "/v1/openapi.json"), agent)
            until(lambda: answers(beside, "/openapi.json"), agent)
            admin = Client(port, "/v1/openapi.json")
            classic = Client(beside, "/openapi.json")
            follow_a_task(admin, classic)
            return fuzz_all(admin, "/v1/openapi.json", data) | fuzz_all(classic, "/openapi.json", data)
        finally:
            agent.terminate()
            agent.wait()


if __name__ == "__main__":
    sys.exit(main())
