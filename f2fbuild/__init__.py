"""f2fbuild: a friend-to-friend build network for Linux packagers."""
