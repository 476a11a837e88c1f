"""Reads messages with the fedora-messaging package: consume.py CONFIG COUNT.

Prints a line of JSON for each; a message that the package takes for invalid never gets that far.
"""

import json
import sys

from fedora_messaging import api, config, exceptions, message

config_path, count = sys.argv[1:]
config.conf.load_config(config_path=config_path)
left = int(count)


def callback(received):
    global left
    received.validate()
    known = {
        "topic": received.topic,
        "class": type(received).__name__,
        "severity": received.severity == message.INFO,
        "headers": sorted(received._headers),
        "queue": received.queue is not None,
        "summary": received.summary,
        "body": received.body,
    }
    print(json.dumps(known, sort_keys=True), flush=True)
    left -= 1
    if left == 0:
        raise exceptions.HaltConsumer(exit_code=0)


try:
    api.consume(callback)
except exceptions.HaltConsumer:
    pass
