"""The network room: sessions between friends, their messages and transfers."""
