"""The dashboard for any WSGI server: `wsgi:app`. Building it connects to nothing."""

from dashboard.app import create_app

app = create_app()
