"""Looks at the web page of a running agent in a real headless Chromium, as a person would.

    .cache/venv/bin/python tools/ui_test.py [BINARY]     default target/debug/berth

The agent and the browser run in a network namespace of their own that has nothing but loopback, so that no request can
leave the host; and every request that the page makes is looked at, so that none is even tried. The agent uses the real
Docker Engine over its Unix socket. What is shown: the page loads, tasks appear and change without a reload, a failing
task says why, what happened while the page did not hear the agent is shown afterwards, everything can be reached with
the keyboard, light and dark differ, a narrow window does not scroll sideways, an address that is no text opens the page
all the same, and the browser has nothing to complain about.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import websocket

import demo_images
from docker_api import Docker, DockerError, _UnixConnection

ROOT = pathlib.Path(__file__).resolve().parent.parent
INSIDE = "BERTH_UI_TEST_INSIDE"

# Far above what each takes, so that a slow machine fails nothing.
START_LIMIT_SECS = 60
LOOK_LIMIT_SECS = 30
POLL_SECS = 0.1

BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
         "--disable-extensions", "--mute-audio", "--remote-debugging-port=0", "--remote-allow-origins=*"]


# Keeps the page's event streams where the test finds them.
STREAMS = """
window.streams = [];
window.EventSource = class extends EventSource {
  constructor(address) { super(address); window.streams.push(this); }
};
"""


class Failed(Exception):
    """What was to be seen was not."""


def until(what, look, limit=LOOK_LIMIT_SECS):
    """Looks again and again until there is something to see; gives it."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        seen = look()
        if seen:
            return seen
        time.sleep(POLL_SECS)
    raise Failed(f"within {limit} s: {what}")


