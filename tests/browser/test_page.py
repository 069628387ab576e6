"""The page in both shapes, as people meet it. PAGE: the folder that `tallystick-page` wrote, PAGE_OF_SPECIMENS: the same for a test chain;
STATES: files, and what the library says of them.
With SCREENSHOTS, a folder, a picture of each state is left there."""

import json
import os
import pathlib
import unittest
import urllib.parse

from accessible import SIZES, assert_accessible, assert_fits, assert_focus_is_seen
from harness import WECHAT, Site, Visit, browser, drawn, served

PAGE = pathlib.Path(os.environ["PAGE"])
PAGE_OF_SPECIMENS = pathlib.Path(os.environ["PAGE_OF_SPECIMENS"])
STATES = pathlib.Path(os.environ["STATES"])
SITE = pathlib.Path(__file__).parents[2] / "page/site"
SCREENSHOTS = os.environ.get("SCREENSHOTS")
DESCRIBED = json.loads((STATES / "states.json").read_text())
AT_MS = DESCRIBED["at_ms"]
# Opens what is closed, by its own click; how much that was.
OPEN = """() => Array.from(document.querySelectorAll('details:not([open]) > summary'), (summary) => summary.click()).length"""
# What is seen and can be used.
CONTROLS = """() => Array.from(document.querySelectorAll('button, select, input, textarea, a'))
  .filter((element) => element.checkVisibility())
  .map((element) => element.outerHTML.slice(0, 80))"""


def state(name):
    return next(state for state in DESCRIBED["states"] if state["name"] == name)


def typed_of(verdict):
    """What somebody types who holds the receipt of a verdict."""
    values = {row["code"]: row["value"] for row in verdict["compare"]}
    fields = {"code": "receipt_code", "number": "receipt_number", "date": "issue_date", "total": "total_amount"}
    return {name: values[code] for name, code in fields.items()} | {"check_code": TYPED["check_code"]}


def file_of(name):
    return STATES / f"{name}.tally"


class PageTest(unittest.TestCase):
    """What both shapes have in common; one browser and one server for all of it."""

    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(browser())
        cls.site = Site(AT_MS)
        cls.hosted = cls.enterClassContext(served(PAGE / "hosted", cls.site))
        cls.one_file = (PAGE / "tallystick-verify.html").as_uri()

    def shapes(self):
        return [("hosted", self.hosted + "index.html"), ("one file", self.one_file)]

    def visit(self, address=None, **options):
        return Visit(self.browser, address or self.one_file, AT_MS, **options)

    def setUp(self):
        self.site.posted.clear()
        self.site.downloads.clear()

    def said(self, page, words):
        page.wait_for_selector(f"#word.message >> text={words}")
        drawn(page)
        self.assertEqual(page.locator(".first").count(), 0)

    def picture(self, page, name, width):
        if SCREENSHOTS and width != 320:
            page.screenshot(path=pathlib.Path(SCREENSHOTS) / f"{name}-{width}.png", full_page=name.endswith("-open"))

    def assert_prints(self, page):
        """On paper there is nothing to press or to fill in."""
        page.emulate_media(media="print")
        self.assertEqual(page.evaluate(CONTROLS), [])
        page.emulate_media(media="screen")

    def each_size(self, page, name, seen=None):
        """Accessible, and in its place, at each size; `seen`: what a picture of it has to show."""
        self.assert_accessible(page)
        for width, height in [(320, 640)] + SIZES:
            page.set_viewport_size({"width": width, "height": height})
            self.assert_fits(page)
            if seen:
                page.locator(seen).first.evaluate("(it) => it.scrollIntoView({ block: it.offsetHeight < innerHeight / 2 ? 'center' : 'start' })")
            self.picture(page, name, width)
        page.set_viewport_size({"width": 360, "height": 640})

    def choose(self, page, name):
        page.set_input_files("#file", file_of(name))
        page.wait_for_selector("#word:not(.message)")
        drawn(page)

    def assert_accessible(self, page):
        assert_accessible(self, page)

    def assert_fits(self, page):
        assert_fits(self, page)

    def open_all(self, page):
        """Every part that can be opened; opening one may bring another."""
        while page.evaluate(OPEN):
            if page.locator("#proof").count():
                page.wait_for_selector("svg.picture")


# Beginnings of files, and what each is by them.
KINDS = [
    (b"", "other"),
    (b"{}", "other"),
    (b'{"format":"tallystick/bundle/v1","chain":"", "%PDF-', "other"),
    (b"tallystick/trust/v1\n", "other"),
    (b'{"format":"tallystick/left-out/v1","chain":"07","record":"tallystick/bundle/v1 %PDF-', "report"),
    (b'{"format":"tallystick/left-out/v2', "report"),
    (b' {"format":"tallystick/left-out/v1', "other"),
    (b'{"format":"tallystick/bundle/v1","chain":"tallystick/left-out/v1', "other"),
    (b"%PDF-1.7\n", "pdf"),
    (b"\xef\xbb\xbf%PDF-2.0", "pdf"),
    (b" " * 1019 + b"%PDF-", "pdf"),
    (b" " * 1020 + b"%PDF-", "other"),
    (b"PK\3\4\x14\0 %PDF-", "zip"),
    (b"PK\5\6", "other"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "picture"),
    (b"\x89PNG\n", "other"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "picture"),
    (b"RIFF\x24\0\0\0WEBPVP8 ", "picture"),
    (b"RIFF\x24\0\0\0WAVEfmt ", "other"),
    (b"GIF89a\1\0", "picture"),
    (b"BM\x36\0\x0c\0\0\0\0\0\x36", "picture"),
    (b"BM is how this text begins", "other"),
    (b"\0\0\0\x18ftypheic\0\0", "picture"),
]


