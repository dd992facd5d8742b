"""Tomcat with Debian's server.xml, whose AccessLogValve has the pattern of Tomcat's own default.

Tomcat is no proxy: it serves files that stand where the site has its pages.
"""

import re
import shutil
from pathlib import Path

NAME = "tomcat"
PACKAGE = "tomcat10"
PROGRAM = "/usr/share/tomcat10/bin/catalina.sh"
LOGS = {"localhost_access_log.txt": "logs/localhost_access_log.*"}
MASK = "mask-tomcat"
POLICY = None

HOME = Path("/usr/share/tomcat10")
PAGES = [
    "app/sign-in",
    "app/viewer",
    "app/viewer.js",
    "arcgis/tokens/generateToken",
    "arcgis/rest/services/Parcels/MapServer",
    "signin/callback",
]

VALVE = re.compile(r'<Valve className="org\.apache\.catalina\.valves\.AccessLogValve".*?/>', re.DOTALL)


def configure(folder, port, origin, snippets):
    shutil.copytree(HOME / "etc", folder / "conf")
    for name in ["work", "temp"]:
        (folder / name).mkdir()
    for page in PAGES:
        file = folder / "webapps/ROOT" / page
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    xml = folder / "conf/server.xml"
    text = xml.read_text()
    assert VALVE.search(text), "server.xml of the package has no AccessLogValve"
    if mask := snippets.get("mask"):
        text = VALVE.sub(lambda _: mask, text)
    xml.write_text(text.replace('<Connector port="8080"', f'<Connector address="127.0.0.1" port="{port}"'))
    return [PROGRAM, "run"], {"CATALINA_HOME": str(HOME), "CATALINA_BASE": str(folder)}


def log_format(snippet):
    """The pattern of the snippet's valve, as it stands in its XML."""
    return re.search(r'pattern="(.*)"', snippet)[1]
