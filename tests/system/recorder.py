"""What the tests of the recorder share: one in the background, and a connection that is gone before
anybody could have polled for it."""

import json
import signal
import subprocess
import sys

import harness

# A server and a client in one short-lived process, whose connection ends in a reset; prints the
# ports and its own pid.
SHORT = """
import json, os, socket, time
server = socket.create_server(("127.0.0.1", 0))
begun = time.monotonic_ns()
client = socket.create_connection(server.getsockname())
accepted = server.accept()[0]
pair = [client.getsockname()[1], server.getsockname()[1]]
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\x01\\0\\0\\0\\0\\0\\0\\0")
client.close()
accepted.close()
lived = time.monotonic_ns() - begun
print(json.dumps({"client": pair[0], "server": pair[1], "pid": os.getpid(), "lived_ns": lived}))
"""


def short_connection(box, *before) -> dict:
    """Runs it in a sandbox, behind the words of `before`; the process is gone when this returns."""
    return json.loads(box.run(*before, sys.executable, "-c", SHORT).stdout)


class Recorder:
    """`twinport record` in the background, past its first batch."""

    def __init__(self, test, *words, box=None):
        command = [str(harness.TWINPORT), "record", *words]
        if box is not None:
            command = box.command(*command)
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(command, env=test.environment, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        # Its first line comes when the kernel's programs run and the first batch is on the disk.
        self.first_line = self.process.stdout.readline().decode()
        test.addCleanup(self.end, signal.SIGKILL)
        if not self.first_line:
            raise AssertionError(self.process.communicate()[1].decode())

    def end(self, number=signal.SIGTERM):
        """(exit code, output, errors); the second time nothing."""
        if self.process.stdout.closed:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=harness.HANG_SECONDS)
        self.process.stdout.close()
        self.process.stderr.close()
        return self.process.returncode, out.decode(), err.decode()
