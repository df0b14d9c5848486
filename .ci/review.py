"""What .ci/review holds against a page that a browser has opened.

    review.py DOM NETLOG PICTURES LOG...
"""

import json
import re
import struct
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path

# Elements that have no end.
VOID = {"meta", "br", "input", "link", "img", "hr"}


class Wrong(Exception):
    """What is wrong, for people."""


class Element:
    """An element of the page, with what is in it."""

    def __init__(self, name, attributes, above):
        self.name, self.attributes, self.above, self.below, self.texts = name, attributes, above, [], []

    def all(self, name=None, of=None):
        """All elements below of a name and a class."""
        for one in self.below:
            classes = (one.attributes.get("class") or "").split()
            if (name is None or one.name == name) and (of is None or of in classes):
                yield one
            yield from one.all(name, of)

    @property
    def text(self):
        """All the text in it, in one line."""
        parts = (part if isinstance(part, str) else part.text for part in self.texts)
        return re.sub(r"\s+", " ", " ".join(parts)).strip()


class Page(HTMLParser):
    """The page, as the browser holds it."""

    def __init__(self, text):
        super().__init__()
        self.top = self.at = Element("", {}, None)
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        one = Element(tag, dict(attrs), self.at)
        self.at.below.append(one)
        self.at.texts.append(one)
        if tag not in VOID:
            self.at = one

    def handle_endtag(self, tag):
        at = self.at
        while at is not None and at.name != tag:
            at = at.above
        if at is not None:
            self.at = at.above

    def handle_data(self, data):
        self.at.texts.append(data)


def by_id(page, wanted):
    for one in page.all():
        if one.attributes.get("id") == wanted:
            return one
    raise Wrong(f"nothing on the page is called {wanted}")


def told(page):
    """A reader finds who may delete recordings, and by what."""
    grave = by_id(page, "grave")
    rows = [row for row in grave.all("tbody", "entry") if "recording.delete" in row.text]
    if not rows:
        raise Wrong("nothing says who may delete recordings")
    said = " ".join(row.text for row in rows)
    for wanted in (
        "dora.chief", "role SUPER_USER", "ben.lead", "role archivist", "cleaner", "program",
        "cleo.agent", "rights document “Complaint line”", "inherited from ben.lead", "complaints-2027",
    ):
        if wanted not in said:
            raise Wrong(f"of those who may delete recordings nothing says `{wanted}`: {said}")
    for other in ("eve.auditor", "nils.north"):
        if other in said:
            raise Wrong(f"{other} is said to be able to delete recordings")


def drawn(page):
    """The tree and the heat map are there, and every link leads somewhere."""
    tree = by_id(page, "tree")
    nodes = [node.text for node in tree.all("span", "node")]
    for wanted in ("Acme Telephony", "Acme North", "dora.chief", "ben.lead", "cleo.agent", "nils.north"):
        if not any(wanted in node for node in nodes):
            raise Wrong(f"{wanted} is not in the tree: {nodes}")
    below = next(one for one in tree.all("li") if one.text.startswith("ben.lead"))
    if not any("cleo.agent" in one.text for one in below.all("li")):
        raise Wrong("cleo.agent does not stand below ben.lead")
    heat = next(by_id(page, "heat").all("table", "heat"))
    shades = {name for cell in heat.all("td") for name in (cell.attributes.get("class") or "").split()}
    if "h4" not in shades or len(shades) < 2:
        raise Wrong(f"the heat map has the shades {shades}")
    if not any("recording" in row.text for row in heat.all("tr")):
        raise Wrong("recordings are not in the heat map")
    ids = {one.attributes["id"] for one in page.all() if "id" in one.attributes}
    for link in page.all("a"):
        to = link.attributes.get("href", "")
        if not to.startswith("#") or to[1:] not in ids:
            raise Wrong(f"a link leads to `{to}`")
    find = next(page.all("p", "find"))
    if "hidden" in find.attributes:
        raise Wrong("the script of the page did not run")


def quiet(logs):
    """The page has said nothing on the console; the browser's own pages may."""
    for log in logs:
        lines = Path(log).read_text(encoding="utf-8", errors="replace").splitlines()
        said = [line for line in lines if ":CONSOLE" in line and "source: chrome://" not in line]
        if said:
            raise Wrong("on the console: " + "\n".join(said))


def alone(log):
    """Nothing was asked for but the page itself."""
    text = Path(log).read_text(encoding="utf-8")
    try:
        events = json.loads(text)["events"]
    except json.JSONDecodeError:
        # A browser that was ended in the middle leaves the list open.
        events = json.loads(text.rstrip().rstrip(",") + "]}")["events"]
    # What the browser asks for of its own accord, such as updates, has no page for its origin.
    wanted = [event["params"] for event in events if "initiator" in event.get("params", {})]
    asked = {one.get("url", "") for one in wanted if one["initiator"] != "not an origin"}
    asked = {url for url in asked if not url.startswith(("file:", "data:"))}
    if asked:
        raise Wrong(f"asked for: {sorted(asked)}")


def picture(path):
    """The rows of a PNG of eight bits a colour, each a list of (red, green, blue)."""
    data = path.read_bytes()
    place, packed = 8, b""
    while place < len(data):
        size, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + size]
        if kind == b"IHDR":
            width, height, bits, colours = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            packed += body
        place += size + 12
    if bits != 8 or colours not in (2, 6):
        raise Wrong(f"{path} has {bits} bits of kind {colours}")
    each = 3 if colours == 2 else 4
    raw, before, rows = zlib.decompress(packed), bytearray(width * each), []
    for y in range(height):
        start = y * (width * each + 1)
        way, line = raw[start], bytearray(raw[start + 1 : start + 1 + width * each])
        for x, value in enumerate(line):
            left = line[x - each] if x >= each else 0
            up, corner = before[x], before[x - each] if x >= each else 0
            if way == 1:
                value += left
            elif way == 2:
                value += up
            elif way == 3:
                value += (left + up) // 2
            elif way == 4:
                guess = left + up - corner
                far = (abs(guess - left), abs(guess - up), abs(guess - corner))
                value += (left, up, corner)[far.index(min(far))]
            line[x] = value & 255
        rows.append(line)
        before = line
    return [[tuple(line[x : x + 3]) for x in range(0, width * each, each)] for line in rows]


def looks(folder):
    """The beginning of the page has the colours of its style, by day and by night, and is no empty sheet."""
    # Paper, the boxes of the figures, and what is grave.
    for theme, paper, box, grave in (("light", "ffffff", "f4f6f9", "a3231a"), ("dark", "14171c", "1d2229", "ff9d94")):
        rows = picture(Path(folder, f"{theme}-top.png"))
        colours = {}
        for row in rows:
            for pixel in row:
                colours[pixel] = colours.get(pixel, 0) + 1
        named = {"%02x%02x%02x" % colour: count for colour, count in colours.items()}
        if "%02x%02x%02x" % rows[0][0] != paper:
            raise Wrong(f"{theme}: the paper is %02x%02x%02x" % rows[0][0])
        if box not in named or grave not in named:
            raise Wrong(f"{theme}: the page has not the colours of its style")
        if named[paper] > 0.97 * sum(named.values()):
            raise Wrong(f"{theme}: the page is as good as empty")


if __name__ == "__main__":
    dom, net, pictures, *logs = sys.argv[1:]
    try:
        page = Page(Path(dom).read_text(encoding="utf-8")).top
        told(page)
        drawn(page)
        quiet(logs)
        alone(net)
        looks(pictures)
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        sys.exit(1)
    print("the page of a review is what it should be: told, drawn, quiet, alone, light and dark")
