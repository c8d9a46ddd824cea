"""Builds berth.exe on Debian and tests it under Wine.

    python3 tools/windows.py           all of that in turn: `make windows`
    python3 tools/windows.py setup     only install what is needed
    python3 tools/windows.py scripts   the PowerShell scripts of deploy/windows, by a grammar
    python3 tools/windows.py build     berth.exe and its tests, by clippy: warnings are errors
    python3 tools/windows.py unit      unit tests and properties under Wine
    python3 tools/windows.py e2e       the program itself under Wine, against Docker Engine (under tools/guard.py)

There is no standard library for Windows to be had for the toolchain that builds the Linux program, and a library fits
its own compiler only. So Debian's compiler is taken, whose sources are a package beside it, and the library is built
from these once; after that cargo knows the target like any other. What is built lies in `target/windows`, apart from
what the other compiler builds.

What this shows and what it does not: docs/windows.md.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

import engine
import setup

TARGET = "x86_64-pc-windows-gnu"
HERE = os.path.join(engine.ROOT, "tools", "windows")
BUILT = os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(engine.ROOT, "target"), "windows")
EXE = os.path.join(BUILT, TARGET, "debug", "berth.exe")

# The compiler is the one of Debian's security archive; the one of the first release of Debian 12 is too old.
PACKAGES = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy", "gcc-mingw-w64-x86-64-posix", "wine", "wine64",
            "socat"]
CARGO, RUSTC, RUSTDOC = "/usr/bin/cargo", "/usr/bin/rustc", "/usr/bin/rustdoc"
LINKER = "x86_64-w64-mingw32-gcc"
WINE = "/usr/lib/wine/wine64"
WINESERVER = "/usr/lib/wine/wineserver64"

# What the standard library is made of here, and what its tests need.
LIBRARY = "std,panic_abort,panic_unwind,proc_macro,test"

# A prefix is made in five seconds on an idle machine.
PREFIX_LIMIT_SECS = 300

# Between two tries of what may fail for reasons of others.
RETRY_SECS = 20

# What a build of everything for Windows takes. Where less is free, what the steps before have built goes.
BUILD_GIB = 6

# Tests that by nature need Unix, each with the reason. Whole modules that are compiled for Unix only are not here.
NOT_HERE = [
    ("platform::windows::named_pipe::tests::a_name_that_is_taken_is_left_to_whoever_has_it",
     "Wine 8 lets a pipe be made as the first twice"),
]


def say(text):
    print(f"windows: {text}", flush=True)


def fail(text):
    print(f"windows: error: {text}", file=sys.stderr, flush=True)


def environment():
    """Of every program that is run here: Debian's toolchain, whatever comes first in the search path."""
    name = TARGET.upper().replace("-", "_")
    chosen = {
        "PATH": "/usr/bin:" + os.environ.get("PATH", ""),
        "CARGO": CARGO, "RUSTC": RUSTC, "RUSTDOC": RUSTDOC,
        "CARGO_TARGET_DIR": BUILT,
        f"CARGO_TARGET_{name}_LINKER": LINKER,
        f"CARGO_TARGET_{name}_RUNNER": WINE,
        "WINEDEBUG": "-all", "DISPLAY": "", "WINEARCH": "win64",
        # Neither .NET nor a browser is wanted in a prefix.
        "WINEDLLOVERRIDES": "mscoree,mshtml=d",
        "WINEPREFIX": os.path.join(BUILT, "wine"),
        # Not everything that is built here lies below this project's own configuration of cargo.
        "CARGO_NET_RETRY": "10",
    }
    left_out = ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTUP_TOOLCHAIN")
    return {**{key: value for key, value in os.environ.items() if key not in left_out}, **chosen}


def is_installed(package):
    shown = setup.output("dpkg-query", "-W", "-f=${Status}", package)
    return shown is not None and "ok installed" in shown


