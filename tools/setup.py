"""Prepares this machine for `make demo` and `make test`.

On Debian as root it installs what is missing and starts Docker Engine where none answers. Elsewhere it changes
nothing: it prints the exact commands to run and exits with 1. A second run finds everything done and takes well
under a second.

    python3 tools/setup.py demo     what the demonstration needs
    python3 tools/setup.py test     what the tests need beside that
    python3 tools/setup.py check    says what is missing, changes nothing
    python3 tools/setup.py nextest  installs cargo-nextest, the faster test runner (some minutes)
"""

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import venv

import engine
import fuzz_api
import python_packages
from demo_images import static_busybox
from docker_api import Docker

POLICY = "/usr/sbin/policy-rc.d"
# What builds, packages and images of all tests take, the Windows ones included.
TEST_DISK_GIB = 10
APT_LIMIT_SECS = 900

REQUIREMENTS = os.path.join(engine.ROOT, "tools", "requirements.txt")
VENV = os.path.join(engine.ROOT, ".cache", "venv")


def say(text):
    print(f"setup: {text}", flush=True)


def fail(text):
    print(f"setup: error: {text}", file=sys.stderr, flush=True)


def output(*command):
    """What the program prints, or None if it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=engine.ROOT)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def wanted_rust():
    """Least Rust version, from Cargo.toml."""
    with open(os.path.join(engine.ROOT, "Cargo.toml"), encoding="utf-8") as file:
        return re.search(r'^rust-version = "(\d+\.\d+)"', file.read(), re.MULTILINE).group(1)


def version_of(text):
    """Major and minor of the first version number in the text."""
    found = re.search(r"(\d+)\.(\d+)", text or "")
    return (int(found[1]), int(found[2])) if found else (0, 0)


def rust_problem(for_tests):
    """What is wrong with the Rust toolchain, as lines to print; empty if nothing is."""
    wanted = wanted_rust()
    rustc, cargo = output("rustc", "--version"), output("cargo", "--version")
    if not rustc or not cargo:
        return [f"Rust {wanted} or newer is missing. Install it with rustup, which https://rustup.rs describes, then:",
                "    rustup toolchain install stable --profile default",
                "and open a new shell, so that cargo is in PATH."]
    if min(version_of(rustc), version_of(cargo)) < version_of(wanted):
        update = "rustup update stable && rustup default stable"
        return [f"Rust {wanted} or newer is needed, here is {rustc.strip()}. Run:", f"    {update}"]
    parts = [name for name, command in [("rustfmt", "fmt"), ("clippy", "clippy")]
             if for_tests and output("cargo", command, "--version") is None]
    if parts:
        return ["parts of the Rust toolchain are missing. Run:", f"    rustup component add {' '.join(parts)}"]
    say(f"{rustc.split(' (')[0].strip()}: found")
    return []


def ui_browsers():
    """Programs that tools/ui_test.py looks for."""
    return ["chromium", "chromium-browser", "google-chrome"]


def missing_packages(for_tests):
    """Debian packages to install."""
    wanted = [
        ("gcc libc6-dev", shutil.which("cc") is not None),
        ("iproute2", shutil.which("ip") is not None),
        ("busybox-static", static_busybox() is not None),
        ("docker.io", shutil.which("dockerd") is not None or Docker().answers()),
    ]
    if for_tests:
        wanted.append(("python3-venv", importlib.util.find_spec("ensurepip") is not None))
        wanted.append(("nftables", shutil.which("nft") is not None))
        wanted.append(("iptables", shutil.which("iptables") is not None))
        go = shutil.which("go") is not None and os.path.isdir("/usr/share/gocode/src/github.com/aws/aws-sdk-go-v2")
        wanted.append(("golang-go golang-github-aws-aws-sdk-go-v2-dev", go))
        wanted.append(("procps", shutil.which("sysctl") is not None))
        browser = any(shutil.which(name) for name in ui_browsers())
        wanted.append(("chromium", browser))
        wanted.append(("docker-registry", shutil.which("docker-registry") is not None))
    found = [name for name, there in wanted if there]
    if found:
        say(f"{', '.join(found)}: found")
    return [package for names, there in wanted if not there for package in names.split()]


@contextlib.contextmanager
def no_services():
    """Keeps packages from starting their services while they are installed (Debian policy, 9.3.3.1)."""
    if os.path.exists(POLICY):
        yield
        return
    with open(POLICY, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nexit 101\n")
    os.chmod(POLICY, 0o755)
    try:
        yield
    finally:
        os.remove(POLICY)


def apt(*arguments):
    """Runs apt-get without questions; returns an error text, or None."""
    command = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=5", *arguments]
    try:
        done = subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=APT_LIMIT_SECS)
    except subprocess.TimeoutExpired:
        return f"{' '.join(command)}: not done within {APT_LIMIT_SECS} s"
    if done.returncode == 0:
        return None
    return f"{' '.join(command)}: exit code {done.returncode}\n" + "\n".join(done.stdout.splitlines()[-8:])


def fetch_and_install(packages):
    """Up to date lists, and packages by them; returns an error text, or None. Neither a mirror that fails once nor
    another program that installs something at the moment ends it."""
    error = None
    for pause in (0, 20, 60):
        if error:
            say(f"once more in {pause} s: {error}")
            time.sleep(pause)
            # What was cut off in the middle is finished first; where nothing was, this does nothing.
            output("dpkg", "--configure", "-a")
        # The lists of a fresh machine are empty or old.
        error = apt("update") or apt("install", "--no-install-recommends", *packages)
        if error is None:
            break
    return error


def install(packages):
    """Installs Debian packages; returns an error text, or None."""
    say(f"installing {', '.join(packages)}")
    with no_services():
        error = fetch_and_install(packages)
    if error:
        return error
    if "docker-registry" in packages:
        # The tests start their own on a free port of loopback; the packaged service would take port 5000 at boot.
        disable = (["systemctl", "disable", "docker-registry"] if engine.has_systemd()
                   else ["update-rc.d", "docker-registry", "disable"])
        if output(*disable) is None:
            say("note: the docker-registry service could not be disabled; it may start at the next boot")
    return None


def ensure_engine():
    """Makes sure that Docker Engine answers; returns whether it does."""
    docker = Docker()
    if docker.answers():
        say(f"Docker Engine {docker.version()}: answers")
        return True
    if os.geteuid() != 0:
        fail(f"Docker Engine does not answer at {docker.path}. Start it, and let this user reach it:")
        print("    sudo systemctl start docker\n    sudo usermod -aG docker $USER   # then log in again", file=sys.stderr)
        return False
    say("Docker Engine does not answer: starting it")
    error = engine.start()
    if error:
        fail(error)
        return False
    ours = engine.our_pid()
    kept = f"; stop it with: kill {ours}" if ours else ""
    say(f"Docker Engine {docker.version()}: started{kept}")
    return True


def nextest():
    """Installs cargo-nextest."""
    if output("cargo", "nextest", "--version"):
        say("cargo-nextest: found")
        return 0
    say("building cargo-nextest, which takes some minutes")
    return subprocess.run(["cargo", "install", "--locked", "cargo-nextest"], check=False).returncode


def ensure_python():
    """Makes sure that the tests have their Python packages; returns whether they do."""
    with open(REQUIREMENTS, "rb") as file:
        wanted = file.read()
    stamp = os.path.join(VENV, "installed.txt")
    try:
        with open(stamp, "rb") as file:
            if file.read() == wanted:
                say("Python packages of the tests: found")
                return True
    except OSError:
        pass
    say("installing Python packages for the tests")
    venv.create(VENV, clear=True, with_pip=True)
    if not python_packages.install(os.path.join(VENV, "bin", "python"), "-r", REQUIREMENTS):
        fail("the Python packages of the tests cannot be installed")
        return False
    with open(stamp, "wb") as file:
        file.write(wanted)
    return True


def main(arguments):
    if arguments == ["nextest"]:
        return nextest()
    if len(arguments) != 1 or arguments[0] not in ("demo", "test", "check"):
        print(__doc__, file=sys.stderr)
        return 2
    for_tests = arguments[0] != "demo"
    may_install = os.path.exists("/etc/debian_version") and os.geteuid() == 0 and arguments[0] != "check"
    problem = rust_problem(for_tests)
    packages = missing_packages(for_tests)
    if problem:
        fail("\n".join(problem))
    if packages and not may_install:
        fail("packages are missing. On Debian, run:")
        print(f"    sudo apt-get update\n    sudo apt-get install --no-install-recommends {' '.join(packages)}",
              file=sys.stderr)
        print("Elsewhere, install what gives the same programs: a C compiler, ip, a static busybox at /bin/busybox, "
              "dockerd" + (", docker-registry, chromium" if for_tests else ""), file=sys.stderr)
    if problem or (packages and not may_install):
        return 1
    free = shutil.disk_usage(engine.ROOT).free / (1 << 30)
    if for_tests and free < TEST_DISK_GIB:
        say(f"warning: {free:.1f} GiB of disk are free; a first run of all tests takes up to {TEST_DISK_GIB}")
    if packages:
        error = install(packages)
        if error:
            fail(error)
            return 1
    if arguments[0] == "check":
        if not Docker().answers():
            fail("Docker Engine does not answer")
            return 1
        return 0
    if for_tests:
        say(f"schemathesis: {fuzz_api.tool()}")
    if for_tests and not ensure_python():
        return 1
    return 0 if ensure_engine() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