class Kinds(PageTest):
    def test_a_file_is_what_its_first_bytes_say(self):
        with served(SITE) as address:
            page = self.browser.new_page()
            page.goto(address + "kinds.js")
            found = page.evaluate(
                """async (heads) => {
                  const { kindOf } = await import('/kinds.js');
                  return heads.map((head) => kindOf(Uint8Array.from(head)));
                }""",
                [list(head) for head, _ in KINDS],
            )
            page.close()
        self.assertEqual(found, [kind for _, kind in KINDS])

    def test_what_it_cannot_open_it_says_by_its_kind(self):
        with self.visit() as visit:
            page = visit.page
            for kind, head, words in [
                ("pdf", b"%PDF-1.7\n", "损坏或不完整"),
                ("zip", b"PK\3\4", "损坏或不完整"),
                ("picture", b"\x89PNG\r\n\x1a\n", "打不开这张图片"),
            ]:
                with self.subTest(kind=kind):
                    # Whatever its name and type claim.
                    page.set_input_files("#file", {"name": "x.tally", "mimeType": "text/plain", "buffer": head})
                    self.said(page, words)
                    self.each_size(page, f"kind-{kind}")
            self.assertEqual(visit.problems(), [])


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
                        # As a person finds it: nothing is open from the state before.
                        page.evaluate("document.querySelectorAll('details').forEach((part) => part.open = false)")
                        self.choose(page, described["name"])
                        self.picture(page, described["name"], width)
                        self.open_all(page)
                        self.assert_fits(page)
                        if width != 1280:
                            self.assert_accessible(page)
                        if described["name"] == "in-force" and width == 360:
                            self.picture(page, described["name"] + "-open", width)
                self.assertEqual(visit.problems(), [])

    def test_text_of_twice_the_size_fits(self):
        with self.visit(width=360) as visit:
            page = visit.page
            page.evaluate("document.documentElement.style.fontSize = '200%'")
            for name in ("in-force", "hostile", "other-chain"):
                with self.subTest(state=name):
                    self.choose(page, name)
                    self.picture(page, name + "-twice", 360)
                    self.open_all(page)
                    self.assert_fits(page)

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
            # The page's own second one, which draws the proof.
            self.assertEqual(page.locator("script").count(), scripts + 1)
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
            hashes_drawn = page.locator("svg.picture text.hash").all_text_contents()
            rows = sum(2 * len(tree["steps"]) + 1 for tree in trace["trees"])
            self.assertEqual(len(hashes_drawn), rows)
            root = trace["trees"][-1]["root"]
            self.assertEqual(hashes_drawn[-1], f"{root[:8]}…{root[-8:]}")
            for signer in trace["checkpoint"]["signers"]:
                self.assertIn(f"✓ {signer}", page.locator("svg.picture").text_content())

            # Another value begins with another hash and ends with the same roots; the choice keeps the focus.
            page.select_option("#field", "payer_name")
            page.wait_for_function("(first) => document.querySelector('ol.hashes code').textContent !== first", arg=hashes[0])
            self.assertEqual(page.evaluate("document.activeElement.id"), "field")
            self.assertEqual(page.locator("ol.hashes code").all_inner_texts()[-1], root)
            self.assertEqual(visit.problems(), [])


