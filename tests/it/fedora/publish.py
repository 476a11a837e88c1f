"""Publishes a message with the fedora-messaging package: publish.py CONFIG TOPIC BODY."""

import json
import sys

from fedora_messaging import api, config, message

config_path, topic, body_path = sys.argv[1:]
config.conf.load_config(config_path=config_path)
with open(body_path) as file:
    body = json.load(file)
sent = message.Message(topic=topic, body=body, severity=message.INFO)
api.publish(sent)
print(sent.id)
