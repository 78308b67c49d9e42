"""Queues whose time a test can move on."""

import time
import types

from ministack.services import sqs

import settings


def install():
    sqs.time = types.SimpleNamespace(time=lambda: time.time() + settings.CURRENT["queue_seconds_ahead"])