class Ways(PageTest):
    def test_the_focus_is_seen_at_every_stop(self):
        with self.visit(self.hosted + "index.html") as visit:
            visit.page.click("#typed > summary")
            visit.page.click("#pasted > summary")
            visit.page.evaluate("document.activeElement.blur()")
            assert_focus_is_seen(self, visit.page)
            self.choose(visit.page, "in-force")
            assert_focus_is_seen(self, visit.page)

    def test_by_keyboard_alone(self):
        with self.visit() as visit:
            page = visit.page
            # Choosers are caught from here on. The wait below alone would ask for that at the same time as the key is pressed, and may come later.
            page.on("filechooser", lambda _: None)
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
            drawn(page)
            self.assertEqual(page.evaluate("document.activeElement.id"), "word")
            # From the result on, what can be opened is reached in its order.
            reached = []
            for _ in range(6):
                page.keyboard.press("Tab")
                reached.append(page.evaluate("document.activeElement.parentElement.id || document.activeElement.id"))
                if reached[-1] == "proof":
                    page.keyboard.press("Enter")
                    page.wait_for_selector("svg.picture")
            self.assertEqual(reached, ["extra", "extra", "proof", "field", "hashes", "checks"])
            self.assertEqual(visit.problems(), [])

    def test_the_form_is_reached_and_sent_by_keyboard_alone(self):
        self.site.answers = [(200, b'{"state":"PENDING","standing":"IN_FORCE"}')]
        with self.visit(self.hosted + "index.html") as visit:
            page = visit.page
            reached = []
            for _ in range(7):
                page.keyboard.press("Tab")
                reached.append(page.evaluate("document.activeElement.id || document.activeElement.parentElement.id"))
            self.assertEqual(reached, ["language", "file", "scan", "kept-open", "pasted", "age", "typed"])
            page.keyboard.press("Enter")
            for before, (name, keys) in zip(["typed", *TYPED], TYPED.items()):
                page.keyboard.press("Tab")
                # A date has parts of its own, and a calendar.
                for _ in range(4):
                    if before == "date" and page.evaluate("document.activeElement.id") == before:
                        page.keyboard.press("Tab")
                self.assertEqual(page.evaluate("document.activeElement.id"), name)
                if name == "date":
                    page.fill("#date", keys)
                else:
                    page.keyboard.type(keys)
            page.keyboard.press("Enter")
            self.said(page, "正在上链")
            self.assertEqual(page.evaluate("document.activeElement.id"), "word")
            self.assertEqual([path for path, _, _ in self.site.posted], ["/elements"])
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
                drawn(page)
                self.assertIn("dropped.tally", page.locator("#rest").inner_text())
            self.assertEqual(visit.problems(), [])

    def test_of_two_files_the_last_one_counts(self):
        with self.visit() as visit:
            page = visit.page
            # The first file is read only when it is let go.
            page.evaluate(
                """() => {
                  const read = FileReader.prototype.readAsArrayBuffer;
                  FileReader.prototype.readAsArrayBuffer = function (blob) {
                    if (window.release) return read.call(this, blob);
                    window.release = () => new Promise((resolve) => {
                      this.addEventListener('loadend', () => setTimeout(resolve));
                      read.call(this, blob);
                    });
                  };
                }"""
            )
            page.set_input_files("#file", file_of("in-force"))
            self.choose(page, "reversed")
            page.wait_for_selector(".tone-bad")
            drawn(page)
            page.evaluate("() => window.release()")
            self.assertEqual(page.locator(".first").count(), 1)
            self.assertEqual(page.locator(".tone-bad").count(), 1)
            self.assertEqual(visit.problems(), [])

    def test_a_code_in_the_address_is_taken_out_of_it(self):
        for shape, address in self.shapes():
            with self.subTest(shape=shape), self.visit(address + "#01523") as visit:
                page = visit.page
                # Judged where there is a directory of units: test_codes.py.
                self.said(page, "没有单位名录")
                # What cannot be judged is not asked for; of a hosted page the site may have a directory.
                offered = [page.locator(part).is_visible() for part in ("#scan", "#pasted")]
                self.assertEqual(offered, [shape == "hosted"] * 2)
                self.each_size(page, "address")
                self.assertEqual(page.evaluate("location.href"), address)
                entries = page.evaluate("history.length")
                # A link to another one while the page is open.
                page.evaluate("location.hash = '#99'")
                page.wait_for_function("() => location.hash === ''")
                self.assertEqual(page.evaluate("history.length"), entries + 1)
                self.choose(page, "in-force")
                self.assertEqual(visit.problems(), [])

    def test_in_flight_mode_the_file_on_disk_judges(self):
        with self.visit(self.one_file, offline=True) as visit:
            self.choose(visit.page, "in-force")
            self.assertEqual(visit.page.locator(".first").get_attribute("data-code"), "IN_FORCE")
            self.assertEqual(visit.requests, [self.one_file])
            self.assertEqual(visit.problems(), [])

    def test_the_first_words_stand_there_before_the_rest_is_drawn(self):
        watch = """() => {
          window.seen = [];
          new MutationObserver(() => {
            if (document.querySelector('.first')) window.seen.push([document.activeElement.id, document.getElementById('rest').childElementCount]);
          }).observe(document.getElementById('first'), { childList: true });
        }"""
        for address in (self.one_file, self.hosted + "index.html"):
            with self.subTest(address=address), self.visit(address) as visit:
                visit.page.evaluate(watch)
                for name in ("in-force", "altered"):
                    self.choose(visit.page, name)
                self.assertEqual(visit.page.evaluate("window.seen"), [["word", 0], ["word", 0]])
                self.assertGreater(visit.page.locator("#rest > *").count(), 3)
                self.assertEqual(visit.problems(), [])

    def test_the_hosted_page_fetches_itself_and_the_verifier_and_nothing_else(self):
        with self.visit(self.hosted + "index.html") as visit:
            self.choose(visit.page, "in-force")
            names = [url.rsplit("/", 1)[1] for url in visit.requests if not url.startswith("data:")]
            # Itself a second time: as a question for the server's time.
            expected = ["index.html", next((PAGE / "hosted").glob("verify-*.wasm")).name, "index.html"]
            self.assertEqual(sorted(names), sorted(expected))
            # Loaded, it needs the server no more.
            visit.context.set_offline(True)
            self.choose(visit.page, "altered")
            self.assertEqual(visit.problems(), [])

    def test_what_takes_a_network_is_not_promised_without_one(self):
        for (shape, address), leads in zip(self.shapes(), (True, False)):
            with self.subTest(shape=shape), self.visit(address) as visit:
                page = visit.page
                lead = page.locator("#choose > p").first
                for language, without, takes in [("zh", "离开它，断网也能用。", "要连网"), ("en", "no network is needed", "takes a network")]:
                    self.assertEqual((without in lead.inner_text(), takes in lead.inner_text()), (not leads, leads), language)
                    page.click("#language")
                self.assertEqual(page.locator("#site").is_visible(), leads)
                addresses = page.locator("#site a").evaluate_all("(links) => links.map((link) => link.getAttribute('href'))")
                self.assertEqual(addresses, ["fetch", "fetch-by-reference", "tallystick-verify.html"])
                # What was not fetched is missed in words: the way to the checkpoint is drawn by the second script.
                self.choose(page, "in-force")
                visit.context.set_offline(True)
                page.click("#proof > summary")
                if leads:
                    page.wait_for_selector("#proof >> text=断网时请用本页的单文件版")
                    self.each_size(page, "offline-proof")
                    page.click("[data-part=share]")
                    page.wait_for_selector("#extra [role=status] >> text=断网时请用本页的单文件版")
                    # Opened again with a network, it comes, and what was said of it is gone.
                    visit.context.set_offline(False)
                    page.click("#proof > summary")
                    page.click("#proof > summary")
                    page.wait_for_selector("svg.picture")
                    self.assertNotIn("单文件版", page.locator("#proof").inner_text())
                else:
                    page.wait_for_selector("svg.picture")

    def test_a_large_file_is_judged_by_its_beginning(self):
        for name, size in [("five.tally", 5 * 2**20), ("hundred.tally", 100 * 2**20)]:
            path = STATES / name
            with open(path, "wb") as file:
                file.write(file_of("in-force").read_bytes())
                file.truncate(size)
            with self.subTest(size=size), self.visit() as visit:
                visit.page.set_input_files("#file", path)
                visit.page.wait_for_selector("#word:not(.message)")
                drawn(visit.page)
                self.assertEqual(visit.page.locator(".tone-good").count(), 0)
                self.assertEqual(visit.problems(), [])
            path.unlink()

    def test_a_clock_that_cannot_be_right_is_said(self):
        with Visit(self.browser, self.one_file, 978_307_200_000) as visit:
            visit.page.set_input_files("#file", file_of("in-force"))
            visit.page.wait_for_selector(r"#word.message >> text=/是 200[01]-\d\d-\d\d \d\d:\d\d，/")
            drawn(visit.page)
            self.assertEqual(visit.page.locator(".first").count(), 0)
            self.assertEqual(visit.problems(), [])

    def test_printed_it_has_no_controls(self):
        for _, address in self.shapes():
            with self.visit(address) as visit:
                page = visit.page
                for described in DESCRIBED["states"]:
                    self.choose(page, described["name"])
                    self.open_all(page)
                    self.assert_prints(page)
                self.choose(page, "in-force")
                page.evaluate("document.querySelectorAll('details').forEach((part) => part.open = false)")
                page.emulate_media(media="print")
                for control in ("#choose", "#typed", "#site", "#language", "#extra", "#checks"):
                    self.assertFalse(page.locator(control).is_visible(), control)
                self.assertTrue(page.locator("section.compare").is_visible())
                for width, height in SIZES:
                    page.set_viewport_size({"width": width, "height": height})
                    page.evaluate("scrollTo(0, 0)")
                    self.picture(page, "printed", width)


