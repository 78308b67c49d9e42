"""Where IAM is enforced: what MiniStack asks for as AWS does."""

import ministack.app
from ministack.core import iam_actions

PIN = ministack.app.pin_request_origin
ACTION = iam_actions.extract_iam_action


def action(*request, **named):
    """SQS has no permissions for batches: who may do a thing may do ten of it."""
    wanted = ACTION(*request, **named)
    return wanted.removesuffix("Batch") if wanted and wanted.startswith("sqs:") else wanted


def install():
    # The loopback counts as encrypted, so that policies which refuse plain HTTP let through what they would in AWS.
    ministack.app.pin_request_origin = lambda address, _is_encrypted: PIN(address, True)
    iam_actions.extract_iam_action = action
    ministack.app.extract_iam_action = action
