"""The request's audit context, for any ASGI or WSGI application: import the one you need."""
