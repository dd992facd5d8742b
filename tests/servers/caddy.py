"""Caddy: JSON lines, its default."""

NAME = "caddy"
PACKAGE = "caddy"
PROGRAM = "caddy"
LOGS = {"access.log": "logs/access.log"}
MASK = "mask-caddy"
POLICY = "referrer-policy-caddy"

CONFIG = """
{{
	admin off
	auto_https off
}}
http://:{port} {{
	bind 127.0.0.1
{log}
{policy}
	reverse_proxy 127.0.0.1:{origin}
}}
"""

LOG = """log {
	output file /var/log/caddy/access.log
}"""


def configure(folder, port, origin, snippets):
    config = folder / "Caddyfile"
    log = snippets.get("mask", LOG)
    config.write_text(
        CONFIG.format(
            port=port,
            origin=origin,
            log=log.replace("/var/log/caddy/", f"{folder}/logs/"),
            policy=snippets.get("policy", ""),
        )
    )
    return ["caddy", "run", "--config", config, "--adapter", "caddyfile"], None
