"""The alarms' bar: expectations are learned from a varied busy workload; the same kind of workload
again, as long, raises no alert; and each of many different intrusions raises exactly one."""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import unittest

import harness

TOWN = pathlib.Path(__file__).resolve().parent / "alarm_town.py"
RUNS_ALONE = True  # events that others make us lose would be alerts of their own
ROUNDS = int(os.environ.get("TWINPORT_ALARM_ROUNDS", "40"))  # tests/soak asks for many more
SEED = int(os.environ.get("TWINPORT_ALARM_SEED", "20261122"))
HERE, THERE = "10.79.0.1", "10.79.0.2"
RANGE = (32768, 38767)
# Program, role and arguments of alarm_town.py.
SERVERS = {
    "web": ("prefork", "0.0.0.0", 8080),
    "web2": ("reuse", "0.0.0.0", 8081),
    "database": ("server", "127.0.0.1", 5432),
    "cache": ("server", "::1", 6379, "127.0.0.1", 6379),
    "metrics": ("server", "::", 9000),
    "names": ("names", "0.0.0.0", 53),
    "ledger": ("as_nobody", "server", "127.0.0.1", 5433),
    "inner": ("server", "127.0.0.1", 7777),
}
SOMETIMES = {"backup": ("0.0.0.0", 1744), "feed": (HERE, 7000), "scripts": ("0.0.0.0", 7001),
             "giver": (HERE, 7002)}
CLIENTS = ("app", "resolver", "clock", "files", "forks")
# What the second run may tell. Nothing: whatever it does, it did when we learned.
FORESEEN: list[tuple[str, str]] = []


class Guard:
    """`twinport record`, and what it prints. The ring holds all that happens while it waits for a
    processor: what it loses is another test's business."""

    def __init__(self, test, box, *words):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            box.command(harness.TWINPORT, "record", "--look", "1s", "--ring", "64MiB", *words),
            env=test.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.over = False
        self.condition = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        test.addCleanup(self.end, signal.SIGKILL)
        self.wait_for("ends it.")

    def read(self):
        for line in self.process.stdout:
            with self.condition:
                self.lines.append(line)
                self.condition.notify_all()
        with self.condition:
            self.over = True
            self.condition.notify_all()

    def says(self, *texts, within=0.0) -> bool:
        """Whether a line has all of the texts, or one comes that does."""
        def found():
            return any(all(text in line for text in texts) for line in self.lines)

        with self.condition:
            self.condition.wait_for(lambda: found() or self.over, timeout=within)
            return found()

    def wait_for(self, *texts):
        if not self.says(*texts, within=harness.HANG_SECONDS):
            raise AssertionError(f"the recorder never said {texts}, but " + "".join(self.lines))

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()


