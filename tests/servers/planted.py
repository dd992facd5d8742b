"""The credentials that the test site gives out and the visits use.

They are invented: made from a fixed seed, so that every run plants the same values, and valid nowhere.
"""

import random
import string

BASE64URL = string.ascii_letters + string.digits + "-_"


def values():
    """Each credential by its kind."""
    rng = random.Random("credentials that open nothing")

    def made(length, alphabet=BASE64URL):
        # Letters at both ends: a value stays in one piece wherever text is cut at punctuation.
        ends = [rng.choice(string.ascii_letters) for _ in range(2)]
        return ends[0] + "".join(rng.choice(alphabet) for _ in range(length - 2)) + ends[1]

    return {
        "arcgis_token": made(64),
        "password": made(16, string.ascii_letters + string.digits + "-_~"),
        "oauth_code": made(43),
        "access_token": made(64),
        "reset_token": made(43),
    }


#: In words, where each of them travels in the visits.
PLACES = {
    "arcgis_token": "reply of generateToken; ?token= of page and map service; the Referer of what the page loads; "
    "the parameter dl of a third party; history; bookmarks",
    "password": "?password= of generateToken, by GET; the body of the POST",
    "oauth_code": "?code= of the redirect to /signin/callback",
    "access_token": "#access_token= of the redirect to /app/callback: browsers keep it, servers never see it",
    "reset_token": "a segment of the path /reset/...: cutting the query off does not hide it",
}
