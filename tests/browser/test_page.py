"""The page in both shapes, as people meet it. PAGE: the folder that `tallystick-page` wrote; STATES: files, and what the library says of them.
With SCREENSHOTS, a folder, a picture of each state is left there."""

import json
import os
import pathlib
import unittest

from axe_playwright_python.sync_playwright import Axe
from harness import Visit, browser, served

PAGE = pathlib.Path(os.environ["PAGE"])
STATES = pathlib.Path(os.environ["STATES"])
SCREENSHOTS = os.environ.get("SCREENSHOTS")
DESCRIBED = json.loads((STATES / "states.json").read_text())
AT_MS = DESCRIBED["at_ms"]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SIZES = [(360, 640), (1280, 800)]
WECHAT = (
    "Mozilla/5.0 (Linux; Android 12; V2180A) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0 Mobile Safari/537.36"
    " XWEB/1260117 MMWEBSDK/20240501 MicroMessenger/8.0.50"
)
# Smaller than a fingertip: everything that is clicked and seen. What stands in a line of text is excepted (WCAG 2.5.8).
SMALL_TARGETS = """() => Array.from(document.querySelectorAll('button, select, summary, label, input, a'))
  .filter((element) => element.checkVisibility())
  .map((element) => [element.outerHTML.slice(0, 80), element.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24)
  .map(([html]) => html)
  .filter((html) => !html.startsWith('<label for="field"'))"""
OVERFLOW = """() => {
  const room = document.documentElement.clientWidth;
  const wide = Array.from(document.querySelectorAll('body *')).filter((element) =>
    element.getBoundingClientRect().right > room + 1 && element.checkVisibility());
  return [document.scrollingElement.scrollWidth - room, wide.map((element) => element.outerHTML.slice(0, 80))];
}"""


def state(name):
    return next(state for state in DESCRIBED["states"] if state["name"] == name)


def file_of(name):
    return STATES / f"{name}.tally"


class PageTest(unittest.TestCase):
    """What both shapes have in common; one browser and one server for all of it."""

    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(browser())
        cls.hosted = cls.enterClassContext(served(PAGE / "hosted"))
        cls.one_file = (PAGE / "tallystick-verify.html").as_uri()

    def shapes(self):
        return [("hosted", self.hosted + "index.html"), ("one file", self.one_file)]

    def visit(self, address=None, **options):
        return Visit(self.browser, address or self.one_file, AT_MS, **options)

    def choose(self, page, name):
        page.set_input_files("#file", file_of(name))
        page.wait_for_selector("#word:not(.message)")

    def assert_accessible(self, page):
        found = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
        problems = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found.response["violations"]]
        self.assertEqual(problems, [])

    def assert_fits(self, page):
        self.assertEqual(page.evaluate(OVERFLOW), [0, []])
        self.assertEqual(page.evaluate(SMALL_TARGETS), [])

    def open_all(self, page):
        """Every part that can be opened; opening one may bring another."""
        while page.evaluate("() => document.querySelectorAll('details:not([open]) > summary').length"):
            page.locator("details:not([open]) > summary").first.click()
        page.wait_for_function("() => !document.getElementById('proof') || document.querySelector('svg.picture')")