def install():
    """Installs the packages that are missing; returns an error text, or None."""
    debian = os.path.exists("/etc/debian_version")
    missing = [package for package in PACKAGES if not debian or not is_installed(package)]
    if not missing:
        return None
    if not debian or os.geteuid() != 0:
        return ("berth.exe is built on Debian 12 by root. There, install:\n"
                f"    sudo apt-get update\n    sudo apt-get install --no-install-recommends {' '.join(missing)}")
    say(f"installing {', '.join(missing)}")
    return setup.fetch_and_install(missing)


@contextlib.contextmanager
def alone(path):
    """Only one of these programs at a time changes what lies beside that path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def same_text(path, text):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read() == text
    except OSError:
        return False


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def standard_library():
    """Builds the library for the compiler that is installed, unless it is there; returns an error text, or None."""
    compiler = setup.output(RUSTC, "-vV")
    root = setup.output(RUSTC, "--print", "sysroot")
    if not compiler or not root:
        return f"{RUSTC} does not run"
    compiler = hashlib.sha256(compiler.encode()).hexdigest()
    folder = os.path.join(root.strip(), "lib", "rustlib", TARGET, "lib")
    stamp = os.path.join(folder, "berth-built-by")
    with alone(os.path.join("/run", "berth-windows-std")), tempfile.TemporaryDirectory() as crate:
        if same_text(stamp, compiler):
            return None
        say("building the standard library, once: about a minute")
        os.mkdir(os.path.join(crate, "src"))
        write(os.path.join(crate, "src", "lib.rs"), "")
        write(os.path.join(crate, "Cargo.toml"), '[package]\nname = "empty"\nversion = "0.0.0"\n[workspace]\n')
        # The source of the library is no part of the language that is released: the compiler is told to bear it.
        env = {**environment(), "RUSTC_BOOTSTRAP": "1", "CARGO_TARGET_DIR": os.path.join(crate, "target")}
        command = [CARGO, "build", "--quiet", "--release", "--target", TARGET, f"-Zbuild-std={LIBRARY}"]
        if subprocess.run(command, cwd=crate, env=env, check=False).returncode != 0:
            return "the standard library could not be built"
        made = os.path.join(crate, "target", TARGET, "release", "deps")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for name in os.listdir(made):
            if name.endswith(".rlib") and not name.startswith("libempty"):
                shutil.copy(os.path.join(made, name), folder)
        write(stamp, compiler)
    return None


def quiet(*command, limit=PREFIX_LIMIT_SECS, env=None):
    """Runs a program for its effect; returns whether it did well."""
    try:
        done = subprocess.run(command, env=env or environment(), check=False, timeout=limit,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def make_prefix(prefix):
    """A Wine prefix that can run Rust programs and says that it is Windows 10; returns an error text, or None."""
    env = {**environment(), "WINEPREFIX": prefix}
    shim = os.path.join(prefix, "drive_c", "windows", "system32", "bcryptprimitives.dll")
    if os.path.exists(shim):
        return None
    os.makedirs(os.path.dirname(prefix), exist_ok=True)
    if not quiet(WINE, "wineboot", "-i", env=env):
        return f"Wine cannot make the prefix {prefix}"
    if not quiet(WINE, "winecfg", "-v", "win10", env=env):
        return "Wine cannot be told to be Windows 10"
    compiled = quiet(LINKER, "-O2", "-shared", "-nostartfiles", "-e", "DllMain", "-o", shim,
                     os.path.join(HERE, "prng.c"), "-ladvapi32", env=env)
    return None if compiled else "the library of random numbers cannot be compiled"


def put_netsh(prefix):
    """Puts a netsh into the prefix that keeps what it is told, in place of Wine's; returns an error text, or None."""
    path = os.path.join(prefix, "drive_c", "windows", "system32", "netsh.exe")
    # The one there may be a link to a file of Wine's.
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)
    compiled = quiet(LINKER, "-O2", "-o", path, os.path.join(HERE, "netsh.c"))
    return None if compiled else "the netsh of tests cannot be compiled"


