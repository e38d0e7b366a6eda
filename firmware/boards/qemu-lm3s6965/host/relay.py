"""Between the guest's sealed network, which hands over one connection as standard input, and the broker on the host's loopback."""
import select
import socket
import sys

guest = socket.socket(fileno=0)
try:
    broker = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5)
except OSError:
    sys.exit(1)
broker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
other = {guest: broker, broker: guest}
try:
    while True:
        for side in select.select([guest, broker], [], [])[0]:
            data = side.recv(65536)
            if not data:
                sys.exit(0)
            other[side].sendall(data)
except OSError:
    pass