@harness.needs_root
@unittest.skipUnless(harness.bpf_works(), "BPF is refused here")
class Alarms(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.config = pathlib.Path(self.environment["TWINPORT_CONFIG"])
        self.config.mkdir(parents=True)
        os.chmod(self.state, 0o755)  # others than root run programs out of it
        self.environment["PYTHONHOME"] = sys.base_prefix
        self.python = pathlib.Path(sys.executable).resolve()
        self.box, self.world = self.sandbox(), self.sandbox()
        self.box.run("ip", "link", "add", "a0", "type", "veth", "peer", "name", "b0", "netns",
                     str(self.world.pid))
        for box, link, address in ((self.box, "a0", HERE), (self.world, "b0", THERE)):
            box.run("ip", "address", "add", f"{address}/24", "dev", link)
            box.run("ip", "link", "set", link, "up")
        self.box.run("sysctl", "-qw", f"net.ipv4.ip_local_port_range={RANGE[0]} {RANGE[1]}")
        # Namespaces by name are mounts, which end with the sandbox.
        self.box.run("mkdir", "-p", "/run/netns")
        self.box.run("mount", "-t", "tmpfs", "none", "/run/netns")
        self.box.run("ip", "netns", "add", "blue")
        self.box.run("ip", "-n", "blue", "link", "set", "lo", "up")
        self.servers = {}
        self.addCleanup(self.stop_servers)
        self.start_in(self.world, "outside", "outside")

    # ---- programs -------------------------------------------------------------------------------

    def program(self, name) -> pathlib.Path:
        file = pathlib.Path(self.state, name)
        if not file.exists():
            shutil.copy(self.python, file)
        return file

    def words(self, name, role, *arguments, before=()):
        return [*before, "env", f"PYTHONHOME={sys.base_prefix}", self.program(name), "-B", TOWN,
                role, *arguments]

    def start_in(self, box, name, role, *arguments, before=()) -> harness.Helper:
        helper = harness.Helper(box.command(*self.words(name, role, *arguments, before=before)))
        self.addCleanup(helper.stop)
        return helper

    def start(self, name, role, *arguments, before=()) -> harness.Helper:
        return self.start_in(self.box, name, role, *arguments, before=before)

    def run_in(self, box, name, role, *arguments, before=()):
        box.run(*self.words(name, role, *arguments, before=before))

    def start_server(self, name):
        role, *arguments = SERVERS[name]
        before = ("ip", "netns", "exec", "blue") if name == "inner" else ()
        self.servers[name] = self.start(name, role, *arguments, before=before)

    def start_servers(self):
        for name in SERVERS:
            self.start_server(name)

    def stop_servers(self):
        for helper in self.servers.values():
            helper.stop()
        self.servers.clear()

    def work(self, seed, clients=CLIENTS):
        """A day in town: everything at once, drawn from the seed."""
        draw = random.Random(seed)
        script = pathlib.Path(self.state, "script")
        script.write_text(f"#!{self.program('interpreter')} -B\nimport sys\n"
                          f"sys.path.insert(0, {str(TOWN.parent)!r})\nimport alarm_town\n"
                          "alarm_town.batch(sys.argv[1])\n")
        script.chmod(0o755)
        running = []

        def begin(box, *words):
            # pylint: disable=consider-using-with
            running.append(subprocess.Popen(box.command(*words), env=self.environment,
                                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT))

        for name in clients:
            begin(self.box, *self.words(name, name, str(draw.random()), ROUNDS))
        if clients == CLIENTS:
            for name, address in SOMETIMES.items():
                begin(self.box, *self.words(name, "sometimes", str(draw.random()), ROUNDS,
                                            *address))
            begin(self.box, *self.words("app", "as_nobody", "app", str(draw.random()),
                                        ROUNDS // 4 + 1))
        begin(self.world, *self.words("callers", "callers", str(draw.random()), ROUNDS))
        shell = f"exec 3<>/dev/tcp/{THERE}/80; printf c >&3; read -r -u 3 || true"
        for _ in range(ROUNDS // 8 + 1):
            self.run_in(self.box, "batch", "batch", str(draw.random()))
            self.box.run("env", f"PYTHONHOME={sys.base_prefix}", script, str(draw.random()))
            self.box.run("bash", "-c", shell)
        for one in running:
            out = one.communicate(timeout=harness.HANG_SECONDS + ROUNDS)[0]
            self.assertEqual(one.returncode, 0, f"{one.args}: {out.decode()}")

    def configure(self, rule):
        (self.config / "alerts.toml").write_text(f"[[rule]]\n{rule}\n")

    # ---- what was told --------------------------------------------------------------------------

    def told(self) -> list[tuple[str, str, str, int]]:
        """(rule, program's name, about, facts) of all alerts, oldest first."""
        answer = self.twinport("alerts", "--json", "--limit", 1000)
        self.assert_code(answer, 0)
        return [(one["rule"], pathlib.Path(one["program"] or "").name, one["about"], one["facts"])
                for one in reversed(answer.json()["alerts"])]

    # ---- what does not belong -------------------------------------------------------------------

    def stays(self, name, role, *arguments, before=()):
        """Who is there until the alarm was given."""
        return lambda: [self.start(name, role, *arguments, before=before).stop]

    def passes(self, name, role, *arguments, box=None):
        """Who has come and gone before it can be given."""
        return lambda: self.run_in(box or self.box, name, role, *arguments)

    def instead(self, name, *arguments):
        """A service that is started again, and not as it was."""
        def deed():
            self.servers.pop(name).stop()
            wrong = self.start(name, "server", *arguments)

            def put_right():
                wrong.stop()
                self.start_server(name)

            return [put_right]

        return deed

    def leaks(self, guard):
        def deed():
            helper = self.start("app", "leak", THERE, 443, 20)
            # One more at each look, or many: there must be more and more.
            while not guard.says("close-wait-leak: ", within=0.05):
                helper.process.stdin.write(b"more\n")
                helper.process.stdin.flush()
                self.assertTrue(helper.process.stdout.readline())
            return [helper.stop]

        return deed

    def interpreted(self):
        """The system's own interpreter, with a script that serves."""
        helper = harness.Helper(self.box.command(
            "env", f"PYTHONHOME={sys.base_prefix}", self.python, "-B", TOWN, "server", "0.0.0.0",
            7001))
        return [helper.stop]

    def reverse_shell(self):
        self.box.run("bash", "-c", f"exec 3<>/dev/tcp/{THERE}/6667; printf c >&3; cat <&3")

    def intrusions(self, guard):
        """(rule, program, what the alarm says of it, the deed)"""
        heir = self.program("heir")
        in_blue = ("ip", "netns", "exec", "blue")
        return [
            ("unexpected-listener", "bindshell", "4444/tcp",
             self.stays("bindshell", "server", "0.0.0.0", 4444)),
            ("unexpected-listener", "moment", "4446/tcp",
             self.passes("moment", "moment", "0.0.0.0", 4446)),
            # In the range that the kernel lends, or that a resolver draws from, others open
            # ports as they should.
            ("impostor", "lurker", "/tcp", self.stays("lurker", "server", "0.0.0.0", 0)),
            ("impostor", "udplurker", "31337/udp",
             self.stays("udplurker", "udp_server", "0.0.0.0", 31337)),
            ("unexpected-listener", "udpshell", "500/udp",
             self.stays("udpshell", "udp_server", "0.0.0.0", 500)),
            ("unexpected-listener", "sixshell", "4445/tcp",
             self.stays("sixshell", "v6_only", 4445)),
            ("unexpected-listener", "inside", "in network namespace blue",
             self.stays("inside", "server", "127.0.0.1", 4447, before=in_blue)),
            ("impostor", "squatter", "1744/tcp",
             self.stays("squatter", "server", "0.0.0.0", 1744)),
            ("impostor", "ghost", "7000/tcp", self.stays("ghost", "hidden", HERE, 7000)),
            ("impostor", self.python.name, "7001/tcp", self.interpreted),
            ("impostor", "heir", "7002/tcp",
             self.stays("giver", "hand_over", heir, HERE, 7002)),
            ("impostor", "thief", "8081/tcp", self.stays("thief", "hijack", "0.0.0.0", 8081)),
            ("impostor", "ledger", "5433/tcp", self.instead("ledger", "127.0.0.1", 5433)),
            ("wider", "database", "5432/tcp", self.instead("database", "0.0.0.0", 5432)),
            ("wider", "cache", "6379/tcp", self.instead("cache", "::", 6379)),
            ("new-talker", "beacon", "443/tcp", self.passes("beacon", "beacon", THERE, 443, 30)),
            ("new-talker", "knocker", "8445/tcp", self.passes("knocker", "knock", THERE, 8445, 30)),
            ("new-talker", "whisper", "UDP", self.passes("whisper", "whisper", THERE, 53, 30)),
            ("new-talker", "app", "6667/tcp", self.passes("app", "beacon", THERE, 6667, 5)),
            ("new-talker", "bash", "6667/tcp", self.reverse_shell),
            ("port-scan", "", THERE,
             self.passes("scanner", "scan", HERE, 20000, 40, box=self.world)),
            ("close-wait-leak", "app", "does not close", self.leaks(guard)),
            ("ephemeral-exhaustion", "app", f"{THERE}:9999",
             self.stays("app", "exhaust", THERE, 9999, 5500)),
        ]

    def plant(self, guard):
        """Each in turn, while life goes on; what was to be told."""
        out = []
        life = threading.Thread(target=self.live_on)
        life.start()
        for rule, program, says, deed in self.intrusions(guard):
            undo = deed() or []
            guard.wait_for(f"{rule}: ", program, says)
            for one in undo:
                one()
            out.append((rule, program))
        life.join()
        return out

    def live_on(self):
        self.lived = False
        self.work(SEED + 2, ("resolver", "clock", "files", "forks"))
        self.lived = True

    def test_no_alarm_without_reason_and_one_for_each(self):
        self.start_servers()
        guard = Guard(self, self.box, "--no-alerts")
        self.work(SEED)
        guard.end()
        # What was not seen was not learned either.
        self.assertEqual(guard.process.returncode, 0, "".join(guard.lines))
        # 1: of so many short lives some holder may be left out, which only makes it stricter.
        learned = self.twinport("expect", "learn", "--all-namespaces", box=self.box)
        self.assert_code(learned, 0, 1)
        self.stop_servers()

        # The same kind of thing again; a service that is started again is away for a while.
        self.start_servers()
        self.configure('name = "missing"\nafter = "1h"')
        guard = Guard(self, self.box)
        self.work(SEED + 1)
        self.assertEqual(self.told(), FORESEEN)

        planted = self.plant(guard)
        self.assertTrue(self.lived, "life did not go on")
        self.configure('name = "missing"\nafter = "1s"')
        self.servers.pop("metrics").stop()
        guard.wait_for("missing: 9000/tcp ")
        planted.append(("missing", ""))
        guard.end(signal.SIGKILL)
        self.start_server("metrics")
        self.configure('name = "event-loss"\nafter = "1ms"')
        guard = Guard(self, self.box)
        guard.wait_for("event-loss: nothing was recorded for ")
        planted.append(("event-loss", ""))
        guard.end()
        told = self.told()
        self.assertEqual([one[:2] for one in told], FORESEEN + planted, told)

if __name__ == "__main__":
    unittest.main()
