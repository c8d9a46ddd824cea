"""A socket in front of Docker's that notes when each request arrives, and changes nothing.

The bench starts an agent behind it where the instant at which a call leaves the agent counts, and where calls are
counted. A client sends its next request on a connection only after the answer to the last one, so what arrives after
an answer and begins with a method is the head of a request.
"""

import os
import socket
import threading
import time

METHODS = (b"GET ", b"POST ", b"PUT ", b"DELETE ", b"HEAD ")


class Recorder:
    """Listens at `path` until the process ends; `requests` has (unix seconds, method and path) in order of arrival."""

    def __init__(self, path, target):
        self.path, self.target = path, target
        self.requests = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen(512)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """Takes no more connections."""
        self._listener.close()
        os.unlink(self.path)

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                engine.connect(self.target)
            except OSError:
                return
            for source, sink, noted in ((client, engine, True), (engine, client, False)):
                threading.Thread(target=self._copy, args=(source, sink, noted), daemon=True).start()

    def _copy(self, source, sink, noted):
        try:
            while data := source.recv(1 << 16):
                if noted and data.startswith(METHODS):
                    head = data.split(b" HTTP/", 1)[0].decode(errors="replace")
                    self.requests.append((time.time(), head))
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
