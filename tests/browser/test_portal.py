"""The page and the forms as a portal serves them. PORTAL: its address; TALLY: a bundle that is in force; DIGITS: those of the code on its paper;
FACE: what stands on it, and REFERENCE: by what its payer fetches it, as JSON.
With SCREENSHOTS, a folder, a picture of each form and answer is left there."""

import hashlib
import json
import os
import pathlib
import tempfile
import time
import unittest

from accessible import SIZES, assert_accessible, assert_fits_everywhere, assert_focus_is_seen
from harness import WECHAT, Visit, browser, drawn

PORTAL = os.environ["PORTAL"]
TALLY = pathlib.Path(os.environ["TALLY"])
FACE = json.loads(os.environ["FACE"])
DIGITS = os.environ["DIGITS"]
QUESTION = json.loads(os.environ["QUESTION"])
REFERENCE = json.loads(os.environ["REFERENCE"])
SCREENSHOTS = os.environ.get("SCREENSHOTS")
# How a file of some formats begins. Not of all: a portal answers a source 20 times a minute, and this program has one.
FORMATS = {"pdf": b"%PDF-", "png": b"\x89PNG"}
ASK = """async (question) => {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch('refresh', { method: 'POST', headers, body: JSON.stringify(question), credentials: 'omit' });
  return [response.status, await response.text()];
}"""


def fetch_by_reference(page):
    """On the page: by what was paid."""
    page.click("#kept-open")
    page.click("#ask > summary")
    page.select_option("#ask-kind", REFERENCE["kind"])
    for name in ("unit_code", "reference", "last_four"):
        page.fill(f"#ask-{name}", REFERENCE[name])
    page.click("#ask-form button")
    page.wait_for_selector(".first[data-code='IN_FORCE']")
    drawn(page)


class PortalCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(browser())

    def pictures(self, page, name):
        if SCREENSHOTS:
            for width, height in SIZES:
                page.set_viewport_size({"width": width, "height": height})
                page.screenshot(path=pathlib.Path(SCREENSHOTS) / f"portal-{name}-{width}.png")

    def visit(self, path, **options):
        return Visit(self.browser, PORTAL + path, int(time.time() * 1000), ignore_https_errors=True, **options)

    def assert_usable(self, visit, name):
        """Whoever looks at it, with whatever: and it says that its receipts are specimens, and leads on."""
        page = visit.page
        assert_accessible(self, page)
        assert_fits_everywhere(self, page)
        self.pictures(page, name)
        assert_focus_is_seen(self, page)
        self.assertIn("测试样票", page.locator(".test").inner_text())
        self.assertGreaterEqual(page.locator("nav a").count(), 3)
        # A browser says in its console that an answer is a refusal.
        self.assertEqual([error for error in visit.errors if "status of 404" not in error], [])


