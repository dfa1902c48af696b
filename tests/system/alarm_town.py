"""Programs that come and go, serve and ask, for test_alarms.py. Run by copies of the interpreter
under other names, so that each role is a program of its own:

  PROGRAM alarm_town.py ROLE [ARGUMENT...]

Roles of SERVERS and HOLDERS print a line of JSON when they are ready and end when their input is
closed. The others end by themselves. What they do is drawn from the seed that they are given, so a
run can be repeated, and another seed does the same kind of thing.
"""

import contextlib
import errno
import json
import os
import random
import resource
import selectors
import socket
import struct
import sys
import threading
import time

HERE, THERE = "10.79.0.1", "10.79.0.2"
RESET = struct.pack("ii", 1, 0)
LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def ready():
    print(json.dumps({"ready": True}), flush=True)


def wait_for_end():
    sys.stdin.read()
    os._exit(0)  # threads may be in the middle of a call


def listen(host, port, *, reuse_port=False, v6only=None, backlog=128):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if v6only is not None:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    server.bind((host, port))
    server.listen(backlog)
    return server


def serve(server):
    """Answers a byte with a byte; whoever says "c" is hung up on first."""
    def one(client):
        with client, contextlib.suppress(OSError):
            while True:
                asked = client.recv(1)
                if not asked or asked == b"c":
                    return
                client.sendall(asked)

    while True:
        client = server.accept()[0]
        threading.Thread(target=one, args=(client,), daemon=True).start()


def park(server):
    """Keeps what comes for as long as the other side does, and says nothing. Let go of any later,
    it would be in the way of who comes from the same port again."""
    kept = selectors.DefaultSelector()
    kept.register(server, selectors.EVENT_READ)
    while True:
        for one, _ in kept.select():
            if one.fileobj is server:
                kept.register(server.accept()[0], selectors.EVENT_READ)
            else:
                kept.unregister(one.fileobj)
                one.fileobj.close()


def in_thread(work, *arguments):
    threading.Thread(target=work, args=arguments, daemon=True).start()


def answer_datagrams(sock):
    while True:
        data, sender = sock.recvfrom(100)
        with contextlib.suppress(OSError):
            sock.sendto(data, sender)


def datagrams(host, port):
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    return sock


def talk(host, port, how="echo", pause=None):
    """One connection: its bytes are echoed, or the other side closes first, or it is reset."""
    client = socket.create_connection((host, port), timeout=60)
    with client:
        client.sendall(b"c" if how == "closed" else b"e")
        client.recv(1)
        if pause is not None:
            pause()
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def try_port(host, port):
    with socket.socket() as one:
        one.settimeout(60)
        if one.connect_ex((host, port)) == 0:
            raise AssertionError(f"{host} port {port} is open")


# ---- servers ------------------------------------------------------------------------------------

