"""A few calls of the Docker Engine API over its Unix socket.

The set-up and the demonstration must work where the engine is installed without its command line, so they speak
to the socket themselves. Only what they need is here; the agent has its own, complete adapter.
"""

import http.client
import json
import os
import socket
import urllib.parse

DEFAULT_SOCKET = "/var/run/docker.sock"

# Seconds for one call. Loading an image is the slowest: 2 MB of busybox on a busy machine.
CALL_TIMEOUT_SECS = 60


class DockerError(Exception):
    """The engine did not answer, or answered with an error; the text says what was tried."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def socket_path():
    """The socket named by DOCKER_HOST if that is a Unix socket, else the usual one."""
    host = os.environ.get("DOCKER_HOST", "")
    return host.removeprefix("unix://") if host.startswith("unix://") else DEFAULT_SOCKET


class Docker:
    """The engine behind one socket."""

    def __init__(self, path=None):
        self.path = path or socket_path()

    def call(self, method, path, query=None, body=None, content_type=None, timeout=CALL_TIMEOUT_SECS):
        """Status and body of one call; raises DockerError if there is no answer."""
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        headers = {"Content-Type": content_type} if content_type else {}
        connection = _UnixConnection(self.path, timeout)
        try:
            connection.request(method, target, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise DockerError(f"{method} {path} at {self.path}: {error}") from error
        finally:
            connection.close()

    def _json(self, method, path, query=None):
        status, body = self.call(method, path, query)
        if status == 404:
            return None
        if status >= 300:
            raise DockerError(f"{method} {path}: {status} {body.decode(errors='replace').strip()}")
        return json.loads(body) if body else None

    def answers(self):
        """Whether the engine answers now."""
        try:
            return self.call("GET", "/_ping", timeout=2)[0] == 200
        except DockerError:
            return False

    def version(self):
        """Engine version."""
        return self._json("GET", "/version")["Version"]

    def containers(self, label=None):
        """All containers, running or not, that carry the label."""
        filters = {"label": [label]} if label else {}
        return self._json("GET", "/containers/json", {"all": "true", "filters": json.dumps(filters)})

    def inspect(self, container):
        """One container, or None if it does not exist."""
        return self._json("GET", f"/containers/{container}/json")

    def volumes(self):
        """All volumes."""
        return self._json("GET", "/volumes")["Volumes"] or []

    def image_id(self, reference):
        """Id of the image, or None if it is not there."""
        found = self._json("GET", f"/images/{reference}/json")
        return found and found["Id"]

    def load(self, archive):
        """Loads a docker-save archive."""
        status, body = self.call("POST", "/images/load", {"quiet": "true"}, archive, "application/x-tar")
        text = body.decode(errors="replace").strip()
        if status != 200 or '"error"' in text:
            raise DockerError(f"load image: {status} {text}")

    def remove_image(self, reference):
        """Removes the image; one that is gone is no error."""
        self._json("DELETE", f"/images/{reference}")

    def remove_container(self, container):
        """Kills and removes the container; one that is gone is no error."""
        self._json("DELETE", f"/containers/{container}", {"force": "true", "v": "true"})

    def remove_volume(self, name):
        """Removes the volume; one that is gone is no error."""
        self._json("DELETE", f"/volumes/{name}")
