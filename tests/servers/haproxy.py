"""HAProxy with `option httplog`, as Debian's haproxy.cfg has it, to its standard output instead of syslog."""

import re

NAME = "haproxy"
PACKAGE = "haproxy"
PROGRAM = "haproxy"
LOGS = {"haproxy.log": "stdout.txt"}
MASK = "mask-haproxy"
POLICY = "referrer-policy-haproxy"

CONFIG = """
global
    log {target} local0

defaults
    log global
    mode http
    option dontlognull
    timeout connect 5000
    timeout client 50000
    timeout server 50000

frontend gis
    bind 127.0.0.1:{port}
{log}
{policy}
    use_backend down if {{ path_beg /down/ }}
    default_backend site

backend site
    server origin 127.0.0.1:{origin}

backend down
    retries 0
    server nobody 127.0.0.1:1
"""

#: The default of Debian's file, and the line that puts the Referer into it.
LOG = "option httplog\n    capture request header Referer len 512"


def configure(folder, port, origin, snippets):
    config = folder / "haproxy.cfg"
    config.write_text(
        CONFIG.format(
            port=port,
            origin=origin,
            target=snippets.get("target", "stdout format raw"),
            log=snippets.get("mask", LOG),
            policy=snippets.get("policy", ""),
        )
    )
    return ["haproxy", "-db", "-f", config], None


def log_format(snippet):
    """The string of the snippet's log-format, as it stands between the quotes."""
    return re.search(r'^log-format "(.*)"$', snippet, re.MULTILINE)[1]
