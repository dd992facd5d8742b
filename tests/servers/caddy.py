"""Caddy: JSON lines, its default; errors go to the default log, which is its standard error."""

import re

NAME = "caddy"
PACKAGE = "caddy"
PROGRAM = "caddy"
LOGS = {"access.log": "logs/access.log", "error.log": "stderr.txt"}
MASK = "mask-caddy"
POLICY = "referrer-policy-caddy"

CONFIG = """
{top}
{{
	admin off
	auto_https off
{options}
}}
http://:{port} {{
	bind 127.0.0.1
{log}
{policy}
	reverse_proxy /down/* 127.0.0.1:1
	reverse_proxy 127.0.0.1:{origin}
}}
"""

LOG = """log {
	output file /var/log/caddy/access.log
}"""


def configure(folder, port, origin, snippets):
    config = folder / "Caddyfile"
    top, options, log = "", "", LOG
    if mask := snippets.get("mask"):
        # Its three parts say where they belong in comments.
        _, top, options, log = re.split(r"^# .*$", mask, flags=re.MULTILINE)
    config.write_text(
        CONFIG.format(
            top=top,
            options=options,
            port=port,
            origin=origin,
            log=log.replace("/var/log/caddy/", f"{folder}/logs/"),
            policy=snippets.get("policy", ""),
        )
    )
    return ["caddy", "run", "--config", config, "--adapter", "caddyfile"], None