class Ages(PageTest):
    def test_a_state_older_than_somebody_takes_is_said(self):
        with self.visit() as visit:
            page = visit.page
            for described in DESCRIBED["states"]:
                with self.subTest(state=described["name"]):
                    self.choose(page, described["name"])
                    page.select_option("#age", "86400")
                    self.assert_says(page, described["of_today"])
                    page.select_option("#age", "604800")
                    self.assert_says(page, described["verdict"])
            self.assertEqual(state("in-force")["of_today"]["conclusion"]["code"], "TOO_OLD")
            # It stays chosen for the next file, and whoever chooses by keyboard stays where he is.
            page.locator("#age").focus()
            page.keyboard.press("Home")
            page.keyboard.press("ArrowDown")
            self.choose(page, "in-force")
            self.assert_says(page, state("in-force")["of_today"])
            page.locator("#age").focus()
            page.keyboard.press("Home")
            self.assert_says(page, state("in-force")["verdict"])
            self.assertEqual(page.evaluate("document.activeElement.id"), "age")
            page.select_option("#age", "86400")
            self.each_size(page, "too-old")
            self.assertEqual(visit.problems(), [])

    def assert_says(self, page, verdict):
        page.wait_for_selector(f".first[data-code='{verdict['conclusion']['code']}']")
        drawn(page)
        self.assertEqual(page.locator(".first .sentence").inner_text(), verdict["conclusion"]["sentence"]["zh"])


MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
YEARS_3_MS = 3 * 365 * 86_400_000


