"""A small web site that leaks on purpose: what ArcGIS, sign-in pages and analytics do with credentials in URLs.

It answers origin requests and those of a forward proxy, on loopback only.
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

import planted

GIS = "gis.example.test"
STATS = "stats.analytics.test"

#: The smallest PNG: one transparent pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)

SIGN_IN = """<!doctype html><title>Sign in to the map</title>
<form action="/arcgis/tokens/generateToken" method="get">
<input name="username"><input name="password" type="password">
<input type="hidden" name="client" value="referer"><input type="hidden" name="referer" value="http://gis.example.test">
<input type="hidden" name="expiration" value="60"><input type="hidden" name="f" value="json">
<button>Sign in</button></form>"""

VIEWER = """<!doctype html><title>Parcels viewer</title>
<p id="state">loading</p><img src="/app/logo.png" alt="">
<script src="/app/viewer.js"></script>"""

# What many pages do: the token of the address is sent to the service, the whole address to the analytics.
VIEWER_JS = """const token = new URLSearchParams(location.search).get("token");
const pixel = (url) => new Promise((done) => {
  const image = new Image();
  image.onload = image.onerror = done;
  image.referrerPolicy = "unsafe-url";
  image.src = url;
});
Promise.all([
  fetch("/arcgis/rest/services/Parcels/MapServer?f=json&token=" + token).then((r) => r.json()),
  pixel("http://%s/collect?v=1&tid=UA-1&dl=" + encodeURIComponent(location.href)),
]).then(() => { document.getElementById("state").textContent = "ready"; });
""" % STATS

CALLBACK = "<!doctype html><title>Signed in</title><p id='state'>ready</p>"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, body, kind="text/html; charset=utf-8", status=200, headers=()):
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def redirect(self, to):
        self.reply("", status=302, headers=[("Location", to)])

    def do_GET(self):
        path = urlsplit(self.path).path
        secret = planted.values()
        if path == "/":
            self.redirect("/app/sign-in")
        elif path == "/app/sign-in":
            self.reply(SIGN_IN)
        elif path == "/arcgis/tokens/generateToken":
            self.token(parse_qs(urlsplit(self.path).query))
        elif path == "/arcgis/rest/services/Parcels/MapServer":
            self.reply(json.dumps({"currentVersion": 11.3, "mapName": "Parcels"}), "application/json")
        elif path == "/app/viewer":
            self.reply(VIEWER)
        elif path == "/app/viewer.js":
            self.reply(VIEWER_JS, "text/javascript")
        elif path in ("/app/logo.png", "/collect"):
            self.reply(PIXEL, "image/png")
        elif path == "/login":
            self.redirect(f"/signin/callback?code={secret['oauth_code']}&state=af0ifjsldkj")
        elif path == "/oauth2/authorize":
            self.redirect(
                f"/app/callback#access_token={secret['access_token']}&token_type=bearer&expires_in=1800&username="
                + quote("siteadmin")
            )
        elif path in ("/signin/callback", "/app/callback") or path.startswith("/reset/"):
            self.reply(CALLBACK)
        else:
            self.reply("not here", "text/plain", 404)

    do_HEAD = do_GET

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())
        if urlsplit(self.path).path == "/arcgis/tokens/generateToken":
            self.token(form)
        else:
            self.reply("not here", "text/plain", 404)

    def token(self, form):
        """What generateToken answers; a refusal comes with status 200, as ArcGIS sends it."""
        secret = planted.values()
        if form.get("password") == [secret["password"]]:
            expires = int(time.time() // 60 + 60) * 60_000
            answer = {"token": secret["arcgis_token"], "expires": expires, "ssl": True}
        else:
            answer = {"error": {"code": 400, "message": "Unable to generate token.", "details": []}}
        self.reply(json.dumps(answer), "application/json")

    def log_message(self, format, *args):
        pass


class Site(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that hang up are no news."""


def serve():
    """Starts the site on a free port of loopback; gives the server, whose `server_port` is that port."""
    server = Site(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
