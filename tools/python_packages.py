"""Python packages from PyPI, which may fail once for reasons of others."""

import subprocess
import time

# One try on a slow line.
LIMIT_SECS = 900

# Before each try.
PAUSES_SECS = (0, 20, 60)


def install(python, *arguments):
    """Whether `pip install` with these arguments does well in the end, for the environment of that Python."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    for pause in PAUSES_SECS:
        time.sleep(pause)
        try:
            if subprocess.run(command, check=False, stdin=subprocess.DEVNULL, timeout=LIMIT_SECS).returncode == 0:
                return True
        except subprocess.TimeoutExpired:
            pass
        print(f"{' '.join(command)}: failed", flush=True)
    return False
