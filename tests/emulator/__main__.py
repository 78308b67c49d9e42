"""A local AWS for the tests: MiniStack in this process, with what it lacks for this project.

`python tests/emulator --port 0` listens on 127.0.0.1 only and prints one JSON line with its port once it answers; it ends
with its standard input, so that a test that was killed leaves nothing behind. `control` says what a test can ask of it
besides AWS's own APIs.
"""

import argparse
import asyncio
import json
import logging
import os
import socket
import sys
import threading
import warnings

# The folder of a test's program is no place for caches.
sys.dont_write_bytecode = True


def listening(port):
    """A socket on this port; on a free one for 0."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def end_with_standard_input():
    sys.stdin.buffer.read()
    os._exit(0)


def emulator(port):
    """The program that answers requests, in the words of ASGI."""
    os.environ.update(
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(port),
        MINISTACK_HOST="127.0.0.1",
        SFTP_ENABLED="0",
        IOT_MTLS_ENABLED="0",
        LOG_LEVEL="CRITICAL",
    )
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    import stores

    stores.install()
    import ministack.app

    import change_sets
    import control
    import listing
    import metrics
    import operations
    import permissions
    import queues
    import resources
    import sources
    import templates

    for part in (templates, listing, sources, resources, operations, change_sets, metrics, permissions, queues):
        part.install()
    return control.install(ministack.app.app)


async def serve(app, listener):
    from hypercorn.asyncio import serve as hypercorn
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.accesslog = None
    config.errorlog = None
    config.backlog = 1024
    config.keep_alive_timeout = 75
    # A connection that ends by itself would look like an answer that was lost.
    config.keep_alive_max_requests = 10_000_000
    server = asyncio.ensure_future(hypercorn(app, config))
    while not await asyncio.to_thread(answers, listener.getsockname()[1]):
        if server.done():
            return server.result()
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    return await server


def answers(port):
    """Whether the emulator takes connections; waits a little where it does not."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.05) as probe:
            probe.sendall(b"GET /_ministack/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            probe.settimeout(5)
            return probe.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=0, help="0 for a free one")
    listener = listening(options.parse_args().port)
    # What the emulator itself prints must not reach the line that tells the port.
    told, sys.stdout = sys.stdout, sys.stderr
    app = emulator(listener.getsockname()[1])
    sys.stdout = told
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    asyncio.run(serve(app, listener))


main()