class Clocks(PageTest):
    def test_a_verdict_says_whose_clock_it_goes_by(self):
        as_of_ms = state("in-force")["verdict"]["as_of"]["seconds"] * 1000
        for apart_ms, code, words in [
            (0, "IN_FORCE", "刚刚"),
            (11 * MINUTE_MS, "IN_FORCE", "11分钟前"),
            (YEARS_3_MS, "IN_FORCE", "1095天前"),
            (-9 * MINUTE_MS, "IN_FORCE", "刚刚"),
            (-11 * MINUTE_MS, "FROM_THE_FUTURE", "请先核对本机时钟"),
            (-YEARS_3_MS, "FROM_THE_FUTURE", "请先核对本机时钟"),
        ]:
            with self.subTest(apart_ms=apart_ms), Visit(self.browser, self.one_file, as_of_ms + apart_ms) as visit:
                page = visit.page
                self.choose(page, "in-force")
                self.assertEqual(page.locator(".first").get_attribute("data-code"), code)
                self.assertIn(words, page.locator("#first").inner_text())
                self.assertIn("按本机时钟", page.locator(".judged").inner_text())
                if code != "IN_FORCE":
                    self.each_size(page, "from-the-future")
                self.assertEqual(visit.problems(), [])

    def test_beyond_ten_minutes_from_the_servers_clock_it_warns(self):
        for apart_ms, words in [
            (9 * MINUTE_MS, None),
            (-9 * MINUTE_MS, None),
            (11 * MINUTE_MS, "快 11 分钟"),
            (-11 * MINUTE_MS, "慢 11 分钟"),
            (119 * MINUTE_MS, "快 119 分钟"),
            (-170 * MINUTE_MS, "慢 3 小时"),
            (47 * HOUR_MS, "快 47 小时"),
            (YEARS_3_MS, "快 1095 天"),
            (-YEARS_3_MS, "慢 1095 天"),
        ]:
            with self.subTest(apart_ms=apart_ms), Visit(self.browser, self.hosted + "index.html", AT_MS + apart_ms) as visit:
                page = visit.page
                with page.expect_response(lambda response: response.request.method == "HEAD"):
                    page.reload()
                if words:
                    page.wait_for_selector(f"#clock >> text={words}")
                self.choose(page, "in-force")
                self.assertEqual(page.locator("#clock").is_visible(), words is not None)
                if words == "快 11 分钟":
                    self.each_size(page, "clock-ahead")
                    page.click("#language")
                    self.assertIn("11 minutes ahead", page.locator("#clock").inner_text())
                if words == "慢 1095 天":
                    page.click("#language")
                    self.assertIn("1095 days behind", page.locator("#clock").inner_text())
                self.assertEqual(visit.problems(), [])


TYPED = {
    "code": "11060126",
    "number": "0000000001",
    "check_code": "k3x9q2",
    "date": "2026-11-02",
    "total": "1234.50",
}


# Every verdict that is shown from here on.
WATCH_TONES = """() => {
  window.tones = [];
  new MutationObserver(() => {
    const first = document.querySelector('.first');
    if (first) window.tones.push(first.className);
  }).observe(document.body, { childList: true, subtree: true });
}"""
WAIT = (202, b'{"ticket":"00ff","wait_ms":40,"good_for_ms":60000}')
LONG = (202, b'{"ticket":"00ff","wait_ms":61000,"good_for_ms":600000}')
NONE = (404, b'{"problem":"NOT_FOUND_OR_MISMATCH"}')


