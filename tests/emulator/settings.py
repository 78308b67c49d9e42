"""What a test can set, for as long as the emulator is not reset."""

DEFAULTS = {
    # Seconds that an operation on a stack, and a rollback, takes at least.
    "operation_seconds": 0.0,
    # Seconds until a change set is made.
    "change_set_seconds": 0.0,
    # How far the clock of the queues is ahead.
    "queue_seconds_ahead": 0.0,
    # Items on a page of any list; 0 for as many as the service gives.
    "page_size": 0,
    # Quotas of an account and region.
    "stacks": 2000,
    "event_buses": 100_000,
}
CURRENT = dict(DEFAULTS)


def change(wanted):
    if unknown := set(wanted) - set(DEFAULTS):
        raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
    CURRENT.update(wanted)


def reset():
    CURRENT.update(DEFAULTS)
