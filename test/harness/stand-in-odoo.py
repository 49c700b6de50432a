"""Stands in for Odoo where only its process and its login page matter: real PostgreSQL and proxies, no 30 seconds of installing."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port = next(int(word.partition("=")[2]) for word in sys.argv if word.startswith("--http-port="))


class Login(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'<form><input name="login"/></form>')

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", port), Login).serve_forever()