class Typed(PageTest):
    def type(self, page, **others):
        if not page.locator("#elements").is_visible():
            page.click("#typed > summary")
        for name, value in {**TYPED, **others}.items():
            page.fill(f"#{name}", value)

    def test_offline_it_says_that_it_cannot_look_anything_up(self):
        with self.visit(offline=True) as visit:
            page = visit.page
            page.click("#typed > summary")
            self.assertIn("输入的五项本身证明不了什么", page.locator("#elements").inner_text())
            # Nothing is asked for that nobody can look up.
            self.assertEqual(page.locator("#elements input:visible, #elements button:visible").count(), 0)
            self.each_size(page, "typed-offline")
            self.assertEqual(visit.requests, [self.one_file])
            self.assertEqual(visit.problems(), [])
        with self.visit(self.hosted + "index.html") as visit:
            self.type(visit.page)
            self.each_size(visit.page, "typed-open")

    def test_what_is_missing_or_misspelt_is_not_sent(self):
        with self.visit(self.hosted + "index.html") as visit:
            page = visit.page
            for name, value in [
                ("code", "1106012"),
                ("number", "12345"),
                ("check_code", "k3x9q"),
                ("check_code", "k3x9q_"),
                ("date", ""),
                ("total", "1.234"),
                ("total", "一百"),
            ]:
                with self.subTest(name=name, value=value):
                    self.type(page, **{name: value})
                    page.click("#elements button")
                    self.assertEqual(page.evaluate("document.activeElement.id"), name)
            self.assertEqual(self.site.posted, [])
            self.assertEqual(page.locator("#first").inner_text(), "")

    def test_what_the_site_gives_is_judged_by_the_page(self):
        with self.visit(self.hosted + "index.html") as visit:
            page = visit.page
            for name in ("in-force", "reversed", "altered"):
                with self.subTest(state=name):
                    path = PAGE / "hosted" / "download"
                    path.write_bytes(file_of(name).read_bytes())
                    # What the site says of it is not looked at.
                    answer = json.dumps({"state": "SEALED", "standing": "IN_FORCE", "download": {"address": "download"}})
                    self.site.answers = [(200, answer.encode())]
                    # As people type: full-width digits, spaces, capital letters, a sign of the currency.
                    typed = typed_of(state(name)["verdict"])
                    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in typed["code"])
                    self.type(page, **{**typed, "code": f"{wide[:4]} {wide[4:]}", "check_code": "K3X9Q2", "total": f"¥{float(typed['total']):,.2f}"})
                    page.click("#elements button")
                    page.wait_for_selector(f".first[data-code='{state(name)['verdict']['conclusion']['code']}']")
                    drawn(page)
                    path.unlink()
                    address, kind, body = self.site.posted[-1]
                    self.assertEqual((address, kind, json.loads(body)), ("/elements", "application/json", typed))
            self.assertFalse([url for url in visit.requests if TYPED["check_code"] in url])
            self.assertEqual(visit.problems(), [])

    def test_another_receipt_than_was_typed_is_not_shown(self):
        """A site that answers the entries of a forged paper with a receipt that is genuine."""
        path = PAGE / "hosted" / "download"
        path.write_bytes(file_of("in-force").read_bytes())
        self.addCleanup(path.unlink)
        typed = typed_of(state("in-force")["verdict"])
        others = {name: typed[name][:-1] + str((int(typed[name][-1]) + 1) % 10) for name in ("code", "number", "total")} | {"date": "2026-11-03"}
        with self.visit(self.hosted + "index.html") as visit:
            page = visit.page
            self.site.answers = [(200, b'{"download":{"address":"download"}}')]
            for name in ("code", "number", "date", "total"):
                with self.subTest(differs=name):
                    self.type(page, **{**typed, name: others[name]})
                    self.assertNotEqual(others[name], typed[name])
                    page.evaluate(WATCH_TONES)
                    page.click("#elements button")
                    self.said(page, "另一张票据")
                    # Not for a moment.
                    self.assertEqual(page.evaluate("window.tones"), [])
            self.each_size(page, "typed-other")
            self.type(page, **{**typed, "total": typed["total"].rstrip("0").rstrip(".")})
            page.click("#elements button")
            page.wait_for_selector(".first[data-code=IN_FORCE]")
            drawn(page)
            self.assertEqual(visit.problems(), [])

    def look_up(self, page, *answers):
        self.site.answers = list(answers)
        page.click("#elements button")

    def tickets(self):
        return [json.loads(body).get("ticket") for _, _, body in self.site.posted]

    def test_whoever_must_wait_is_told_and_asked_for_again(self):
        with self.visit(self.hosted + "index.html") as visit:
            self.type(visit.page)
            self.look_up(visit.page, WAIT, WAIT, WAIT, WAIT, NONE)
            self.said(visit.page, "1 秒后自动再查")
            self.said(visit.page, "没有找到五项全部相符的票据")
            self.assertEqual(self.tickets(), [None, "00ff", "00ff", "00ff", "00ff"])
            # Of an answer that says no time nobody can know when to ask again.
            self.look_up(visit.page, (202, b'{"ticket":"00ff"}'))
            self.said(visit.page, "现在查不到")

    def test_a_place_in_line_is_kept_whatever_is_done_meanwhile(self):
        with self.visit(self.hosted + "index.html") as visit:
            page = visit.page
            self.type(page)
            self.look_up(page, LONG)
            self.said(page, "61 秒后自动再查")
            self.each_size(page, "typed-waits")
            # Something else is looked at, and the same is asked for again: neither is the place lost, nor is it a try more.
            self.choose(page, "in-force")
            self.look_up(page, (503, b'{"problem":"OVERLOADED"}'))
            self.said(page, "现在查不到")
            self.look_up(page, (429, b'{"problem":"RATE_LIMITED","retry_after_ms":900}'))
            self.said(page, "请过 1 秒再试")
            self.type(page, number="0000000002")
            self.look_up(page, NONE)
            self.said(page, "没有找到五项全部相符的票据")
            self.type(page)
            self.look_up(page, LONG, NONE)
            self.said(page, "61 秒后自动再查")
            self.look_up(page, NONE)
            self.said(page, "没有找到五项全部相符的票据")
            # Judged, it has none any more.
            self.look_up(page, NONE)
            self.said(page, "没有找到五项全部相符的票据")
            self.assertEqual(self.tickets(), [None, "00ff", "00ff", None, "00ff", "00ff", None])

    def test_who_waits_and_does_something_else_is_not_called_back(self):
        with self.visit(self.hosted + "index.html") as visit:
            page = visit.page
            self.type(page)
            self.look_up(page, LONG, NONE)
            self.said(page, "61 秒后自动再查")
            # It is said anew how long it still is, to whoever has gone on, too.
            page.locator("#total").focus()
            page.clock.run_for(16_000)
            page.wait_for_selector("#word.message >> text=/4[3-6] 秒后自动再查/")
            self.assertEqual(page.evaluate("document.activeElement.id"), "total")
            self.choose(page, "in-force")
            page.clock.run_for(90_000)
            self.assertEqual((page.locator(".first").get_attribute("data-code"), len(self.site.posted)), ("IN_FORCE", 1))

    def test_what_the_site_refuses_is_said_in_plain_words(self):
        with self.visit(self.hosted + "index.html") as visit:
            page = visit.page
            for name, status, answer, words in [
                ("not-found", 404, b'{"problem":"NOT_FOUND_OR_MISMATCH"}', "没有找到五项全部相符的票据"),
                ("pending", 200, b'{"state":"PENDING","standing":"IN_FORCE"}', "正在上链"),
                ("refused", 200, b'{"state":"REFUSED","standing":""}', "账本没有接受"),
                ("later", 429, b'{"problem":"RATE_LIMITED","retry_after_ms":29001}', "请过 30 秒再试"),
                ("failed", 503, b'{"problem":"ISSUER_UNAVAILABLE"}', "现在查不到"),
                ("no-portal", 404, b"<html>", "现在查不到"),
                ("no-answer", 200, b"{}", "现在查不到"),
                ("no-download", 200, b'{"download":{"address":"none"}}', "现在查不到"),
            ]:
                with self.subTest(name=name):
                    self.site.answers = [(status, answer)]
                    self.type(page)
                    page.click("#elements button")
                    self.said(page, words)
                    self.each_size(page, f"typed-{name}")
                    # Said anew, not left from before.
                    self.choose(page, "no-receipt")
            visit.context.set_offline(True)
            self.type(page)
            page.click("#elements button")
            self.said(page, "现在查不到")

    def test_without_scripts_the_browser_sends_it(self):
        self.site.answers = [(200, b"<title>answer</title>")]
        for options, old in [({"java_script_enabled": False}, ""), ({}, "delete window.WebAssembly;")]:
            with self.subTest(options=options):
                visit = self.visit(self.hosted + "index.html", **options)
                if old:
                    visit.context.add_init_script(old)
                visit.page.goto(visit.address)
                self.assertTrue(visit.page.locator("#unable").is_visible())
                self.type(visit.page)
                if old:
                    self.each_size(visit.page, "unable-typed")
                visit.page.click("#elements button")
                visit.page.wait_for_url("**/elements")
                self.assertEqual(visit.page.title(), "answer")
                self.assertEqual(dict(urllib.parse.parse_qsl(self.site.posted[-1][2])), TYPED)
                visit.context.close()


