"""A consumer for `fedora-messaging consume` that looks at the topic and counts."""

import os
import time

RELEVANT = "example.forge.prod.pagure.pull-request.new"


class Count:
    """Says how many seconds lay between the first message and the last."""

    def __init__(self):
        self.left = int(os.environ["BENCH_COUNT"])
        self.relevant = 0
        self.began = None

    def __call__(self, message):
        if self.began is None:
            self.began = time.monotonic()
        if message.topic == RELEVANT:
            self.relevant += 1
        self.left -= 1
        if self.left == 0:
            print("done", time.monotonic() - self.began, flush=True)
