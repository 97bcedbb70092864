"""What strangers and users may try against a dashboard that is served: bounded, and on this machine alone."""
