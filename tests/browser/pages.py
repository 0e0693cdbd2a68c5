"""A scope on a page, as a person uses it."""

import hashlib
import json
from urllib.parse import quote


class ScopePage:
    """Drives one of the scopes of a Playwright page."""

    def __init__(self, page, index=0):
        self.page = page
        self.root = page.locator(".attnscope").nth(index)
        self.root.wait_for()
        self.settle()

    def settle(self):
        """Wait until the scope has painted and stands still."""
        self.page.wait_for_function(
            """([root]) => new Promise((done) => {
                let last = root.dataset.painted, calm = 0;
                const look = () => {
                    const now = root.dataset.painted;
                    calm = now !== undefined && now === last ? calm + 1 : 0;
                    last = now;
                    calm > 6 ? done(true) : setTimeout(look, 40);
                };
                look();
            })""",
            arg=[self.root.element_handle()],
        )

    def arrived(self):
        """Wait until every map on screen is the one asked for, and not one that stands in for it."""
        self.page.wait_for_function(
            "root => root.querySelectorAll('.as-stale, .as-coarse').length === 0", arg=self.root.element_handle()
        )
        self.settle()

    @property
    def level(self):
        return self.root.get_attribute("data-level")

    def layers(self):
        return self.root.locator(".as-tile[data-layer]").evaluate_all("tiles => tiles.map(t => t.dataset.layer)")

    def heads(self):
        return self.root.locator(".as-tile[data-head]").evaluate_all("tiles => tiles.map(t => t.dataset.head)")

    def open_layer(self, layer):
        self.root.locator(f'.as-tile[data-layer="{layer}"]').click()
        self.settle()

    def open_head(self, head):
        self.root.locator(f'.as-tile[data-head="{head}"]').click()
        self.settle()

    def up(self, crumb=0):
        self.root.locator(".as-crumb").nth(crumb).click()
        self.settle()

    def hover(self, u, v):
        picture = self.root.locator(".as-picture")
        picture.evaluate("picture => picture.scrollIntoView({block: 'center'})")
        box = picture.bounding_box()
        self.page.mouse.move(box["x"] + u * box["width"], box["y"] + v * box["height"])
        self.settle()

    def click_picture(self, u, v):
        self.hover(u, v)
        self.page.mouse.down()
        self.page.mouse.up()
        self.settle()

    def bars(self):
        """Value of every token at the point looked at."""
        return self.root.locator(".as-bar").evaluate_all(
            "bars => Object.fromEntries(bars.map(b => [b.dataset.token, b.querySelector('.as-value').textContent]))"
        )

    def choose(self, token):
        self.root.locator(f'.as-chip[data-token="{token}"]').click()
        self.settle()

    def scrub(self, index):
        self.root.locator(".as-scrubber input[type=range]").evaluate(
            """(input, value) => {
                input.value = value;
                input.dispatchEvent(new Event('input', {bubbles: true}));
                input.dispatchEvent(new Event('change', {bubbles: true}));
            }""",
            index,
        )
        self.settle()

    def legend(self):
        return self.root.locator(".as-legend").inner_text()

    def show(self, state):
        """Go to a state, as the address of an exported page names it; wait for every map of it."""
        self.page.evaluate("hash => { location.hash = hash; }", f"#s={quote(json.dumps(state))}")
        self.arrived()

    def code(self):
        """The expression that the page copies."""
        self.page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
        self.root.locator(".as-copy").first.click()
        return self.page.evaluate("window.copied")

    def pane_value(self, role="a"):
        """What a large map says of the cell at the pin."""
        return self.root.locator(f".as-role-{role} .as-pane-value").inner_text()

    def compared(self):
        """Numbers of a comparison, by name."""
        return self.root.locator(".as-numbers > div").evaluate_all(
            """all => Object.fromEntries(
                all.map(e => [e.querySelector("dt").textContent, e.querySelector("dd").textContent])
            )"""
        )

    def readout(self):
        return self.root.locator(".as-readout").inner_text()

    def look(self):
        """Fingerprint of the picture and the map over it, as they are on screen."""
        return hashlib.sha256(self.root.locator(".as-picture").screenshot()).hexdigest()

    def errors(self):
        return self.root.locator(".as-error").all_inner_texts()
