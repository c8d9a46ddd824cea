"""Packs programs of this host with what they need into an image, as an archive for `docker load`.

    pack.py IMAGE OUT PROGRAM

The image has this interpreter with boto3 at /python, the client beside this file at /client.py, the program at
/program, and the client in Go, which is built here of Debian's packages, at /go-client. Nothing is pulled: the image is made of files of this host. Shared libraries are those that the loader names.
"""

import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))

# Parts of the standard library that no client needs; some are large.
LEFT_OUT = {"__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages"}

# botocore describes every service of AWS; the clients use one.
SERVICES = {"sts"}

CLIENT = ["boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"]


# Where Debian's packages of Go libraries put their sources.
GO_PATH = "/usr/share/gocode"


def go_client():
    """Builds the client in Go, statically; gives its path."""
    built = os.path.join(HERE, "..", "..", ".cache", "go")
    os.makedirs(built, exist_ok=True)
    out = os.path.abspath(os.path.join(built, "client"))
    settings = {"GO111MODULE": "off", "GOPATH": GO_PATH, "GOFLAGS": "", "CGO_ENABLED": "0",
                "GOCACHE": os.path.abspath(os.path.join(built, "cache"))}
    command = ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, os.path.join(HERE, "go", "main.go")]
    subprocess.run(command, env={**os.environ, **settings}, check=True)
    return out


def libraries(paths):
    """Shared libraries that these files load, the loader included."""
    found = set()
    for path in paths:
        shown = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        found.update(re.findall(r"(?:=> |^\s*)(/\S+) \(0x", shown, re.MULTILINE))
    return sorted(found)


def below(top, keep):
    """Files below a directory, those left out that `keep` does not want."""
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT and keep(os.path.join(folder, name)))
        for name in sorted(files):
            path = os.path.join(folder, name)
            if not name.endswith(".pyc"):
                yield path


def is_wanted(path):
    """Whether a folder is wanted: of botocore's data only the services in use."""
    parent, name = os.path.split(path)
    in_data = parent.endswith(os.path.join("botocore", "data"))
    return not in_data or name in SERVICES


def python_files():
    """Files of the interpreter by their place in the image, which is their place here."""
    real = os.path.realpath(sys.executable)
    standard = sysconfig.get_path("stdlib")
    packages = sysconfig.get_path("purelib")
    files = list(below(standard, lambda _: True))
    for name in CLIENT:
        path = os.path.join(packages, name)
        files.extend(below(path, is_wanted) if os.path.isdir(path) else [path])
    loaded = [path for path in files if path.endswith(".so")] + [real]
    placed = {path: path for path in files + libraries(loaded)}
    placed["/python"] = real
    placed["/client.py"] = os.path.join(HERE, "boto3_client.py")
    config = {"Env": [f"PYTHONHOME={sys.base_prefix}", f"PYTHONPATH={packages}", "PYTHONDONTWRITEBYTECODE=1"]}
    return placed, config


def layer(placed):
    """A layer with these files; equal files give equal bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        folders = tarfile.TarInfo("tmp")
        folders.type, folders.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(folders)
        for place, path in sorted(placed.items()):
            with open(path, "rb") as file:
                content = file.read()
            info = tarfile.TarInfo(place.lstrip("/"))
            info.size, info.mode = len(content), 0o755 if os.access(path, os.X_OK) else 0o644
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def add(archive, name, content):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def save(image, out, placed, config):
    """Writes what `docker save` would."""
    content = layer(placed)
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    described = json.dumps({
        "architecture": architecture, "os": "linux", "created": "2026-01-01T00:00:00Z",
        "config": {**config, "Labels": {"test": image}},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(content).hexdigest()]},
    }).encode()
    name = hashlib.sha256(described).hexdigest() + ".json"
    manifest = [{"Config": name, "RepoTags": [image], "Layers": ["layer.tar"]}]
    with tarfile.open(out, "w") as archive:
        add(archive, "layer.tar", content)
        add(archive, name, described)
        add(archive, "manifest.json", json.dumps(manifest).encode())


def main(image, out, program):
    placed, config = python_files()
    placed.update({name: name for name in libraries([program])})
    placed["/program"] = program
    placed["/go-client"] = go_client()
    save(image, out, placed, config)


if __name__ == "__main__":
    main(*sys.argv[1:])
