"""The simulator: the daemon's real core on a fake clock, with banks, clients, watchers and operators out of a seed."""
