"""Since when a bank has said that it does not find a payment.

One "not found" proves nothing: the request may lie unread in the socket of a bank that stood still, and be acted upon
a moment after the inquiry beside it was answered. So the bank must say it twice. Its first word shows that it is at
work; when its visibility window has passed since then, whatever reached it shows, and the second word counts (law 8).

The first word is written down with the inquiry's fact, so that a daemon restarted more often than the window is long
gets its second. What can go wrong is to count too much time between the two: too little only costs another question.
So it is never taken from the wall clock, which people and NTP set, also forward, also while no daemon runs and nobody
sees the leap. It is taken from the machine's uptime, which nobody sets and which goes on from process to process.
After a restart of the machine, or on another one, the two uptimes have nothing to do with each other. What is certain
then is only that the word is older than this process: the window is counted from the process's start, and the moment
of that start is what is written down next, so that the processes after it count on from there. A virtual machine set
back to an older snapshot shows less uptime than has passed. Not covered: a machine that is copied while it runs, with
the data directory then moved from one copy to the other.
"""

from dataclasses import dataclass

from gateway.core.payment import Payment, Uptime


@dataclass(frozen=True, slots=True)
class Asking:
    """One inquiry, by the machine's uptime."""

    started: Uptime
    """A moment after the process took over the store: every word on record is older."""
    asked: Uptime
    """Just before the question left."""
    answered: Uptime
    """Just after the answer was there."""

    def missing_since(self, payment: Payment) -> Uptime | None:
        """Since when, at the latest, the bank has said "not found" about this doubt; None: it has not."""
        since = payment.missing_since
        return since if since is None or since.boot == self.started.boot else self.started

    def missing_for_s(self, payment: Payment) -> float | None:
        """How long before this question, at the least, the first of these words came; None = it never did."""
        since = self.missing_since(payment)
        return None if since is None else self.asked.seconds_after(since)
