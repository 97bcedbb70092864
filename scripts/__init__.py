"""Tools for who works on the dashboard: measurements, comparisons and generated files."""
