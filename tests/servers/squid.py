"""Squid as the site's forward proxy, with its native format and with combined.

`strip_query_terms` is on by default: a log of Squid has no queries unless somebody wanted them, and turned it off.
That is the case that is tried here.
"""

NAME = "squid"
PACKAGE = "squid"
PROGRAM = "squid"
LOGS = {"access.log": "logs/access.log", "access_combined.log": "logs/access_combined.log"}
MASK = "mask-squid"
POLICY = "referrer-policy-squid"
FORWARD = True

CONFIG = """
http_port 127.0.0.1:{port}
pid_filename {folder}/squid.pid
cache_log {folder}/logs/cache.log
coredump_dir {folder}
visible_hostname proxy.example.test
memory_cache_shared off
cache deny all
netdb_filename none
pinger_enable off
shutdown_lifetime 1 seconds
http_access allow all
cache_peer 127.0.0.1 parent {origin} 0 no-query no-digest no-netdb-exchange originserver
never_direct allow all
{log}
{policy}
"""

LOG = """strip_query_terms off
access_log daemon:/var/log/squid/access.log squid
access_log daemon:/var/log/squid/access_combined.log combined
"""


def configure(folder, port, origin, snippets):
    config = folder / "squid.conf"
    config.write_text(
        CONFIG.format(
            folder=folder,
            port=port,
            origin=origin,
            policy=snippets.get("policy", ""),
            log=snippets.get("mask", LOG).replace("/var/log/squid/", f"{folder}/logs/"),
        )
    )
    return ["squid", "-N", "-f", config], None
