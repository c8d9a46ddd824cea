"""A double of Docker Engine for Windows containers: what it says of itself, for `windows_e2e.py`. It runs nothing.

No engine for Windows containers runs on Linux, and what an agent makes of a host depends on these answers.
"""

import http.server
import json
import re
import threading

INFO = {"ID": "double", "OSType": "windows", "OSVersion": "10.0.20348", "Architecture": "x86_64", "NCPU": 4,
        "MemTotal": 8 << 30, "ServerVersion": "25.0.0", "DockerRootDir": "C:\\ProgramData\\docker",
        "Isolation": "process", "Plugins": {"Volume": ["local"], "Network": ["nat"], "Log": ["awslogs", "json-file"]}}
VERSION = {"Version": "25.0.0", "ApiVersion": "1.43", "MinAPIVersion": "1.24", "Os": "windows", "Arch": "amd64"}


class _Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802 (the library's name)
        path = re.sub(r"^/v[0-9.]+", "", self.path)
        known = {"/info": INFO, "/version": VERSION, "/_ping": "OK"}
        body = json.dumps(known.get(path, {"message": "page not found"})).encode()
        self.send_response(200 if path in known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Api-Version", VERSION["ApiVersion"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(stack):
    """Answers on a port of loopback until the stack is unwound; returns the port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.shutdown)
    return server.server_address[1]