class Agent:
    """A `berth agent` with a directory of its own."""

    def __init__(self, binary, directory):
        self.socket = os.path.join(directory, "berth.sock")
        environment = {
            "PATH": os.environ.get("PATH", ""), "HOME": directory, "ECS_DATADIR": directory,
            "BERTH_INTROSPECTION_ADDRESS": "127.0.0.1:0", "BERTH_TASK_SERVER_ADDRESS": "127.0.0.1:0",
            "BERTH_TASK_ADDRESS": "false", "BERTH_BLOCK_INSTANCE_METADATA": "false",
            "ECS_IMAGE_PULL_BEHAVIOR": "prefer-cached", "BERTH_DISK_USE_INTERVAL": "10s",
        }
        if "DOCKER_HOST" in os.environ:
            environment["DOCKER_HOST"] = os.environ["DOCKER_HOST"]
        self.log = open(os.path.join(directory, "agent.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([binary, "agent"], env=environment, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)

    def ask(self, method, path, body=None):
        """Status and value of one call of the admin API."""
        connection = _UnixConnection(self.socket, LOOK_LIMIT_SECS)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        except OSError:
            return 0, None
        finally:
            connection.close()

    def address(self):
        """Where the introspection API listens, once it does and Docker has answered."""
        def look():
            status, health = self.ask("GET", "/healthz")
            checks = {check["name"]: check for check in health["checks"]} if status in (200, 503) else {}
            ready = status == 200 and checks.get("introspection", {}).get("status") == "pass"
            return ready and checks["introspection"]["message"]
        found = until("the agent is ready", look, START_LIMIT_SECS)
        return found.split()[-1]

    def put(self, name, command):
        """Asks for a task of one container."""
        definition = {"family": name, "containerDefinitions": [{
            "name": "app", "image": demo_images.IMAGE, "memory": 32, "essential": True, "stopTimeout": 2,
            "command": ["sh", "-c", command]}]}
        status, answer = self.ask("PUT", f"/v1/tasks/{name}-{os.getpid()}", definition)
        if status not in (200, 201):
            raise Failed(f"task {name} is refused: {status} {answer}")
        return answer["taskId"]

    def close(self):
        """Removes its tasks and ends it."""
        status, listed = self.ask("GET", "/v1/tasks")
        for task in listed["tasks"] if status == 200 else []:
            self.ask("DELETE", "/v1/tasks/" + urllib.parse.quote(task["taskArn"], safe=""))
        with contextlib.suppress(Failed):
            until("its tasks are gone", lambda: (self.ask("GET", "/v1/tasks")[1] or {}).get("tasks") == [])
        self.process.terminate()
        self.process.wait(START_LIMIT_SECS)


def pages_at(port):
    """Pages of the browser there; none while it does not answer."""
    # Nothing between here and there: no proxy that the environment may name.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError), opener.open(f"http://127.0.0.1:{port}/json/list", timeout=LOOK_LIMIT_SECS) as answer:
        return [page for page in json.load(answer) if page["type"] == "page"]
    return []


class Browser:
    """A Chromium with one page, spoken to by its own protocol."""

    def __init__(self, program, directory):
        profile = os.path.join(directory, "profile")
        self.log = open(os.path.join(directory, "browser.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env={**os.environ, "HOME": directory}, start_new_session=True)
        port_file = os.path.join(profile, "DevToolsActivePort")
        port = until("the browser listens", lambda: os.path.exists(port_file) and open(
            port_file, encoding="utf-8").readline().strip(), START_LIMIT_SECS)
        pages = until("the browser has a page", lambda: pages_at(port))
        self.socket = websocket.create_connection(pages[0]["webSocketDebuggerUrl"], timeout=LOOK_LIMIT_SECS)
        self.number = 0
        self.requests, self.complaints = [], []
        for domain in ["Page", "Runtime", "Network", "Log"]:
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Calls the browser and takes in what it tells meanwhile."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                if "error" in message:
                    raise Failed(f"{method}: {message['error']}")
                return message["result"]
            self.take(message)

    def take(self, message):
        """An event: requests and complaints are kept."""
        params = message.get("params", {})
        kind = message.get("method")
        if kind == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif kind == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif kind == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif kind == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(params["args"]))

    def value(self, expression):
        """What JavaScript in the page says."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise Failed(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, what, expression):
        """Waits until JavaScript in the page says something true."""
        try:
            return until(what, lambda: self.value(expression))
        except Failed as failed:
            raise Failed(f"{failed}\nthe page shows:\n{self.value('document.body.innerText')}") from None

    def press(self, key):
        """Presses a key."""
        codes = {"Tab": 9, "Enter": 13}
        text = "\r" if key == "Enter" else ""
        for kind in ["keyDown", "keyUp"]:
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text if kind == "keyDown" else "",
                      windowsVirtualKeyCode=codes[key])

    def close(self):
        """Ends it and all its processes."""
        with contextlib.suppress(Exception):
            self.socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(START_LIMIT_SECS)


def row(task):
    """JavaScript: the row of a task."""
    return f"document.getElementById('task-{task}')"


def look(agent, browser):
    """Everything that is to be seen, in order; says each."""
    address = agent.address()
    page = f"http://{address}/ui/"
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=STREAMS)
    browser.call("Page.navigate", url=page)
    browser.until("the page is live", "document.getElementById('live')?.textContent === 'live'")
    browser.value("window.stillTheSame = true")
    say("the page loads and hears the agent")

    good = agent.put("good", "trap 'exit 0' TERM; while :; do sleep 1; done")
    browser.until("a task that starts is shown as running",
                  f"{row(good)}?.querySelector('.state')?.textContent === 'running'")
    failing = agent.put("failing", "sleep 1; exit 3")
    browser.until("a task that fails says why in its row",
                  f"{row(failing)}?.querySelector('.state.bad') && "
                  f"/exited with code 3/.test({row(failing)}.querySelector('.why').textContent)")
    say("tasks appear, and a failing one says why")

    browser.value(f"{row(failing)}.click()")
    detail = f"document.getElementById('task-{failing}-detail')"
    browser.until("its detail gives the reason", f"/code 3/.test({detail}.querySelector('.reason')?.textContent)")
    browser.until("its detail has a timeline", f"/TaskStopped/.test({detail}.textContent)")
    browser.until("the timeline of all tasks has its end",
                  "/TaskStopped/.test(document.getElementById('timeline').textContent)")

    stopped = "{0}?.querySelector('.state')?.textContent === 'stopped' && {0}.querySelector('.state.bad') === null"
    agent.ask("POST", f"/v1/tasks/{good}/stop?reason=maintenance")
    browser.until("a task that an operator stops is shown so, and not as a failure", stopped.format(row(good)))
    # Its process hears no signal: it is killed, and its code is not 0.
    deaf = agent.put("deaf", "while :; do sleep 1; done")
    browser.until("a task runs that hears no signal", f"{row(deaf)}?.querySelector('.state')?.textContent === 'running'")
    agent.ask("POST", f"/v1/tasks/{deaf}/stop")
    browser.until("neither is one that had to be killed for it", stopped.format(row(deaf)))
    done = agent.put("done", "exit 0")
    browser.until("nor one that ended with code 0", stopped.format(row(done)))
    if browser.value(f"{row(failing)}.querySelector('.state.bad') === null"):
        raise Failed("a task that failed is not shown so any more")
    agent.ask("DELETE", f"/v1/tasks/{good}")
    browser.until("a task that is removed is gone", f"{row(good)} === null")
    if browser.value("window.stillTheSame") is not True:
        raise Failed("the page was loaded again")
    say("changes are shown without a reload")

    # The stream is cut, a task comes and ends, and only then is the page told that the stream is at its end.
    browser.value("streams.at(-1).close()")
    missed = agent.put("missed", "exit 0")
    until("a task ends while the page hears nothing",
          lambda: agent.ask("GET", f"/v1/tasks/{missed}")[1]["status"] == "STOPPED")
    browser.value("streams.at(-1).dispatchEvent(new Event('end'))")
    browser.until("the timeline has what happened meanwhile",
                  f"document.getElementById('timeline').textContent.includes('{missed[:12]}')")
    shown = "[...document.querySelectorAll('#timeline time')].map((node) => node.dateTime)"
    if browser.value(f"String({shown}) !== String({shown}.sort().reverse())"):
        raise Failed("the timeline is not in the order of what happened")
    say("what happened while the page heard nothing is shown afterwards")

    browser.value(f"{row(failing)}.blur()")
    browser.value(f"{row(failing)}.click()")
    def reached():
        browser.press("Tab")
        return browser.value(f"document.activeElement === {row(failing)}")
    until("the keyboard reaches the task", reached)
    browser.press("Enter")
    browser.until("the keyboard opens it", f"{row(failing)}.getAttribute('aria-expanded') === 'true'")
    say("the keyboard reaches and opens a task")

    shades = []
    for shade in ["light", "dark"]:
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": shade}])
        shades.append(browser.value("getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color"))
    if shades[0] == shades[1]:
        raise Failed(f"light and dark look the same: {shades[0]}")
    browser.call("Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=1, mobile=True)
    width = browser.value("document.documentElement.scrollWidth")
    if width > 360:
        raise Failed(f"a window of 360 pixels scrolls sideways: {width}")
    say("light, dark and narrow are fine")

    browser.until("the page says whose the disk is",
                  "/images[^]*everything else[^]*looked at/.test(document.getElementById('disk').textContent)")
    say("whose the disk is")

    browser.call("Page.navigate", url="about:blank")
    browser.call("Page.navigate", url=page + "#%")
    browser.until("an address that is no text opens the page",
                  "document.getElementById('live')?.textContent === 'live'")

    strangers = [url for url in browser.requests if not url.startswith((f"http://{address}/", "about:"))]
    if strangers:
        raise Failed(f"the page asks others: {strangers}")
    if not any("/v1/events" in url for url in browser.requests):
        raise Failed("no request was seen")
    # A question under way while its task is removed is answered with 404, and the browser says so.
    complaints = [words for words in browser.complaints if not words.endswith(f"/v1/tasks/{good}")]
    if complaints:
        raise Failed("the browser complains:\n" + "\n".join(complaints))
    say(f"{len(browser.requests)} requests, all to the agent; the browser has no complaint")


def say(text):
    """One line of progress."""
    print(f"ui_test: {text}", flush=True)


def alone(arguments):
    """Runs this program again where there is nothing but loopback."""
    separate = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    script = 'ip link set lo up && exec "$@"'
    command = [*separate, "sh", "-c", script, "sh", sys.executable, __file__, *arguments]
    return subprocess.run(command, env={**os.environ, INSIDE: "1"}, check=False).returncode


def main(arguments):
    if INSIDE not in os.environ:
        return alone(arguments)
    binary = arguments[0] if arguments else str(ROOT / "target" / "debug" / "berth")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        print("ui_test: error: no Chromium: run `make setup`", file=sys.stderr)
        return 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory, contextlib.ExitStack() as open_ones:
        agent = None
        try:
            demo_images.ensure(Docker())
            agent = Agent(binary, directory)
            open_ones.callback(agent.close)
            browser = Browser(program, directory)
            open_ones.callback(browser.close)
            look(agent, browser)
        except (Failed, DockerError, OSError, websocket.WebSocketException) as failed:
            print(f"ui_test: error: {failed}", file=sys.stderr)
            if agent is not None:
                agent.log.seek(0)
                print(f"ui_test: the agent's log ends:\n{agent.log.read()[-4000:]}", file=sys.stderr)
            return 1
    say(f"done in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