def outside():
    """The rest of the world."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    for port in (80, 443, 8443, 6667):
        in_thread(serve, listen("0.0.0.0", port, backlog=4096))
    for port in (53, 123):
        in_thread(answer_datagrams, datagrams("0.0.0.0", port))
    in_thread(park, listen("0.0.0.0", 9999, backlog=4096))
    ready()
    wait_for_end()


def server(*addresses):
    """Each "HOST PORT" of the arguments, for as long as its input is open."""
    for host, port in zip(addresses[::2], addresses[1::2]):
        in_thread(serve, listen(host, int(port)))
    ready()
    wait_for_end()


def prefork(host, port):
    listener = listen(host, int(port))
    for _ in range(2):
        if os.fork() == 0:
            in_thread(serve, listener)
            wait_for_end()
    ready()
    wait_for_end()


def reuse(host, port):
    listener = listen(host, int(port), reuse_port=True)
    if os.fork() == 0:
        in_thread(serve, listen(host, int(port), reuse_port=True))
        wait_for_end()
    in_thread(serve, listener)
    ready()
    wait_for_end()


def names(host, port):
    in_thread(serve, listen(host, int(port)))
    in_thread(answer_datagrams, datagrams(host, int(port)))
    ready()
    wait_for_end()


def as_nobody(role, *arguments):
    """Any role, without rights: the interpreter itself may lie where only root may read."""
    import encodings.idna  # noqa: F401  pylint: disable=import-outside-toplevel,unused-import
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    globals()[role](*arguments)


# ---- what a working day is made of --------------------------------------------------------------

def app(seed, rounds):
    """Long-lived, with a pool of connections, to others and to the database next door."""
    draw = random.Random(seed)
    pool = [socket.create_connection((THERE, 443)) for _ in range(5)]
    places = [(THERE, 443), (THERE, 443), (THERE, 8443), ("127.0.0.1", 5432), ("::1", 6379),
              (HERE, 8080)]
    # Each day has some of everything, however short it is and whatever is drawn.
    for host, port in places:
        talk(host, port)
    socket.create_connection((THERE, 9999)).close()
    try_port(THERE, 8444)
    for _ in range(int(rounds) * 4):
        host, port = draw.choice(places)
        talk(host, port, draw.choice(["echo", "reset", "reset", "reset", "closed"]))
        if draw.random() < 0.1:
            pool.pop(draw.randrange(5)).close()
            pool.append(socket.create_connection((THERE, 443)))
        if draw.random() < 0.1:
            socket.create_connection((THERE, 9999)).close()
        if draw.random() < 0.05:
            try_port(THERE, 8444)  # a service that is down


def resolver(seed, rounds):
    draw = random.Random(seed)
    for _ in range(int(rounds) * 8):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            way = draw.random()
            if way < 0.4:
                one.sendto(b"q", (THERE, 53))
            elif way < 0.7:
                one.connect((THERE, 53))
                one.send(b"q")
            else:
                with contextlib.suppress(OSError):  # somebody has it
                    one.bind(("0.0.0.0", draw.randrange(1024, 65536)))
                    one.sendto(b"q", (THERE, 53))
                    one.recv(1)


def clock(seed, rounds):
    """Asks from the port that its protocol names."""
    draw = random.Random(seed)
    for _ in range(int(rounds) // 10 + draw.randrange(3)):
        with datagrams("0.0.0.0", 123) as one:
            one.sendto(b"t", (THERE, 123))
            one.recv(1)


def files(seed, rounds):
    """Opens a port for each transfer, as passive FTP does."""
    draw = random.Random(seed)
    for _ in range(int(rounds)):
        with listen("0.0.0.0", 0) as door:
            for _ in range(draw.randrange(3)):
                with socket.create_connection((HERE, door.getsockname()[1])):
                    door.accept()[0].close()


def sometimes(seed, rounds, host, port):
    """A service that is there for a while now and then."""
    draw = random.Random(seed)
    for _ in range(int(rounds) // 10 + 2):
        with listen(host, int(port)) as door:
            for _ in range(draw.randrange(1, 4)):
                with socket.create_connection((host, int(port))):
                    door.accept()[0].close()


def batch(seed):
    """Lives for a moment."""
    talk(THERE, 80, random.Random(seed).choice(["echo", "reset", "closed"]))


def forks(seed, rounds):
    """A child for each piece of work; some inherit their connection, some make it."""
    draw = random.Random(seed)
    for _ in range(int(rounds) // 5 + 1):
        inherited = draw.random() < 0.5
        client = socket.create_connection((THERE, 443)) if inherited else None
        child = os.fork()
        if child == 0:
            if client is None:
                talk(THERE, 443)
            else:
                client.sendall(b"e")
                client.recv(1)
            os._exit(0)
        if client is not None:
            client.close()
        if os.waitpid(child, 0)[1] != 0:
            raise AssertionError("a child failed")


def callers(seed, rounds):
    """Out there: calls the services of the town, and now and then a port that is closed."""
    draw = random.Random(seed)
    for _ in range(int(rounds) * 4):
        port = draw.choice([8080, 8080, 8081, 9000, 53])
        talk(HERE, port, draw.choice(["echo", "reset", "closed"]))
        if draw.random() < 0.05:
            try_port(HERE, draw.choice([8082, 9100]))  # what monitoring looks for in vain
        if draw.random() < 0.3:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.sendto(b"q", (HERE, 53))


# ---- what does not belong -----------------------------------------------------------------------

def moment(host, port):
    """A listener that is gone before anybody could look."""
    listen(host, int(port)).close()


def hidden(host, port):
    """Whose file is gone from the disk."""
    os.unlink(os.readlink("/proc/self/exe"))
    server(host, port)


def v6_only(port):
    in_thread(serve, listen("::", int(port), v6only=1))
    ready()
    wait_for_end()


def udp_server(host, port):
    in_thread(answer_datagrams, datagrams(host, int(port)))
    ready()
    wait_for_end()


def hijack(host, port):
    in_thread(serve, listen(host, int(port), reuse_port=True))
    ready()
    wait_for_end()


def beacon(host, port, times):
    for _ in range(int(times)):
        talk(host, int(port), "reset")


def knock(host, port, times):
    """Connects in vain."""
    for _ in range(int(times)):
        try_port(host, int(port))


def whisper(host, port, times):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for _ in range(int(times)):
            one.sendto(b"w", (host, int(port)))


def scan(host, first, count):
    for port in range(int(first), int(first) + int(count)):
        try_port(host, port)


def hand_over(heir, host, port):
    """A program that may hold a port leaves it to another one and ends."""
    listener = listen(host, int(port))
    os.set_inheritable(listener.fileno(), True)
    if os.fork() == 0:
        os.execv(heir, [heir, "-B", __file__, "inherit", str(listener.fileno())])


def inherit(descriptor):
    in_thread(serve, socket.socket(fileno=int(descriptor)))
    ready()
    wait_for_end()


def leak(host, port, first):
    """Connections that the other side ends and nobody closes: one more for each line of input."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    kept = []
    more = int(first)
    while True:
        for _ in range(more):
            kept.append(socket.create_connection((host, int(port))))
            kept[-1].sendall(b"c")
            kept[-1].recv(1)
        ready()
        more = 1
        if not sys.stdin.readline():
            os._exit(0)


def exhaust(host, port, count):
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    kept = []
    while len(kept) < int(count):
        try:
            kept.append(socket.create_connection((host, int(port))))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            time.sleep(0.1)  # others rest from before: each comes back within a minute
    ready()
    sys.stdin.read()
    for one in kept:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    os._exit(0)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
