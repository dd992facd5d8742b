"""Apache httpd with Debian's own LogFormat lines: combined, and vhost_combined for sites without a log of their own."""

import re
from pathlib import Path

NAME = "apache"
PACKAGE = "apache2"
PROGRAM = "apache2"
LOGS = {
    "access.log": "logs/access.log",
    "other_vhosts_access.log": "logs/other_vhosts_access.log",
    "error.log": "logs/error.log",
}
MASK = "mask-apache"
POLICY = "referrer-policy-apache"

MODULES = Path("/usr/lib/apache2/modules")
DEBIAN = Path("/etc/apache2/apache2.conf")

CONFIG = """
ServerRoot {folder}
ServerName gis.example.test
PidFile {folder}/apache2.pid
Listen 127.0.0.1:{port}
{modules}
ErrorLog {folder}/logs/error.log
{formats}
{log}
ProxyPass /down/ http://127.0.0.1:1/
ProxyPass / http://127.0.0.1:{origin}/
ProxyPreserveHost On
{policy}
<VirtualHost 127.0.0.1:{port}>
    ServerName gis.example.test
    {own_log}
</VirtualHost>
<VirtualHost 127.0.0.1:{port}>
    ServerName stats.analytics.test
</VirtualHost>
"""

LOG = "CustomLog logs/other_vhosts_access.log vhost_combined"
OWN_LOG = "CustomLog logs/access.log combined"


def configure(folder, port, origin, snippets):
    names = ["mpm_event", "authz_core", "setenvif", "headers", "proxy", "proxy_http"]
    config = folder / "apache2.conf"
    mask = snippets.get("mask")
    config.write_text(
        CONFIG.format(
            folder=folder,
            port=port,
            origin=origin,
            modules="\n".join(f"LoadModule {n}_module {MODULES}/mod_{n}.so" for n in names),
            formats="\n".join(
                line for line in DEBIAN.read_text().splitlines() if line.startswith("LogFormat ")
            ),
            # One line for all sites: those with a CustomLog of their own would keep it.
            log=mask.replace("logs/access_log", "logs/access.log") if mask else LOG,
            own_log="" if mask else OWN_LOG,
            policy=snippets.get("policy", ""),
        )
    )
    return ["apache2", "-f", config, "-DFOREGROUND"], None


def log_format(snippet):
    """The string of the snippet's LogFormat, as it stands there."""
    return re.search(r'^LogFormat "(.*)" \w+$', snippet, re.MULTILINE)[1]
