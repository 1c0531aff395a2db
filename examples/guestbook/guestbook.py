"""A guestbook: entries lie in a list of Redis. `serve` shows the newest and takes new ones; `sign NAME TEXT` adds one."""
import html
import http.server
import os
import sys
import time
import urllib.parse

import redis

ENTRIES = "entries"
ENTRIES_MAX = 100
ENTRY_CHARS_MAX = 1000
PAGE = """<!doctype html><meta charset="utf-8"><title>Guestbook</title><h1>Guestbook</h1>
<form method="post"><input name="name" placeholder="Name"> <input name="text" placeholder="What you want to say"> <button>Sign</button></form>
<ul>{}</ul><p>Served by {}</p>"""


def book():
    return redis.Redis(host=os.environ.get("REDIS_NAME", "redis"), decode_responses=True, socket_timeout=5, socket_connect_timeout=5)


def sign(name, text):
    """Adds an entry; the oldest ones go."""
    with book().pipeline() as change:
        change.lpush(ENTRIES, f"{time.strftime('%H:%M')} {name}: {text}"[:ENTRY_CHARS_MAX])
        change.ltrim(ENTRIES, 0, ENTRIES_MAX - 1)
        change.execute()


class Page(http.server.BaseHTTPRequestHandler):
    timeout = 10  # Seconds without a word from a client.

    def do_GET(self):
        try:
            entries = book().lrange(ENTRIES, 0, ENTRIES_MAX - 1)
        except redis.RedisError as error:
            return self.answer(503, html.escape(f"The book cannot be opened: {error}"))
        self.answer(200, PAGE.format("".join(f"<li>{html.escape(entry)}" for entry in entries), html.escape(os.uname().nodename)))

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > 4 * ENTRY_CHARS_MAX:
            return self.answer(413, "Too long")
        form = urllib.parse.parse_qs(self.rfile.read(int(length)).decode("utf-8", "replace"))
        try:
            sign(form.get("name", ["somebody"])[0], form.get("text", [""])[0])
        except redis.RedisError as error:
            return self.answer(503, html.escape(f"The book cannot be opened: {error}"))
        self.send_response(303)
        self.send_header("Location", "/")
        self.send_header("Content-Length", "0")
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
        case _:
            sys.exit(__doc__)
