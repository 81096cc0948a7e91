"""A bell for each job: who waits for a change takes `next` before reading, so that no change is missed."""

import trio


class Changes:
    """Wakes the tasks that wait for something to change in a job. Nothing is remembered between."""

    def __init__(self) -> None:
        self._events: dict[str, trio.Event] = {}

    def next(self, job: str) -> trio.Event:
        """Return the event that the job's next change sets. Take it first, read the state, then wait."""
        return self._events.setdefault(job, trio.Event())

    def notify(self, job: str) -> None:
        """Say that something changed in the job."""
        event = self._events.pop(job, None)
        if event is not None:
            event.set()
