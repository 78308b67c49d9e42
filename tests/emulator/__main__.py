"""A local AWS for the tests: MiniStack in this process, with what it lacks for this project.

Listens on 127.0.0.1 only, on a free port, which it prints as one JSON line once it answers. Ends with its standard input,
so that a test that was killed leaves nothing behind. `control` says what a test can ask of it besides AWS's own APIs.
"""

import asyncio
import json
import logging
import os
import socket
import sys
import threading
import warnings


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_with_standard_input():
    sys.stdin.buffer.read()
    os._exit(0)


async def serve(app, port):
    from hypercorn.asyncio import serve as hypercorn
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.accesslog = None
    config.errorlog = None
    config.backlog = 1024
    config.keep_alive_timeout = 75
    server = asyncio.ensure_future(hypercorn(app, config))
    while True:
        await asyncio.sleep(0.05)
        if server.done():
            return server.result()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
    print(json.dumps({"port": port}), flush=True)
    return await server


def main():
    port = free_port()
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
    # What the emulator itself prints must not reach the line that tells the port.
    told, sys.stdout = sys.stdout, sys.stderr
    import ministack.app

    import control
    import sources
    import templates

    sources.install()
    templates.install()
    app = control.install(ministack.app.app)
    sys.stdout = told
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    asyncio.run(serve(app, port))


main()