def end_wine(prefix):
    """Ends everything that runs in the prefix."""
    quiet(WINESERVER, "-k", limit=30, env={**environment(), "WINEPREFIX": prefix})


def cargo(*arguments):
    env = {**environment(), **CLIPPY}
    return subprocess.run([CARGO, *arguments], cwd=engine.ROOT, env=env, check=False).returncode


def thrice(step):
    """An error text if the step fails three times, or None. What comes from elsewhere may not come at once."""
    for _ in range(2):
        error = step()
        if error is None:
            return None
        say(f"once more: {error}")
        time.sleep(RETRY_SECS)
    return step()


def own_prefix():
    """The prefix of the unit tests, made anew where a try has left half of one; returns an error text, or None."""
    prefix = environment()["WINEPREFIX"]
    error = make_prefix(prefix)
    if error:
        end_wine(prefix)
        shutil.rmtree(prefix, ignore_errors=True)
    return error


def ready():
    """Everything that builds and tests need; returns an error text, or None."""
    return install() or thrice(standard_library) or thrice(own_prefix)


# Clippy's compiler builds as well as it checks, so that nothing is compiled twice: it is put where `cargo clippy` puts
# it, with the arguments in the form that this version of `cargo clippy` gives them.
CLIPPY = {"RUSTC_WORKSPACE_WRAPPER": "/usr/bin/clippy-driver",
          "CLIPPY_ARGS": "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__"}

# The integration test is empty on Windows and brings berth.exe with it.
TESTS = ["--target", TARGET, "--all-features", "--lib", "--test", "it"]


def scripts():
    if not setup.ensure_python():
        return 1
    python = os.path.join(setup.VENV, "bin", "python")
    return subprocess.run([python, os.path.join(engine.ROOT, "tools", "powershell.py")], check=False).returncode


def make_room():
    """Takes away what cargo has built for Linux where the disk is too small for both: it can be built again."""
    if shutil.disk_usage(engine.ROOT).free >= BUILD_GIB << 30:
        return
    for name in ("doc", "debug/deps", "debug/build", "debug/incremental"):
        shutil.rmtree(os.path.join(os.path.dirname(BUILT), name), ignore_errors=True)


def build():
    make_room()
    examples = ["--example", "pipe_relay", "--example", "docker_clients"]
    return cargo("test", *TESTS, "--no-run") or cargo("build", *TESTS, *examples)


def unit():
    skipped = [word for name, _ in NOT_HERE for word in ("--skip", name)]

    def run():
        try:
            return cargo("test", *TESTS, "--no-fail-fast", "--", *skipped)
        finally:
            # A wineserver may go on with sockets of tests that have ended.
            end_wine(environment()["WINEPREFIX"])
    return twice("unit", run)


def twice(name, run):
    """Wine on a busy machine has bad minutes: a run that fails has told why, and is made once more from its beginning."""
    code = run()
    if code != 0:
        say(f"{name}: failed; once more")
        code = run()
    return code


def e2e():
    """The program itself, in a console and as a service."""
    command = [sys.executable, os.path.join(engine.ROOT, "tools", "windows_e2e.py")]
    return twice("e2e", lambda: subprocess.run(command, check=False).returncode)


STEPS = {"scripts": scripts, "build": build, "unit": unit, "e2e": e2e}


def main(arguments):
    names = arguments or list(STEPS)
    if any(name not in STEPS and name != "setup" for name in names):
        print(__doc__, file=sys.stderr)
        return 2
    error = ready()
    if error:
        fail(error)
        return 1
    for name in names:
        if name == "setup":
            continue
        began = time.monotonic()
        code = STEPS[name]()
        say(f"{name}: {'done' if code == 0 else 'failed'} after {time.monotonic() - began:.0f} s")
        if code != 0:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
