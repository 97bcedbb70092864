"""Sample rollouts, and the stack that runs them: what `make demo` shows."""