class Verdicts(PageTest):
    def test_each_state_is_said_in_both_languages_and_shapes(self):
        for shape, address in self.shapes():
            with self.visit(address) as visit:
                page = visit.page
                for described in DESCRIBED["states"]:
                    with self.subTest(shape=shape, state=described["name"]):
                        self.choose(page, described["name"])
                        for language in ("zh", "en"):
                            self.assert_says(page, described["verdict"], language)
                            page.click("#language")
                self.assertEqual(visit.problems(), [])

    def assert_says(self, page, verdict, language):
        conclusion = verdict["conclusion"]
        first = page.locator("#first")
        self.assertEqual(page.locator("html").get_attribute("lang"), {"zh": "zh-CN", "en": "en"}[language])
        self.assertEqual(page.locator("#word").inner_text(), conclusion["word"][language])
        self.assertEqual(first.locator(".sentence").inner_text(), conclusion["sentence"][language])
        self.assertEqual(first.locator(".first").get_attribute("class"), f"first tone-{conclusion['tone']}")
        self.assertEqual(first.locator("svg.sign").count(), 1)
        self.assertEqual(first.get_attribute("role"), "status")
        rest = page.locator("#rest").inner_text()
        for notice in verdict["notices"]:
            self.assertIn(notice[language], rest)
        for row in verdict.get("compare", []):
            self.assertIn(row["value"], rest)
        self.assertEqual(page.locator("section.face").count(), int("receipt" in verdict))
        self.assertEqual(page.locator("#checks li").count(), len(verdict["checks"]))

    def test_each_state_is_accessible_and_fits_with_everything_open(self):
        for width, height in [(320, 640)] + SIZES:
            with self.visit(width=width, height=height) as visit:
                page = visit.page
                self.assert_accessible(page)
                self.assert_fits(page)
                self.picture(page, "start", width)
                for described in DESCRIBED["states"]:
                    with self.subTest(width=width, state=described["name"]):
                        self.choose(page, described["name"])
                        self.picture(page, described["name"], width)
                        self.open_all(page)
                        self.assert_fits(page)
                        if width != 1280:
                            self.assert_accessible(page)
                        if described["name"] in ("in-force", "reversed"):
                            self.picture(page, described["name"] + "-open", width)
                self.assertEqual(visit.problems(), [])

    def picture(self, page, name, width):
        if SCREENSHOTS and width != 320:
            page.screenshot(path=pathlib.Path(SCREENSHOTS) / f"{name}-{width}.png", full_page=name.endswith("-open"))

    def test_text_of_twice_the_size_fits(self):
        with self.visit(width=360) as visit:
            page = visit.page
            page.evaluate("document.documentElement.style.fontSize = '200%'")
            for name in ("in-force", "hostile", "other-chain"):
                with self.subTest(state=name):
                    self.choose(page, name)
                    self.open_all(page)
                    self.assert_fits(page)
                    self.picture(page, name + "-twice", 360)

    def test_what_a_file_says_never_becomes_markup(self):
        dialogs = []
        with self.visit() as visit:
            page = visit.page
            page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
            scripts = page.locator("script").count()
            self.choose(page, "hostile")
            self.open_all(page)
            shown = page.locator("#rest").inner_text()
            self.assertIn("<script>alert(1)</script>林\\u{202e}某\\u{3164}", shown)
            self.assertIn("<img src=x onerror=alert(1)>\\n有效 IN FORCE", shown)
            for acting in "\u202e\u3164":
                self.assertNotIn(acting, page.content())
            self.assertEqual(page.locator("script").count(), scripts)
            self.assertEqual(page.locator("#rest img").count(), 0)
            self.assertEqual(dialogs + visit.problems(), [])

    def test_the_proof_is_the_librarys(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "in-force")
            self.open_all(page)
            trace = state("in-force")["trace"]
            hashes = page.locator("ol.hashes code").all_inner_texts()
            expected = []
            for tree in trace["trees"]:
                expected.append(tree["leaf"])
                for step in tree["steps"]:
                    expected += [step["sibling"], step["parent"]]
                expected.append(tree["root"])
            self.assertEqual(hashes, expected)
            drawn = page.locator("svg.picture text.hash").all_text_contents()
            rows = sum(2 * len(tree["steps"]) + 1 for tree in trace["trees"])
            self.assertEqual(len(drawn), rows)
            root = trace["trees"][-1]["root"]
            self.assertEqual(drawn[-1], f"{root[:8]}…{root[-8:]}")
            for signer in trace["checkpoint"]["signers"]:
                self.assertIn(f"✓ {signer}", page.locator("svg.picture").text_content())

            # Another value begins with another hash and ends with the same roots; the choice keeps the focus.
            page.select_option("#field", "payer_name")
            page.wait_for_function("(first) => document.querySelector('ol.hashes code').textContent !== first", arg=hashes[0])
            self.assertEqual(page.evaluate("document.activeElement.id"), "field")
            self.assertEqual(page.locator("ol.hashes code").all_inner_texts()[-1], root)
            self.assertEqual(visit.problems(), [])


