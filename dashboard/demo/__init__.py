"""Sample rollouts, and the stack that runs them for `make demo`."""
