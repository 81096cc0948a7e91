"""What holds for all tests, on a slow or busy machine and in the background of a shell too."""

import signal

from hypothesis import settings

# How long an example of a property takes decides nothing.
settings.register_profile("any machine", settings(), deadline=None)
settings.load_profile("any machine")

# What a shell starts in the background ignores Ctrl-C, and so would the programs that the tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
