"""Starts real servers as unprivileged children in folders of their own, on free ports of loopback, and ends them."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

#: How long a server may take to listen, in seconds: machines that compile at the same time are slow.
START = 90
#: How long it may take to end before it is killed, in seconds.
END = 20

#: Where Debian keeps what an ordinary user's PATH leaves out.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def program(name):
    """Where a program is, or None."""
    return shutil.which(name, path=PATH)


def free_port():
    """A port below those that the system gives to clients.

    Who waits for one of theirs to be listened on can be given that very port, and find itself at the other end.
    """
    for _ in range(1000):
        port = random.randrange(10_240, 32_000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no port is free on loopback")


def unprivileged():
    """Arguments of Popen that give up root's rights, where there are any."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def hand_over(folder):
    """Gives a folder with all that is in it to the user whom children run as."""
    if os.geteuid() != 0:
        return
    nobody = pwd.getpwnam("nobody")
    for root, _, files in os.walk(folder):
        for path in [root] + [os.path.join(root, f) for f in files]:
            os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)


class Child:
    """A process with all its descendants, ended at the end of the `with` block whatever happens in it."""

    def __init__(self, argv, folder, env=None):
        self.errors = Path(folder) / "stderr.txt"
        with open(Path(folder) / "stdout.txt", "wb") as out, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                [str(a) for a in argv],
                cwd=folder,
                env={"PATH": PATH, "HOME": str(folder), "LANG": "C.UTF-8", **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                start_new_session=True,
                **unprivileged(),
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def wait_for_port(self, port):
        until = time.monotonic() + START
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"{self.process.args[0]} does not listen:\n{self.said()}")

    def said(self):
        return self.errors.read_text(errors="replace")[-3000:]

    def end(self):
        """Asks it to end, so that it writes out its logs; kills what is left then."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(END)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


class Running:
    """A server (a module of this folder) in front of the site at `origin`.

    `snippets` are pieces of its configuration: `mask` in place of its own lines about logs, `policy` beside them.
    """

    def __init__(self, kind, folder, origin, snippets=None):
        self.kind = kind
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        (self.folder / "logs").mkdir()
        argv, env = kind.configure(self.folder, self.port, origin, snippets or {})
        hand_over(self.folder)
        self.child = Child(argv, self.folder, env)

    def __enter__(self):
        try:
            self.child.wait_for_port(self.port)
        except BaseException:
            self.child.end()
            raise
        return self

    def __exit__(self, *_):
        self.child.end()

    def log(self, name):
        """The file of a log, by its name in the module's LOGS."""
        found = sorted(self.folder.glob(self.kind.LOGS[name]))
        if not found:
            raise RuntimeError(f"{self.kind.NAME} has written no {self.kind.LOGS[name]}:\n{self.child.said()}")
        return found[0]
