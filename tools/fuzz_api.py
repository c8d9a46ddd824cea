"""Sends generated requests to a running agent and compares each answer with the OpenAPI document it serves.

    python3 tools/fuzz_api.py [BINARY]     default target/debug/berth

Everything is asked but streams. Docker is not needed: the agent gets an address where none answers, so no container is
ever made. The tool (schemathesis, from PyPI) lives in an environment of its own below `target/`; what it generates is
deterministic and limited, so that a run is bounded and repeats itself.
"""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / "target" / "fuzz-api"
REQUIREMENT = "schemathesis==4.*"
EXAMPLES = "15"
CHUNK = 65536
START_LIMIT_SECS = 60
RUN_LIMIT_SECS = 300


def tool() -> pathlib.Path:
    """The program, installed if need be."""
    program = ENVIRONMENT / "bin" / "schemathesis"
    if not program.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        pip = [ENVIRONMENT / "bin" / "pip", "install", "--quiet", REQUIREMENT]
        subprocess.run(pip, check=True)
    return program


def pump(source: socket.socket, target: socket.socket) -> None:
    """Passes bytes on until one side ends."""
    try:
        while chunk := source.recv(CHUNK):
            target.sendall(chunk)
    except OSError:
        pass
    finally:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
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


def wait_for(path: str, agent: subprocess.Popen) -> None:
    """Until somebody answers on the socket."""
    end = time.monotonic() + START_LIMIT_SECS
    while time.monotonic() < end and agent.poll() is None:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(path)
                return
            except OSError:
                time.sleep(0.1)
    raise SystemExit("fuzz_api: the agent does not answer")


def fuzz(port: int, directory: str) -> int:
    """Runs the tool, which keeps things where it runs; 0 = nothing found."""
    command = [
        tool(),
        "run",
        f"http://127.0.0.1:{port}/v1/openapi.json",
        "--url",
        f"http://127.0.0.1:{port}",
        # Streams that follow never end.
        "--exclude-operation-id=readEvents",
        "--exclude-operation-id=readLogs",
        # 503 without Docker, as they should.
        "--exclude-operation-id=readyz",
        "--exclude-operation-id=healthz",
        "--phases=examples,coverage,fuzzing",
        "--checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        f"--max-examples={EXAMPLES}",
        "--generation-deterministic",
        "--no-color",
    ]
    return subprocess.run(command, cwd=directory, check=False, timeout=RUN_LIMIT_SECS).returncode


def main() -> int:
    binary = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "target" / "debug" / "berth")
    with tempfile.TemporaryDirectory() as data:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": data,
            "ECS_DATADIR": data,
            "DOCKER_HOST": f"unix://{data}/no-docker.sock",
            "ECS_LOGLEVEL": "none",
            "BERTH_TASK_ADDRESS": "false",
            "BERTH_BLOCK_INSTANCE_METADATA": "false",
        }
        agent = subprocess.Popen([binary, "agent"], env=environment)
        try:
            path = os.path.join(data, "berth.sock")
            wait_for(path, agent)
            return fuzz(forward(path), data)
        finally:
            agent.terminate()
            agent.wait()


if __name__ == "__main__":
    sys.exit(main())
