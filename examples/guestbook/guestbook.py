"""A guestbook: entries lie in a list of Redis. `serve` shows them and takes new ones; `sign NAME TEXT` adds one; `trim COUNT` keeps the newest."""
import html
import http.server
import os
import sys
import time
import urllib.parse

import redis

ENTRIES = "entries"
ENTRY_CHARS_MAX = 1000
SHOWN_MAX = 100
PAGE = """<!doctype html><meta charset="utf-8"><title>Guestbook</title><h1>Guestbook</h1>
<form method="post"><input name="name" placeholder="Name"> <input name="text" placeholder="What you want to say"> <button>Sign</button></form>
<ul>{}</ul><p>Served by {}</p>"""


def book():
    return redis.Redis(host=os.environ.get("REDIS_HOST", "redis"), decode_responses=True, socket_timeout=5, socket_connect_timeout=5)


def sign(name, text):
    book().lpush(ENTRIES, f"{time.strftime('%H:%M')} {name}: {text}"[:ENTRY_CHARS_MAX])


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/healthz":
            return self.answer(200, "ok" if book().ping() else "")
        entries = book().lrange(ENTRIES, 0, SHOWN_MAX - 1)
        self.answer(200, PAGE.format("".join(f"<li>{html.escape(entry)}" for entry in entries), html.escape(os.uname().nodename)))

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if not 0 <= length <= 4 * ENTRY_CHARS_MAX:
            return self.answer(413, "too long")
        form = urllib.parse.parse_qs(self.rfile.read(length).decode("utf-8", "replace"))
        sign(form.get("name", ["somebody"])[0], form.get("text", [""])[0])
        self.send_response(303)
        self.send_header("Location", "/")
        self.end_headers()

    def answer(self, code, text):
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            http.server.ThreadingHTTPServer(("", 8080), Page).serve_forever()
        case ["sign", name, text]:
            sign(name, text)
        case ["trim", count]:
            book().ltrim(ENTRIES, 0, int(count) - 1)
        case _:
            sys.exit(__doc__)
