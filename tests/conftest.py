"""What holds for all tests: an example that takes long on a slow or busy machine is no failure."""

from hypothesis import settings

settings.register_profile("any machine", settings(), deadline=None)
settings.load_profile("any machine")
