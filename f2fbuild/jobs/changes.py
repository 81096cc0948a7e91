"""A bell for each job: who waits for a change takes `next` before reading, so that no change is missed."""

from weakref import WeakValueDictionary

import trio


class Changes:
    """Wakes the tasks that wait for something to change in a job. Nothing is remembered between."""

    def __init__(self) -> None:
        # A bell that nobody waits for any more goes by itself: most jobs never change again.
        self._bells: WeakValueDictionary[str, trio.Event] = WeakValueDictionary()

    def next(self, job: str) -> trio.Event:
        """Return the event that the job's next change sets. Take it first, read the state, then wait."""
        return self._bells.setdefault(job, trio.Event())

    def notify(self, job: str) -> None:
        """Say that something changed in the job."""
        bell = self._bells.pop(job, None)
        if bell is not None:
            bell.set()