class PortalTest(PortalCase):
    def test_a_code_opens_the_page_and_a_file_is_judged_there(self):
        visit = self.visit("V#1234567")
        visit.open()
        visit.page.locator("#file").set_input_files(TALLY)
        visit.page.locator("#word").wait_for()
        visit.page.wait_for_selector("#word >> text=有效")
        drawn(visit.page)
        status, text = visit.page.evaluate(ASK, QUESTION)
        self.assertEqual(status, 200)
        self.assertTrue(text.startswith('{"format":"tallystick/ledger-answer/v1","answer":"taken"'), text[:100])
        self.assertEqual(visit.page.evaluate("window.violations"), [])
        self.assertEqual(visit.errors, [])
        # What follows # stays in the browser, and nothing goes anywhere else.
        self.assertTrue(all(url.startswith((PORTAL, "data:", "blob:")) for url in visit.requests), visit.requests)
        self.assertFalse([url for url in visit.requests[1:] if "1234567" in url], visit.requests)

    def test_a_code_on_paper_is_judged_and_the_ledger_asked(self):
        visit = self.visit(f"V#{DIGITS}")
        visit.open()
        page = visit.page
        page.wait_for_selector(".first[data-code='UNCHECKED']")
        drawn(page)
        compared = page.locator("section.compare.large dd").all_inner_texts()
        self.assertIn(FACE["number"], compared)
        self.assertIn(FACE["code"], compared)
        page.click("#refresh")
        page.wait_for_selector(".first[data-code='IN_FORCE']")
        drawn(page)
        self.assertEqual(page.locator("section.compare.large dd").all_inner_texts(), compared)
        # The page's own directory of units and the portal's, and nothing of the code in any address.
        names = [url.rsplit("/", 1)[1] for url in visit.requests]
        self.assertEqual([name for name in names if name == "units.bin"], ["units.bin"])
        self.assertTrue([name for name in names if name.startswith("units-")], names)
        self.assertFalse([url for url in visit.requests[1:] if DIGITS[:20] in url], visit.requests)
        self.assertEqual(page.evaluate("window.violations"), [])
        self.assertEqual(visit.errors, [])

    def test_who_has_no_receipt_fetches_keeps_and_refreshes_it(self):
        visit = self.visit("")
        visit.open()
        page = visit.page
        fetch_by_reference(page)
        page.click("[data-part=keep]")
        page.wait_for_selector("#extra [role=status] >> text=已留在本机浏览器")
        page.click("#kept-open")
        page.wait_for_selector(".kept > li[data-code=IN_FORCE]")
        self.assertIn(f"{FACE['code']}-{FACE['number']}", page.locator(".kept").inner_text())
        page.click("#kept-refresh")
        page.wait_for_selector("#kept-note >> text=已查询 1 张")
        # Whether there is a newer state by now is the network's.
        self.assertRegex(page.locator(".kept > li").inner_text(), "已刷新|没有更新的")
        self.assertEqual(page.evaluate("window.violations"), [])
        self.assertEqual(visit.errors, [])
        self.assertFalse([url for url in visit.requests if REFERENCE["reference"] in url], visit.requests)

    def test_in_wechat_what_was_fetched_is_taken_away_as_a_file(self):
        visit = self.visit("", user_agent=WECHAT, accept_downloads=True)
        visit.open()
        page = visit.page
        fetch_by_reference(page)
        page.click("[data-part=files]")
        for name, begins in FORMATS.items():
            with self.subTest(format=name):
                page.click(f"#files-{name}")
                page.wait_for_selector(f"#files-link >> text={FACE['code']}-{FACE['number']}")
                with page.expect_download() as waiting:
                    page.click("#files-link")
                self.assertTrue(waiting.value.suggested_filename.startswith(f"{FACE['code']}-{FACE['number']}"))
                self.assertTrue(pathlib.Path(waiting.value.path()).read_bytes().startswith(begins))
        self.pictures(page, "files-wechat")
        self.assertEqual(page.locator(".first").get_attribute("data-code"), "IN_FORCE")
        self.assertEqual(page.evaluate("window.violations"), [])
        self.assertEqual(visit.errors, [])
        visit.context.close()

    def test_from_the_page_a_document_is_had_without_a_script(self):
        context = self.browser.new_context(locale="zh-CN", java_script_enabled=False, ignore_https_errors=True, accept_downloads=True)
        page = context.new_page()
        page.goto(PORTAL)
        page.click("#site a[href=fetch]")
        for name in ("code", "number", "check_code"):
            page.fill(f"#{name}", FACE[name])
        page.select_option("#format", "pdf")
        page.click("button")
        with page.expect_download() as waiting:
            page.click("a.download")
        self.assertTrue(pathlib.Path(waiting.value.path()).read_bytes().startswith(b"%PDF-"))
        page.goto(PORTAL)
        page.click("#site a[href=fetch-by-reference]")
        self.assertTrue(page.locator("#last_four").is_visible())
        context.close()

    def test_the_page_as_one_file_is_taken_along_and_judges_without_a_network(self):
        visit = self.visit("", accept_downloads=True)
        visit.open()
        with visit.page.expect_download() as waiting:
            visit.page.click("#site a[href='tallystick-verify.html']")
        self.assertEqual(waiting.value.suggested_filename, "tallystick-verify.html")
        kept = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "tallystick-verify.html"
        waiting.value.save_as(kept)
        sums = visit.context.request.get(PORTAL + "SHA256SUMS").text()
        self.assertIn(f"{hashlib.sha256(kept.read_bytes()).hexdigest()}  tallystick-verify.html\n", sums)
        # Not opened there: the page that a server shows is the other one.
        self.assertEqual(visit.page.url, PORTAL)
        visit.context.close()
        offline = Visit(self.browser, kept.as_uri(), int(time.time() * 1000), offline=True)
        with offline:
            offline.page.locator("#file").set_input_files(TALLY)
            offline.page.wait_for_selector("#word >> text=有效")
            self.assertEqual(offline.requests, [kept.as_uri()])

    def test_the_page_and_its_verifier_come_as_brotli(self):
        visit = self.visit("V")
        came = []
        visit.page.on("response", lambda response: came.append(response))
        visit.open()
        visit.page.locator("#file").set_input_files(TALLY)
        visit.page.wait_for_selector("#word >> text=有效")
        drawn(visit.page)
        page = next(response for response in came if response.url == PORTAL + "V")
        module = next(response for response in came if "/verify-" in response.url)
        for response in (page, module):
            self.assertEqual(response.header_value("content-encoding"), "br", response.url)
        # What the browser has unpacked is what the name says.
        name = module.url.rsplit("/", 1)[1]
        self.assertEqual(name, f"verify-{hashlib.sha256(module.body()).hexdigest()[:16]}.wasm")
        self.assertIn(name, page.text())

    def test_a_receipt_is_fetched_without_a_script(self):
        context = self.browser.new_context(locale="zh-CN", java_script_enabled=False, ignore_https_errors=True, accept_downloads=True)
        page = context.new_page()
        page.goto(PORTAL + "fetch")
        for name in ("code", "number", "check_code"):
            page.fill(f"#{name}", FACE[name])
        page.select_option("#format", "bundle")
        page.click("button")
        page.locator("a.download").wait_for()
        with page.expect_download() as waiting:
            page.click("a.download")
        self.assertEqual(waiting.value.suggested_filename, f"{FACE['code']}-{FACE['number']}.tally")
        self.assertTrue(pathlib.Path(waiting.value.path()).read_bytes().startswith(b'{"format":"tallystick/bundle/v1"'))
        self.assertNotIn(FACE["check_code"], page.url)
        context.close()

    def test_everybody_can_use_the_forms(self):
        for path in ("fetch", "elements", "fetch-by-reference"):
            with self.subTest(path=path):
                visit = self.visit(path)
                visit.open()
                self.assert_usable(visit, path)