class Refreshing(PageTest):
    def test_a_newer_state_is_asked_for_and_judged_here(self):
        with self.visit(self.hosted + "index.html") as visit:
            page = visit.page
            for name, code in [("in-force", "IN_FORCE"), ("stale", "REVERSED")]:
                with self.subTest(state=name):
                    self.site.answers = [(200, (STATES / f"{name}.answer").read_bytes())]
                    self.choose(page, name)
                    self.assertEqual(page.locator(".first").get_attribute("data-code"), "IN_FORCE")
                    self.each_size(page, f"refresh-{name}")
                    page.click("#refresh")
                    page.wait_for_selector("#note >> text=状态已刷新")
                    self.assertEqual(page.locator(".first").get_attribute("data-code"), code)
                    self.assertEqual(page.evaluate("document.activeElement.id"), "word")
                    self.each_size(page, f"refreshed-{name}")
            # What is as old as before is not called new.
            self.site.answers = [(200, (STATES / "in-force-same.answer").read_bytes())]
            self.choose(page, "in-force")
            page.click("#refresh")
            page.wait_for_selector("#note >> text=没有更新的")
            self.each_size(page, "refreshed-same")
            path, kind, body = self.site.posted[-1]
            self.assertEqual((path, kind), ("/refresh", "application/json"))
            # Its code and number, and a hash of what its unit signed: nothing else.
            self.assertEqual(sorted(json.loads(body)), ["code", "number", "status_key", "try"])
            self.assertEqual(visit.problems(), [])

    def test_what_is_not_proved_changes_nothing(self):
        with self.visit(self.hosted + "index.html") as visit:
            page = visit.page
            for status, answer, words, asked in [
                (200, b"{}", "都核验不了", 4),
                (200, (STATES / "forged.answer").read_bytes(), "都核验不了", 4),
                (429, b"{}", "刷新次数过多", 1),
                (503, b"{}", "现在问不到账本", 1),
                (404, b"<html>", "现在问不到账本", 1),
            ]:
                with self.subTest(words=words, answer=answer[:20]):
                    self.site.answers = [(status, answer)]
                    self.site.posted.clear()
                    self.choose(page, "stale")
                    page.click("#refresh")
                    page.wait_for_selector(f"#note >> text={words}")
                    self.assertEqual(page.locator(".first").get_attribute("data-code"), "IN_FORCE")
                    self.assertEqual([json.loads(body)["try"] for _, _, body in self.site.posted], list(range(asked)))
            visit.context.set_offline(True)
            page.click("#refresh")
            page.wait_for_selector("#note >> text=没有网络")
            self.each_size(page, "refresh-offline")

    def test_a_portal_that_says_nothing_is_given_up(self):
        visit = self.visit(self.hosted + "index.html")
        # Half a minute is a twentieth of a second.
        script = "const wait = setTimeout; window.isHasty = true; window.setTimeout = (work, ms) => wait(work, window.isHasty && ms === 30000 ? 50 : ms);"
        visit.context.add_init_script(script)
        with visit:
            page = visit.page
            page.route("**/refresh", lambda route: None)
            self.choose(page, "stale")
            page.click("#refresh")
            page.wait_for_selector("#note >> text=现在问不到账本")
            self.assertEqual(page.locator(".first").get_attribute("data-code"), "IN_FORCE")
            page.unroute("**/refresh")
            # However long this machine takes for an answer.
            page.evaluate("() => { window.isHasty = false; }")
            self.site.answers = [(200, (STATES / "stale.answer").read_bytes())]
            page.click("#refresh")
            page.wait_for_selector("#note >> text=状态已刷新")
            self.assertEqual(visit.problems(), [])

    def test_a_clock_that_is_behind_is_to_blame_and_no_answer(self):
        as_of_ms = state("stale")["verdict"]["as_of"]["seconds"] * 1000
        with Visit(self.browser, self.hosted + "index.html", as_of_ms) as visit:
            page = visit.page
            self.site.answers = [(200, (STATES / "stale.answer").read_bytes())]
            self.choose(page, "stale")
            page.click("#refresh")
            page.wait_for_selector("#note >> text=请先校准时钟")
            self.assertEqual(page.locator(".first").get_attribute("data-code"), "IN_FORCE")
            self.assertEqual(visit.problems(), [])

    def test_what_cannot_change_or_be_asked_has_no_button(self):
        with self.visit(self.hosted + "index.html") as visit:
            for name in ("reversed", "altered", "no-receipt", "other-chain"):
                self.choose(visit.page, name)
                self.assertEqual(visit.page.locator("#refresh").count(), 0)
        with self.visit() as visit:
            self.choose(visit.page, "in-force")
            self.assertEqual(visit.page.locator("#refresh").count(), 0)


