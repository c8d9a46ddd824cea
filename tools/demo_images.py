"""Builds the image of the examples on the spot: a fresh machine has none, and none is pulled.

The image is one layer with Debian's static busybox and a link for each applet, made as a docker-save archive.
It is the same byte for byte on every run, so loading it again changes nothing.

    python3 tools/demo_images.py            load it into Docker
    python3 tools/demo_images.py --remove   take it out again
"""

import hashlib
import io
import json
import platform
import struct
import sys
import tarfile

from docker_api import Docker, DockerError

IMAGE = "berth-demo/busybox:1"
BUSYBOX_PATHS = ["/bin/busybox", "/usr/bin/busybox"]
APPLETS = ["awk", "cat", "date", "echo", "env", "false", "grep", "hostname", "httpd", "id", "ls", "mkdir", "mount",
           "nc", "printf", "ps", "rm", "sed", "sh", "sleep", "stat", "test", "timeout", "top", "touch", "true",
           "uname", "wc"]
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

PT_INTERP = 3


def is_static(program):
    """Whether the bytes are a 64-bit ELF program that needs no loader."""
    if len(program) < 64 or program[:5] != b"\x7fELF\x02":
        return False
    order = "<" if program[5] == 1 else ">"
    (table,) = struct.unpack_from(order + "Q", program, 32)
    size, count = struct.unpack_from(order + "HH", program, 54)
    kinds = (struct.unpack_from(order + "I", program, table + size * at)[0] for at in range(count))
    return PT_INTERP not in kinds


def static_busybox():
    """The bytes of a static busybox of this host, or None."""
    for path in BUSYBOX_PATHS:
        try:
            with open(path, "rb") as file:
                program = file.read()
        except OSError:
            continue
        if is_static(program):
            return program
    return None


def _add(archive, name, data, mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))


def _layer(busybox):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, mode in [("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777)]:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        _add(archive, "bin/busybox", busybox, 0o755)
        _add(archive, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
        for applet in APPLETS:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(entry)
    return out.getvalue()


def build(busybox):
    """Id and docker-save archive of the image."""
    layer = _layer(busybox)
    config = json.dumps({
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
        "created": "1970-01-01T00:00:00Z",
        "history": [{"created": "1970-01-01T00:00:00Z"}],
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }, sort_keys=True).encode()
    digest = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{digest}.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, f"{digest}.json", config)
        _add(archive, "layer.tar", layer)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    return f"sha256:{digest}", out.getvalue()


def ensure(docker):
    """Makes sure that the image is there; returns whether it was loaded now."""
    busybox = static_busybox()
    if busybox is None:
        raise DockerError("no static busybox on this host: run `make setup`")
    image_id, archive = build(busybox)
    if docker.image_id(IMAGE) == image_id:
        return False
    docker.load(archive)
    return True


def main(arguments):
    docker = Docker()
    try:
        if arguments == ["--remove"]:
            docker.remove_image(IMAGE)
            print(f"image {IMAGE}: removed")
        elif not arguments:
            print(f"image {IMAGE}: {'built and loaded' if ensure(docker) else 'is there'}")
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except DockerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
