"""nginx: combined is its default format; its error log quotes requests and Referers."""

import re

NAME = "nginx"
PACKAGE = "nginx"
PROGRAM = "nginx"
LOGS = {"access.log": "logs/access.log", "error.log": "logs/error.log"}
MASK = "mask-nginx"
POLICY = "referrer-policy-nginx"

CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/logs/error.log;
events {{ }}
http {{
    client_body_temp_path {folder}/tmp;
    proxy_temp_path {folder}/tmp;
    fastcgi_temp_path {folder}/tmp;
    uwsgi_temp_path {folder}/tmp;
    scgi_temp_path {folder}/tmp;
{log}
    server {{
        listen 127.0.0.1:{port};
        server_name gis.example.test;
{policy}
        location / {{
            proxy_pass http://127.0.0.1:{origin};
            proxy_set_header Host $host;
        }}
        location /tiles/ {{ root {folder}; }}
        location /down/ {{ proxy_pass http://127.0.0.1:1; }}
    }}
}}
"""


def configure(folder, port, origin, snippets):
    log = snippets.get("mask", "access_log /var/log/nginx/access.log;")
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(
            folder=folder,
            port=port,
            origin=origin,
            log=log.replace("/var/log/nginx/", f"{folder}/logs/"),
            policy=snippets.get("policy", ""),
        )
    )
    return ["nginx", "-c", config, "-e", f"{folder}/logs/error.log"], None


def log_format(snippet):
    """The string of the snippet's log_format, its pieces joined as nginx joins them."""
    return "".join(re.findall(r"'([^']*)'", snippet[snippet.index("log_format") :]))
