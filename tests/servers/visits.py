"""The visits that curl makes, the same to every server."""

import subprocess
from urllib.parse import quote, urlencode

import origin
import planted

#: Where the visits come from: loopback, but an address that nothing else uses.
CLIENT = "127.0.0.7"


class Visit:
    """One request, and what a log has to say of it."""

    def __init__(self, path, referer=None, method="GET", body=None, host=origin.GIS, header=None):
        self.path = path
        self.referer = referer
        self.method = method
        self.body = body
        self.host = host
        self.header = header


def all_visits():
    """A sign-in, a map with its services and its analytics, a redirect, a password reset."""
    secret = planted.values()
    token = secret["arcgis_token"]
    login = {"username": "siteadmin", "password": secret["password"], "client": "referer", "f": "json"}
    viewer = f"http://{origin.GIS}/app/viewer?token={token}"
    return [
        Visit("/app/sign-in"),
        Visit("/arcgis/tokens/generateToken?" + urlencode(login), referer=f"http://{origin.GIS}/app/sign-in"),
        Visit(f"/app/viewer?token={token}"),
        Visit("/app/viewer.js", referer=viewer),
        Visit(f"/arcgis/rest/services/Parcels/MapServer?f=json&token={token}", referer=viewer),
        Visit("/collect?v=1&tid=UA-1&dl=" + quote(viewer, safe=""), referer=viewer, host=origin.STATS),
        Visit("/login"),
        Visit(f"/signin/callback?code={secret['oauth_code']}&state=af0ifjsldkj"),
        # As it should be: no log but Caddy's has headers, or bodies.
        Visit(
            "/arcgis/rest/services/Parcels/MapServer?f=json",
            referer=f"http://{origin.GIS}/",
            header=f"X-Esri-Authorization: Bearer {token}",
        ),
        Visit("/arcgis/tokens/generateToken", method="POST", body=urlencode(login)),
        Visit(f"/reset/{secret['reset_token']}"),
        # What an error log tells of.
        Visit(f"/tiles/7/42.png?token={token}", referer=viewer),
        Visit(f"/down/tiles/7/42.png?token={token}", referer=viewer),
    ]


def request(port, visit, forward=False, head=False):
    """Makes a visit with curl; gives the status, or with `head` the headers of the reply."""
    way = (
        ["--proxy", f"http://127.0.0.1:{port}"]
        if forward
        else ["--connect-to", f"{visit.host}:80:127.0.0.1:{port}"]
    )
    command = ["curl", "--silent", "--show-error", "--max-time", "60", "--interface", CLIENT, *way]
    if head:
        command += ["--head"]
    else:
        command += ["--output", "/dev/null", "--write-out", "%{http_code}"]
    if visit.referer:
        command += ["--referer", visit.referer]
    if visit.header:
        command += ["--header", visit.header]
    if visit.body is not None:
        command += ["--data", visit.body]
    command += [f"http://{visit.host}{visit.path}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=90).stdout


def make(port, forward=False):
    """Makes all visits; gives each with the status it got."""
    return [(visit, int(request(port, visit, forward))) for visit in all_visits()]