THREE = {name: FACE[name] for name in ("code", "number", "check_code")}
# Nobody issued it, so its tries are nobody's.
NOBODYS = THREE | {"number": "0000009999"}


class Answers(PortalCase):
    """What somebody without a script is answered."""

    def send(self, path, fields, heading=None):
        visit = self.visit(path)
        visit.open()
        page = visit.page
        for name, value in fields.items():
            is_choice = page.locator(f"select#{name}").count() == 1
            page.select_option(f"#{name}", value) if is_choice else page.fill(f"#{name}", value)
        page.click("form button")
        page.wait_for_selector("h1 >> text=" + heading if heading else "h1")
        return visit

    def test_everybody_can_use_what_is_answered(self):
        for name, path, fields, heading in [
            ("fetched", "fetch", THREE, "票据已取到"),
            ("fetched-picture", "fetch", THREE | {"format": "png"}, "票据已取到"),
            ("result", "elements", FACE, "查验结果"),
            ("not-found", "fetch", NOBODYS, "没有查到"),
        ]:
            with self.subTest(name=name):
                visit = self.send(path, fields, heading)
                self.assert_usable(visit, name)
                visit.context.close()

    def test_who_has_tried_too_often_can_use_the_page_that_asks_to_wait(self):
        for _ in range(6):
            visit = self.send("fetch", NOBODYS)
            if "再试一次" in visit.page.locator("h1").inner_text():
                break
            visit.context.close()
        self.assertIn("秒再点“继续”", visit.page.locator("[role=status]").inner_text())
        self.assert_usable(visit, "wait")

    def test_everybody_can_use_the_page_that_asks_for_more(self):
        nobodys = REFERENCE | {"reference": "NOBODYS-PAYMENT"}
        for _ in range(8):
            visit = self.send("fetch-by-reference", nobodys)
            if visit.page.locator("#date").count():
                break
            visit.context.close()
        self.assertIn("请再填开票日期和金额", visit.page.locator("[role=status]").inner_text())
        self.assertIn("还需填写", visit.page.locator("h1").inner_text())
        self.assertEqual(visit.page.locator("#total").count(), 1)
        self.assert_usable(visit, "more")

    def test_with_the_keyboard_alone_a_receipt_is_fetched(self):
        context = self.browser.new_context(locale="zh-CN", java_script_enabled=False, ignore_https_errors=True, accept_downloads=True)
        page = context.new_page()
        page.goto(PORTAL + "fetch")
        for value in THREE.values():
            page.keyboard.press("Tab")
            page.keyboard.type(value)
        page.keyboard.press("Enter")
        page.locator("a.download").wait_for()
        page.keyboard.press("Tab")
        with page.expect_download() as waiting:
            page.keyboard.press("Enter")
        # What can be printed is offered first.
        self.assertEqual(waiting.value.suggested_filename, f"{FACE['code']}-{FACE['number']}.pdf")
        context.close()

    def test_every_page_of_a_picture_is_had_without_a_script(self):
        context = self.browser.new_context(locale="zh-CN", java_script_enabled=False, ignore_https_errors=True, accept_downloads=True)
        page = context.new_page()
        page.goto(PORTAL + "fetch")
        for name, value in THREE.items():
            page.fill(f"#{name}", value)
        page.select_option("#format", "png")
        page.click("button")
        names = []
        for number in (1, 2):
            page.wait_for_selector(f"text=这是第 {number} 页，共 2 页")
            with page.expect_download() as waiting:
                page.click("a.download")
            names.append(waiting.value.suggested_filename)
            self.assertTrue(pathlib.Path(waiting.value.path()).read_bytes().startswith(b"\x89PNG"))
            page.click("form button")
        self.assertEqual(names, [f"{FACE['code']}-{FACE['number']}.{number}.png" for number in (1, 2)])
        page.wait_for_selector("text=这是第 1 页，共 2 页")
        context.close()


if __name__ == "__main__":
    unittest.main()