class Specimens(PageTest):
    def test_a_page_of_a_test_chain_says_so_everywhere(self):
        described = DESCRIBED["specimen"]
        address = (PAGE_OF_SPECIMENS / "tallystick-verify.html").as_uri()
        with self.visit(address) as visit:
            page = visit.page
            page.wait_for_selector("#specimen >> text=测试样票")
            self.each_size(page, "specimen-start")
            self.choose(page, "specimen")
            first = page.locator(".first")
            self.assertEqual(described["verdict"]["conclusion"]["code"], "IN_FORCE")
            self.assertEqual(first.get_attribute("class"), "first tone-caution")
            # Who reads one word and no more reads that, too.
            self.assertEqual(page.locator("#word").inner_text(), "【测试样票】有效")
            page.click("[data-part=keep]")
            page.wait_for_selector("#extra [role=status] >> text=已留在本机浏览器")
            page.click("#kept-open")
            page.wait_for_selector(".kept strong >> text=【测试样票】有效")
            page.click("#kept-back")
            self.assertIn("测试样票", page.locator("ul.notices").inner_text())
            self.assertIn("测试样票", page.locator("section.face").inner_text())
            page.emulate_media(media="print")
            self.assertTrue(page.locator("section.face .specimen").is_visible())
            page.emulate_media(media="screen")
            self.each_size(page, "specimen", "#word")
            self.open_all(page)
            self.assert_accessible(page)
            self.assertRegex(page.locator("ol.hashes li").last.inner_text(), r"^检查点：[^，]+，[-0-9]+ [:0-9]+（UTC）。共同签署：[^,]+$")
            self.assertEqual(visit.problems(), [])
        # And a page of a chain in earnest does not.
        with self.visit() as visit:
            self.choose(visit.page, "in-force")
            self.assertNotIn("测试样票", visit.page.locator("body").inner_text())


class OldBrowsers(PageTest):
    def unable(self, visit, wechat=False):
        page = visit.page
        page.wait_for_selector("#unable", state="visible")
        self.assertFalse(page.locator("#choose").is_visible())
        self.assertEqual(page.locator("#unable-wechat").is_visible(), wechat)
        self.assertIn("浏览器", page.locator("#unable").inner_text())
        # Nothing was judged: nothing is said of the receipt.
        self.assertNotIn("文件没有问题", page.locator("#unable").inner_text())
        self.assertFalse(page.locator("#site [data-word=siteFile]").is_visible())

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
        # No connection, and nobody to answer.
        self.assertFalse(visit.page.locator("#typed").is_visible())
        visit.context.close()

    def test_without_webassembly_a_code_stays_in_the_address(self):
        visit = self.visit(self.hosted + "index.html#01523")
        visit.context.add_init_script("delete window.WebAssembly;")
        with visit:
            self.unable(visit)
            self.assertTrue(visit.page.evaluate("location.hash") == "#01523")

    def test_without_fast_base64_it_judges_the_same(self):
        visit = self.visit()
        visit.context.add_init_script("delete Uint8Array.fromBase64;")
        with visit:
            self.choose(visit.page, "in-force")
            self.assertEqual(visit.page.locator(".first").get_attribute("data-code"), "IN_FORCE")

    def test_a_verifier_of_another_hash_does_not_run(self):
        visit = self.visit(self.hosted + "index.html")
        module = next((PAGE / "hosted").glob("verify-*.wasm")).read_bytes()
        # With an empty section of its own at the end it is a module as good as the other: only the hash tells them apart.
        visit.page.route("**/*.wasm", lambda route: route.fulfill(body=module + b"\0\2\1x", content_type="application/wasm"))
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