class Ways(PageTest):
    def test_by_keyboard_alone(self):
        with self.visit() as visit:
            page = visit.page
            page.keyboard.press("Tab")
            self.assertEqual(page.evaluate("document.activeElement.id"), "language")
            page.keyboard.press("Enter")
            self.assertEqual(page.locator("h1").inner_text(), "Verify a receipt")
            self.assertEqual(page.evaluate("document.activeElement.id"), "language")
            page.keyboard.press("Tab")
            self.assertEqual(page.evaluate("document.activeElement.id"), "file")
            outline = "getComputedStyle(document.querySelector('label[for=file]')).outlineStyle"
            self.assertEqual(page.evaluate(outline), "solid")
            with page.expect_file_chooser() as chooser:
                page.keyboard.press("Enter")
            chooser.value.set_files(file_of("in-force"))
            page.wait_for_selector(".tone-good")
            self.assertEqual(page.evaluate("document.activeElement.id"), "word")
            # From the result on, what can be opened is reached in its order.
            reached = []
            for _ in range(4):
                page.keyboard.press("Tab")
                reached.append(page.evaluate("document.activeElement.parentElement.id || document.activeElement.id"))
                if reached[-1] == "proof":
                    page.keyboard.press("Enter")
                    page.wait_for_selector("svg.picture")
            self.assertEqual(reached, ["proof", "field", "hashes", "checks"])
            self.assertEqual(visit.problems(), [])

    def test_a_dropped_file_is_judged_wherever_it_falls(self):
        drop = """([place, text]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([text], 'dropped.tally'));
          const element = document.querySelector(place);
          for (const type of ['dragover', 'drop']) {
            element.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
          }
        }"""
        with self.visit() as visit:
            page = visit.page
            for place, name, tone in [("#drop", "in-force", "good"), ("footer", "reversed", "bad")]:
                page.evaluate(drop, [place, file_of(name).read_text()])
                page.wait_for_selector(f".tone-{tone}")
                self.assertIn("dropped.tally", page.locator("#rest").inner_text())
            self.assertEqual(visit.problems(), [])

    def test_of_two_files_the_last_one_counts(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "in-force")
            self.choose(page, "reversed")
            page.wait_for_selector(".tone-bad")
            self.choose(page, "reversed")
            self.assertEqual(page.locator(".first").count(), 1)

    def test_in_flight_mode_the_file_on_disk_judges(self):
        with self.visit(self.one_file, offline=True) as visit:
            self.choose(visit.page, "in-force")
            self.assertEqual(visit.page.locator(".first").get_attribute("data-code"), "IN_FORCE")
            self.assertEqual(visit.requests, [self.one_file])
            self.assertEqual(visit.problems(), [])

    def test_the_hosted_page_fetches_itself_and_the_verifier_and_nothing_else(self):
        with self.visit(self.hosted + "index.html") as visit:
            self.choose(visit.page, "in-force")
            names = [url.rsplit("/", 1)[1] for url in visit.requests if not url.startswith("data:")]
            self.assertEqual(names, ["index.html", next((PAGE / "hosted").glob("verify-*.wasm")).name])
            # Loaded, it needs the server no more.
            visit.context.set_offline(True)
            self.choose(visit.page, "altered")
            self.assertEqual(visit.problems(), [])

    def test_a_large_file_is_judged_by_its_beginning(self):
        for name, size in [("five.tally", 5 * 2**20), ("hundred.tally", 100 * 2**20)]:
            path = STATES / name
            with open(path, "wb") as file:
                file.write(file_of("in-force").read_bytes())
                file.truncate(size)
            with self.subTest(size=size), self.visit() as visit:
                visit.page.set_input_files("#file", path)
                visit.page.wait_for_selector("#word:not(.message)")
                self.assertEqual(visit.page.locator(".tone-good").count(), 0)
                self.assertEqual(visit.problems(), [])
            path.unlink()

    def test_a_clock_that_cannot_be_right_is_said(self):
        with Visit(self.browser, self.one_file, 978_307_200_000) as visit:
            visit.page.set_input_files("#file", file_of("in-force"))
            visit.page.wait_for_selector("#word.message >> text=2001-01-01")
            self.assertEqual(visit.page.locator(".first").count(), 0)
            self.assertEqual(visit.problems(), [])

    def test_printed_it_has_no_controls(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "in-force")
            page.emulate_media(media="print")
            for control in ("#choose", "#language", "#checks"):
                self.assertFalse(page.locator(control).is_visible(), control)
            self.assertTrue(page.locator("section.compare").is_visible())


class OldBrowsers(PageTest):
    def unable(self, visit, wechat=False):
        page = visit.page
        page.wait_for_selector("#unable", state="visible")
        self.assertFalse(page.locator("#choose").is_visible())
        self.assertEqual(page.locator("#unable-wechat").is_visible(), wechat)
        self.assertIn("浏览器", page.locator("#unable").inner_text())

    def test_without_webassembly_it_says_what_to_do(self):
        for wechat in (False, True):
            options = {"user_agent": WECHAT} if wechat else {}
            visit = self.visit(**options)
            visit.context.add_init_script("delete window.WebAssembly;")
            with visit:
                self.unable(visit, wechat)
                self.assert_accessible(visit.page)
                self.assert_fits(visit.page)

    def test_without_scripts_it_says_what_to_do(self):
        visit = self.visit(java_script_enabled=False)
        visit.page.goto(visit.address)
        self.assertTrue(visit.page.locator("#unable").is_visible())
        self.assertFalse(visit.page.locator("#choose").is_visible())
        visit.context.close()

    def test_without_fast_base64_it_judges_the_same(self):
        visit = self.visit()
        visit.context.add_init_script("delete Uint8Array.fromBase64;")
        with visit:
            self.choose(visit.page, "in-force")
            self.assertEqual(visit.page.locator(".first").get_attribute("data-code"), "IN_FORCE")

    def test_a_verifier_of_another_hash_does_not_run(self):
        visit = self.visit(self.hosted + "index.html")
        module = next((PAGE / "hosted").glob("verify-*.wasm")).read_bytes()
        visit.page.route("**/*.wasm", lambda route: route.fulfill(body=module + b"\0", content_type="application/wasm"))
        with visit:
            self.unable(visit)

    def test_in_wechat_it_says_how_to_leave(self):
        for options, seen in [({}, False), ({"user_agent": WECHAT}, True)]:
            with self.visit(**options) as visit:
                self.assertEqual(visit.page.locator("#wechat").is_visible(), seen)
                self.choose(visit.page, "in-force")
                self.assertEqual(visit.problems(), [])


if __name__ == "__main__":
    unittest.main()
