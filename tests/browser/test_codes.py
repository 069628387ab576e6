"""Codes on paper. PAGE: the folder that `tallystick-page` wrote with a directory of units and hosts, PAGE_WITHOUT_UNITS: the same without
both; STATES: what the library says of codes, directories, and what the ledger answers. With SCREENSHOTS, a folder, a picture of each state is
left there."""

import base64
import json
import os
import pathlib
import re
import unittest

from harness import Visit, drawn
from test_page import DESCRIBED, PAGE, SIZES, STATES, WECHAT, PageTest, typed_of

WITHOUT_UNITS = pathlib.Path(os.environ["PAGE_WITHOUT_UNITS"])
CODES = {code["name"]: code for code in DESCRIBED["codes"]}
# How they must come out, whatever the library says of itself.
EXPECTED = {
    "good": "UNCHECKED",
    "reversed": "UNCHECKED",
    "red": "UNCHECKED",
    "absent": "UNCHECKED",
    "refused": "UNCHECKED",
    "revoked": "UNCHECKED",
    "former": "UNCHECKED",
    "unknown": "KEY_UNKNOWN",
    "forged": "FORGED",
    "elsewhere": "CODE_ELSEWHERE",
    "elsewhere-alike": "CODE_ELSEWHERE",
    "elsewhere-below": "CODE_ELSEWHERE",
    "small-letters": "CODE_REFUSED",
    "cut": "CODE_REFUSED",
    "no-bytes": "CODE_REFUSED",
    "no-digits": "CODE_REFUSED",
    "letters": "CODE_REFUSED",
    "largest": "CODE_REFUSED",
    "too-many": "CODE_REFUSED",
    "alone": "CODE_REFUSED",
    "something-else": "CODE_REFUSED",
}
COMPARED = ["unit_name", "unit_code", "receipt_code", "receipt_number", "issue_date", "total_amount", "total_in_words"]
# Pixels: what is to be compared, and the amount; the rest of the page has 16.
LARGE, LARGEST = 24, 30


def digits(name):
    return CODES[name]["text"].split("#")[1]


class CodesTest(PageTest):
    def hosted_page(self, **options):
        return self.visit(self.hosted + "index.html", **options)

    def wait_for(self, page, code):
        page.wait_for_selector(f".first[data-code='{code}']")
        drawn(page)

    def paste(self, page, text, wait=True):
        page.evaluate("() => document.getElementById('word') && document.getElementById('word').remove()")
        if not page.locator("#text").is_visible():
            page.click("#pasted > summary")
        page.fill("#text", text)
        page.click("#paste button")
        if wait:
            page.wait_for_selector("#word:not(.message)")
            drawn(page)

    def served(self):
        """The portal serves a newer directory, until the test ends."""
        path = PAGE / "hosted" / "units.bin"
        path.write_bytes((STATES / "served.units").read_bytes())
        self.addCleanup(path.unlink)
        return path

    def answer(self, name, answer):
        self.site.answers = [(200, (STATES / f"{name}-{answer}.answer").read_bytes())]

    def assert_says(self, page, verdict, language="zh"):
        conclusion = verdict["conclusion"]
        first = page.locator(".first")
        self.assertEqual(first.get_attribute("data-code"), conclusion["code"], first.inner_text())
        self.assertEqual(page.locator("#word").inner_text(), conclusion["word"][language])
        self.assertEqual(first.locator(".sentence").inner_text(), conclusion["sentence"][language])
        self.assertEqual(first.get_attribute("class"), f"first tone-{conclusion['tone']}")
        as_of = [verdict["as_of"][language]] if "as_of" in verdict else []
        self.assertEqual(first.locator(".as-of").all_inner_texts(), as_of)
        rows = verdict.get("compare", [])
        self.assertEqual(page.locator("section.compare.large dt").all_inner_texts(), [row[language] for row in rows])
        self.assertEqual(page.locator("section.compare.large dd").all_inner_texts(), [row["value"] for row in rows])
        self.assertEqual(page.locator("#checks li").count(), len(verdict["checks"]))
        self.assertEqual(page.locator("section.face").count(), 0)
        # Of what is no receipt there is nothing else to know.
        is_receipt = conclusion["result"] != "no_receipt"
        self.assertEqual([page.locator(part).count() for part in (".layers", "section.open")], [is_receipt] * 2)

    def sizes_of_letters(self, page):
        return page.evaluate(
            "() => Array.from(document.querySelectorAll('.compare dd'), (one) => parseFloat(getComputedStyle(one).fontSize))"
        )


class Offline(CodesTest):
    maxDiff = None

    def test_each_code_is_said_in_both_languages_and_shapes(self):
        self.assertEqual({name: code["verdict"]["conclusion"]["code"] for name, code in CODES.items()}, EXPECTED)
        for shape, address in self.shapes():
            with self.visit(address) as visit:
                for name, code in CODES.items():
                    with self.subTest(shape=shape, code=name):
                        self.paste(visit.page, code["text"])
                        for language in ("zh", "en"):
                            self.assert_says(visit.page, code["verdict"], language)
                            visit.page.click("#language")
                self.assertEqual(visit.page.url, address)
                self.assertEqual(len(visit.context.pages), 1)
                self.assertEqual(visit.problems(), [])

    def test_what_is_not_checked_is_never_praised_and_what_to_compare_is_large(self):
        with self.visit(offline=True) as visit:
            page = visit.page
            for language, praise in [("zh", ["有效", "真实"]), ("en", ["valid", "genuine", "in force"])]:
                self.paste(page, CODES["good"]["text"])
                first = page.locator(".first").inner_text().lower()
                self.assertFalse([word for word in praise if word in first], first)
                self.assertIn("tone-caution", page.locator(".first").get_attribute("class"))
                page.click("#language")
            self.assertEqual([row["code"] for row in CODES["good"]["verdict"]["compare"]], COMPARED)
            sizes = self.sizes_of_letters(page)
            self.assertTrue(all(size >= LARGE for size in sizes), sizes)
            self.assertTrue(all(size >= LARGEST for size in sizes[-2:]), sizes)
            # Before anything else that could be read instead, but for the warning that codes are copied.
            classes = "Array.from(document.getElementById('rest').children, (child) => child.className).slice(0, 2)"
            self.assertEqual(page.evaluate(classes), ["notices", "compare large"])
            self.assertIn("复制", page.locator("ul.notices").inner_text())
            # Nobody to ask.
            self.assertEqual(page.locator("#refresh").count(), 0)
            self.assertEqual(visit.requests, [self.one_file])

    def test_an_unknown_key_is_told_with_the_directorys_date(self):
        with self.visit() as visit:
            self.paste(visit.page, CODES["unknown"]["text"])
            said = visit.page.locator(".first").inner_text()
            self.assertRegex(said, r"单位名录（\d{4}年\d{1,2}月\d{1,2}日")
            self.assertEqual(len(re.findall(r"\d{4}年", said)), 1, "one date, once")
            self.assertIn("请勿接受", said)
            self.assert_says(visit.page, CODES["unknown"]["verdict"])

    def test_each_state_is_accessible_and_fits(self):
        for width, height in [(320, 640)] + SIZES:
            with self.visit(width=width, height=height) as visit:
                page = visit.page
                page.click("#pasted > summary")
                self.assert_accessible(page)
                self.assert_fits(page)
                self.picture(page, "code-paste", width)
                for name, code in CODES.items():
                    with self.subTest(width=width, code=name):
                        page.evaluate("document.querySelectorAll('details').forEach((part) => part.open = false)")
                        self.paste(page, code["text"])
                        page.click("#pasted > summary")
                        page.evaluate("document.querySelectorAll('#rest details').forEach((part) => part.open = true)")
                        self.assert_fits(page)
                        # By the page's own directory, which does not say yet that the key is revoked.
                        self.picture(page, f"code-{'revoked-before' if name == 'revoked' else name}-open", width)
                        if width == 360:
                            self.assert_accessible(page)
                page.evaluate("document.documentElement.style.fontSize = '200%'")
                self.paste(page, CODES["red"]["text"])
                self.assert_fits(page)
                self.assertEqual(visit.problems(), [])

    def test_a_code_in_the_address_is_judged_and_taken_out_of_it(self):
        for shape, address in self.shapes():
            with self.subTest(shape=shape), self.visit(f"{address}#{digits('good')}") as visit:
                page = visit.page
                self.wait_for(page, "UNCHECKED")
                self.assert_says(page, CODES["good"]["verdict"])
                self.assertEqual(page.evaluate("location.href"), address)
                entries = page.evaluate("history.length")
                for name in ("no-bytes", "forged", "largest"):
                    # A link to another one while the page is open.
                    page.evaluate("(digits) => { location.hash = digits; }", digits(name))
                    self.wait_for(page, EXPECTED[name])
                    self.assert_says(page, CODES[name]["verdict"])
                    self.assertEqual(page.evaluate("location.href"), address)
                self.assertEqual(page.evaluate("history.length"), entries + 3)
                self.assertFalse([url for url in visit.requests[1:] if digits("good")[:20] in url], visit.requests)
                self.assertEqual(visit.problems(), [])

    def test_what_mail_adds_to_a_text_is_no_part_of_it(self):
        text = CODES["good"]["text"]
        with self.visit() as visit:
            for pasted in (f"  {text}\r\n", f"{text[:70]}\r\n{text[70:]}", digits("good"), f"\t{digits('good')}\n"):
                with self.subTest(pasted=pasted[:30]):
                    self.paste(visit.page, pasted)
                    self.assert_says(visit.page, CODES["good"]["verdict"])
            self.assertEqual(visit.problems(), [])

    def test_by_keyboard_alone(self):
        with self.visit() as visit:
            page = visit.page
            page.locator("#kept-open").focus()
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            page.keyboard.press("Tab")
            self.assertEqual(page.evaluate("document.activeElement.id"), "text")
            page.keyboard.insert_text(CODES["good"]["text"])
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            self.wait_for(page, "UNCHECKED")
            self.assertEqual(page.evaluate("document.activeElement.id"), "word")
            page.keyboard.press("Tab")
            self.assertEqual(page.evaluate("document.activeElement.parentElement.id"), "checks")
            # Nothing typed is nothing to judge.
            page.locator("#text").fill("")
            page.locator("#text").focus()
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            self.assertEqual(page.evaluate("document.activeElement.id"), "text")
            page.fill("#text", " \n ")
            page.click("#paste button")
            self.assertEqual(page.evaluate("document.activeElement.id"), "text")
            self.assert_says(page, CODES["good"]["verdict"])
            self.assertEqual(visit.problems(), [])

    def test_a_file_takes_the_place_of_a_code(self):
        with self.visit() as visit:
            self.paste(visit.page, CODES["good"]["text"])
            visit.page.set_input_files("#file", {"name": "x", "mimeType": "", "buffer": b"?"})
            self.wait_for(visit.page, "NO_RECEIPT")
            self.assertEqual(visit.page.locator("section.compare").count(), 0)

    def test_printed_it_has_what_is_compared(self):
        with self.visit() as visit:
            self.paste(visit.page, CODES["good"]["text"])
            visit.page.emulate_media(media="print")
            self.assertTrue(visit.page.locator("section.compare").is_visible())
            self.assertFalse(visit.page.locator("#pasted").is_visible())


class Directories(CodesTest):
    def test_a_newer_one_that_the_portal_serves_counts(self):
        self.served()
        with self.hosted_page() as visit:
            for name in ("revoked", "good", "unknown"):
                self.paste(visit.page, CODES[name]["text"])
                self.assert_says(visit.page, CODES[name]["by_served"])
                # A thief's values are not said to be the unit's.
                self.assertEqual("由开票单位的密钥签名" in visit.page.locator("#rest").inner_text(), name == "good")
            self.assertEqual(CODES["revoked"]["by_served"]["conclusion"]["code"], "KEY_REVOKED")
            # It is asked for once.
            self.assertEqual(len([url for url in visit.requests if url.endswith("/units.bin")]), 1)
            self.each_size(visit.page, "code-served")
            self.paste(visit.page, CODES["revoked"]["text"])
            self.assertIn("不能证明是开票单位写的", visit.page.locator("section.compare").inner_text())
            # Asking again stands before seven large rows.
            self.assertEqual(visit.page.locator("#rest p:has(#refresh) ~ section.compare").count(), 1)
            self.each_size(visit.page, "code-revoked-served")
            self.assertEqual(visit.problems(), [])

    def test_one_that_is_older_or_does_not_hold_does_not_count(self):
        path = self.served()
        served = path.read_bytes()
        own = (STATES / "own.units").read_bytes()
        changed = served[:-1] + bytes([served[-1] ^ 1])
        for name, data in [("own", own), ("changed", changed), ("none", b""), ("other", b"<html>")]:
            path.write_bytes(data)
            with self.subTest(served=name), self.hosted_page() as visit:
                self.paste(visit.page, CODES["revoked"]["text"])
                self.assert_says(visit.page, CODES["revoked"]["verdict"])
                self.assertEqual(visit.problems(), [])

    def test_one_that_does_not_come_is_not_waited_for(self):
        with self.hosted_page() as visit:
            visit.page.route("**/units.bin", lambda route: None)
            self.paste(visit.page, CODES["good"]["text"])
            self.assert_says(visit.page, CODES["good"]["verdict"])

    def test_a_page_whose_own_cannot_be_fetched_says_so_and_asks_again(self):
        with self.hosted_page() as visit:
            page = visit.page
            page.route("**/units-*.bin", lambda route: route.abort())
            self.paste(page, CODES["good"]["text"], wait=False)
            self.said(page, "单位名录没有取到")
            self.each_size(page, "code-directory-missing")
            page.unroute("**/units-*.bin")
            self.paste(page, CODES["good"]["text"])
            self.assert_says(page, CODES["good"]["verdict"])

    def test_a_page_without_a_directory_or_a_host_judges_no_code(self):
        with self.visit((WITHOUT_UNITS / "tallystick-verify.html").as_uri()) as visit:
            page = visit.page
            # Of a page without it none is asked for: a link to it may have one.
            self.assertFalse(page.locator("#pasted, #scan").first.is_visible())
            page.evaluate("(digits) => { location.hash = digits; }", digits("good"))
            self.said(page, "没有单位名录")
            self.each_size(page, "code-not-read")
            # With a directory, but from a disk without a host.
            page.evaluate(
                """(units) => {
                      const block = document.createElement('p');
                      block.id = 'units';
                      block.hidden = true;
                      block.append(units);
                      document.body.append(block);
                    }""",
                "AAAA",
            )
            page.evaluate("(digits) => { location.hash = digits; }", digits("good"))
            self.said(page, "不知道票据的二维码应指向哪个网址")
            self.each_size(page, "code-no-host")

    def test_a_directory_older_than_somebody_takes_is_said(self):
        with self.visit() as visit:
            page = visit.page
            page.select_option("#age", "86400")
            self.paste(page, CODES["good"]["text"], wait=False)
            self.wait_for(page, "DIRECTORY_OLD")
            self.each_size(page, "code-directory-old")
            page.select_option("#age", "")
            self.assert_says(page, CODES["good"]["verdict"])


# Every verdict that the page has shown, in order.
WATCH_VERDICTS = """() => {
  window.verdicts = [];
  new MutationObserver(() => {
    const first = document.querySelector('.first');
    const code = first && first.dataset.code;
    if (code && code !== window.verdicts[window.verdicts.length - 1]) window.verdicts.push(code);
  }).observe(document.body, { attributes: true, childList: true, subtree: true });
}"""
# A file is read when the test lets it be: `held` gives how, once somebody wants to read one; `read` is over when it was read. Promises, because
# the page's policy lets nobody wait for an expression.
HOLD_FILES = """() => {
  const { readAsArrayBuffer } = FileReader.prototype;
  window.held = new Promise((held) => {
    window.read = new Promise((read) => {
      FileReader.prototype.readAsArrayBuffer = function (blob) {
        this.addEventListener('loadend', () => read(true));
        held(() => readAsArrayBuffer.call(this, blob));
      };
    });
  });
}"""


class UnderWay(CodesTest):
    """A code and a file at once: what was chosen last is judged, whatever takes longer."""

    def choose_nothing(self, page):
        page.set_input_files("#file", {"name": "x", "mimeType": "", "buffer": b"?"})

    def test_a_code_that_takes_longer_than_a_newer_file_says_nothing(self):
        with self.hosted_page() as visit:
            page, held = visit.page, []
            page.evaluate(WATCH_VERDICTS)
            page.route("**/codes-*.wasm", lambda route: held.append(route))
            with page.expect_request("**/codes-*.wasm"):
                self.paste(page, CODES["good"]["text"], wait=False)
            self.choose_nothing(page)
            self.wait_for(page, "NO_RECEIPT")
            held.pop().continue_()
            # Whoever waits for the same module later is answered later: by then the first code's turn is over.
            self.paste(page, CODES["forged"]["text"])
            self.wait_for(page, "FORGED")
            self.assertEqual(page.evaluate("window.verdicts"), ["NO_RECEIPT", "FORGED"])
            self.assertEqual(held, [])
            self.assertEqual(visit.problems(), [])

    def test_a_file_that_takes_longer_than_a_newer_code_says_nothing(self):
        for _, address in self.shapes():
            with self.visit(address) as visit:
                page = visit.page
                page.evaluate(WATCH_VERDICTS)
                page.evaluate(HOLD_FILES)
                self.choose_nothing(page)
                page.evaluate("() => window.held.then(() => true)")
                self.paste(page, CODES["good"]["text"])
                self.wait_for(page, "UNCHECKED")
                page.evaluate("() => window.held.then((go) => go())")
                page.evaluate("() => window.read")
                self.assertEqual(page.evaluate("window.verdicts"), ["UNCHECKED"])
                self.assert_says(page, CODES["good"]["verdict"])
                self.assertEqual(visit.problems(), [])


class Online(CodesTest):
    def test_the_ledgers_answer_is_judged_here(self):
        with self.hosted_page() as visit:
            page = visit.page
            for name in ("good", "reversed", "red", "absent", "refused"):
                for given in CODES[name]["answers"]:
                    if given["name"] == "false":
                        continue
                    with self.subTest(code=name, answer=given["name"]):
                        self.paste(page, CODES[name]["text"])
                        self.assert_says(page, CODES[name]["verdict"])
                        self.answer(name, given["name"])
                        self.site.posted.clear()
                        page.click("#refresh")
                        self.wait_for(page, given["verdict"]["conclusion"]["code"])
                        self.assert_says(page, given["verdict"])
                        self.assertEqual(len(self.site.posted), 1)
                        note = "无法证明" if given["name"] == "absent" else "由本页核验"
                        self.assertEqual(note in page.locator("#rest").inner_text(), True)
                        self.each_size(page, f"code-asked-{name}", "#note")
                        page.click("#language")
                        self.assert_says(page, given["verdict"], "en")
                        page.click("#language")
            expected = {"good": "IN_FORCE", "reversed": "REVERSED", "red": "RED_IN_FORCE", "absent": "PENDING", "refused": "REFUSED"}
            codes = {name: CODES[name]["answers"][0]["verdict"]["conclusion"]["code"] for name in expected}
            self.assertEqual(codes, expected)
            # Its code and number, and a hash of what its unit signed: nothing else, and no digit of the code.
            path, kind, body = self.site.posted[-1]
            self.assertEqual((path, kind), ("/refresh", "application/json"))
            self.assertEqual(sorted(json.loads(body)), ["code", "number", "status_key", "try"])
            self.assertEqual(visit.problems(), [])

    def test_what_is_not_proved_changes_nothing(self):
        with self.hosted_page() as visit:
            page = visit.page
            for status, answer, words, asked in [
                (200, b"{}", "都核验不了", 4),
                (200, (STATES / "good-false.answer").read_bytes(), "都核验不了", 4),
                (429, b"{}", "刷新次数过多", 1),
                (503, b"{}", "现在问不到账本", 1),
            ]:
                with self.subTest(words=words, answer=answer[:20]):
                    self.site.answers = [(status, answer)]
                    self.site.posted.clear()
                    self.paste(page, CODES["good"]["text"])
                    page.click("#refresh")
                    page.wait_for_selector(f"#note >> text={words}")
                    self.assert_says(page, CODES["good"]["verdict"])
                    self.assertEqual([json.loads(body)["try"] for _, _, body in self.site.posted], list(range(asked)))
            visit.context.set_offline(True)
            page.click("#refresh")
            page.wait_for_selector("#note >> text=没有网络")

    def test_what_was_proved_is_not_taken_back_by_a_word(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.paste(page, CODES["good"]["text"])
            self.answer("good", "taken")
            page.click("#refresh")
            self.wait_for(page, "IN_FORCE")
            self.answer("absent", "absent")
            page.click("#refresh")
            page.wait_for_selector("#note >> text=不比")
            self.assertEqual(page.locator(".first").get_attribute("data-code"), "IN_FORCE")

    def test_of_a_revoked_key_only_the_ledgers_proof_counts(self):
        self.served()
        with self.hosted_page() as visit:
            page = visit.page
            self.paste(page, CODES["revoked"]["text"])
            # Neither a word nor another receipt's proofs; and every node is asked.
            for name, given in (("absent", "absent"), ("good", "taken")):
                self.site.posted.clear()
                self.answer(name, given)
                page.click("#refresh")
                page.wait_for_selector("#note >> text=都核验不了")
                self.assertEqual(page.locator(".first").get_attribute("data-code"), "KEY_REVOKED")
                self.assertEqual(len(self.site.posted), 4)
            self.answer("revoked", "taken")
            page.click("#refresh")
            self.wait_for(page, "IN_FORCE")
            self.assertEqual(visit.problems(), [])

    def test_what_cannot_be_asked_has_no_button(self):
        with self.hosted_page() as visit:
            for name in ("unknown", "forged", "elsewhere", "largest"):
                self.paste(visit.page, CODES[name]["text"])
                self.assertEqual(visit.page.locator("#refresh").count(), 0, name)
            self.assertEqual(visit.problems(), [])


class LeftOut(CodesTest):
    def overdue(self, page):
        self.answer("absent", "late")
        self.paste(page, CODES["absent"]["text"])
        page.click("#refresh")
        self.wait_for(page, "OVERDUE")

    def test_a_receipt_that_is_not_there_in_time_is_reported(self):
        self.addCleanup(setattr, self.site, "at_ms", self.site.at_ms)
        self.site.at_ms = DESCRIBED["late_ms"]
        for options, saves in [({"accept_downloads": True}, True), ({"user_agent": WECHAT}, False)]:
            visit = Visit(self.browser, self.hosted + "index.html", DESCRIBED["late_ms"], **options)
            with self.subTest(options=options), visit:
                page = visit.page
                # There is nothing to report before the ledger was asked.
                self.paste(page, CODES["absent"]["text"])
                self.assertEqual(page.locator("[data-part=report]").count(), 0)
                self.overdue(page)
                self.each_size(page, "overdue")
                if not saves:
                    page.click("[data-part=report]")
                    page.wait_for_selector("#extra [role=status] >> text=微信里存不成文件")
                    continue
                with page.expect_download() as waiting:
                    page.click("[data-part=report]")
                self.assertEqual(waiting.value.suggested_filename, "left-out.tally")
                report = pathlib.Path(waiting.value.path()).read_bytes()
                self.assertEqual(report, (STATES / "absent.report").read_bytes())
                page.wait_for_selector("#extra [role=status] >> text=left-out.tally 已生成")
                self.each_size(page, "overdue-reported")
                self.assertEqual(visit.problems(), [])

    def test_the_report_is_judged_by_who_gets_it(self):
        verdict = DESCRIBED["report"]
        self.assertEqual(verdict["conclusion"]["code"], "LEFT_OUT")
        report = STATES / "absent.report"
        self.addCleanup(setattr, self.site, "at_ms", self.site.at_ms)
        self.site.at_ms = DESCRIBED["late_ms"]
        for shape, address in self.shapes():
            with self.subTest(shape=shape), Visit(self.browser, address, DESCRIBED["late_ms"]) as visit:
                page = visit.page
                page.set_input_files("#file", {"name": "left-out.tally", "mimeType": "", "buffer": report.read_bytes()})
                self.wait_for(page, "LEFT_OUT")
                for language in ("zh", "en"):
                    self.assert_says(page, verdict, language)
                    page.click("#language")
                self.assertIn("left-out.tally", page.locator("#rest .file").inner_text())
                # It is no receipt: nothing to keep, to share or to make new.
                self.assertEqual(page.locator("#refresh, [data-part=keep], section.face").count(), 0)
                self.assertIn("票据号码", page.locator("section.compare").inner_text())
                page.select_option("#age", "86400")
                self.wait_for(page, "DIRECTORY_OLD")
                page.select_option("#age", "")
                self.wait_for(page, "LEFT_OUT")
                self.each_size(page, "left-out", "#word")
                page.click("#checks > summary")
                self.assert_prints(page)
                # Any change of it is found.
                changed = bytearray(report.read_bytes())
                at = changed.index(b'"record":"') + 60
                changed[at] = ord("B") if changed[at] != ord("B") else ord("C")
                page.set_input_files("#file", {"name": "left-out.tally", "mimeType": "", "buffer": bytes(changed)})
                page.wait_for_selector(".first:not([data-code='LEFT_OUT'])")
                drawn(page)
                self.assertIn(page.locator(".first").get_attribute("class"), ("first tone-bad", "first tone-unknown"))
                self.assertEqual(visit.problems(), [])
        with Visit(self.browser, (WITHOUT_UNITS / "tallystick-verify.html").as_uri(), DESCRIBED["late_ms"]) as visit:
            visit.page.set_input_files("#file", report)
            self.said(visit.page, "这是一份漏记报告")
            self.each_size(visit.page, "left-out-not-read")

    def test_what_is_in_time_has_nothing_to_report(self):
        with self.hosted_page() as visit:
            self.answer("absent", "absent")
            self.paste(visit.page, CODES["absent"]["text"])
            visit.page.click("#refresh")
            self.wait_for(visit.page, "PENDING")
            self.assertEqual(visit.page.locator("[data-part=report]").count(), 0)


# Digits of seven bytes and fewer, as docs/spec/code.md has them.
DIGITS = [0, 3, 5, 8, 10, 13, 15, 17]


def record(name):
    """What the unit signed, in base64: read out of the digits of its code."""
    text, data = digits(name), b""
    for start in range(0, len(text), 17):
        group = text[start : start + 17]
        data += int(group).to_bytes(DIGITS.index(len(group)), "big")
    return base64.b64encode(data).decode()


class TypedEntries(CodesTest):
    """The site has no receipt to hand out for five entries: what the unit signed is judged in its place, and the ledger asked."""

    def look_up(self, page, told, *answers, of="good"):
        """`of`: the code of the receipt whose entries are typed."""
        self.site.answers = [(200, json.dumps(told).encode()), *answers]
        self.site.posted.clear()
        if not page.locator("#elements").is_visible():
            page.click("#typed > summary")
        for name, value in typed_of(CODES[of]["verdict"]).items():
            page.fill(f"#{name}", value)
        page.click("#elements button")

    def ledger(self, name, answer):
        return 200, (STATES / f"{name}-{answer}.answer").read_bytes()

    def late(self):
        self.addCleanup(setattr, self.site, "at_ms", self.site.at_ms)
        self.site.at_ms = DESCRIBED["late_ms"]
        return Visit(self.browser, self.hosted + "index.html", DESCRIBED["late_ms"], accept_downloads=True)

    def test_what_the_ledger_says_counts_and_not_the_sites_word(self):
        with self.hosted_page() as visit:
            page = visit.page
            # Whatever the site says of it.
            for told, name, answer in [("REFUSED", "refused", "refused"), ("PENDING", "absent", "absent"), ("REFUSED", "good", "taken")]:
                with self.subTest(told=told, answer=answer):
                    given = next(one for one in CODES[name]["answers"] if one["name"] == answer)
                    self.look_up(page, {"state": told, "standing": "", "signed_record": record(name)}, self.ledger(name, answer), of=name)
                    self.wait_for(page, given["verdict"]["conclusion"]["code"])
                    # No code was scanned that somebody could have copied.
                    self.assertEqual(page.locator(".notices [data-code=COMPARE]").count(), 0)
                    self.assert_says(page, given["verdict"])
                    self.assertEqual([path for path, _, _ in self.site.posted], ["/elements", "/refresh"])
                    self.assertEqual(sorted(json.loads(self.site.posted[1][2])), ["code", "number", "status_key", "try"])
            refused = CODES["refused"]["answers"][0]["verdict"]["conclusion"]
            self.assertEqual(refused["code"], "REFUSED")
            self.assertIn("代替", refused["sentence"]["zh"])
            self.look_up(page, {"state": "REFUSED", "signed_record": record("refused")}, self.ledger("refused", "refused"), of="refused")
            self.wait_for(page, "REFUSED")
            self.each_size(page, "typed-refused-proved")
            self.assertEqual(visit.problems(), [])

    def test_what_is_pending_beyond_its_time_can_be_reported(self):
        with self.late() as visit:
            page = visit.page
            self.look_up(page, {"state": "PENDING", "standing": "IN_FORCE", "signed_record": record("absent")}, self.ledger("absent", "late"), of="absent")
            self.wait_for(page, "OVERDUE")
            self.each_size(page, "typed-overdue")
            with page.expect_download() as waiting:
                page.click("[data-part=report]")
            self.assertEqual(pathlib.Path(waiting.value.path()).read_bytes(), (STATES / "absent.report").read_bytes())
            self.assertEqual(visit.problems(), [])

    def test_without_the_ledger_what_the_unit_signed_is_shown(self):
        with self.hosted_page() as visit:
            self.look_up(visit.page, {"state": "REFUSED", "signed_record": record("refused")}, (503, b"{}"), of="refused")
            visit.page.wait_for_selector("#note >> text=现在问不到账本")
            self.assert_says(visit.page, CODES["refused"]["verdict"])

    def test_another_receipt_than_was_typed_is_not_shown(self):
        with self.hosted_page() as visit:
            page = visit.page
            page.evaluate(WATCH_VERDICTS)
            self.look_up(page, {"state": "PENDING", "signed_record": record("good")}, self.ledger("good", "taken"), of="reversed")
            self.said(page, "另一张票据")
            self.assertEqual(page.evaluate("window.verdicts"), [])
            # Nor is the ledger asked about it.
            self.assertEqual([path for path, _, _ in self.site.posted], ["/elements"])
            self.assertEqual(visit.problems(), [])

    def test_what_does_not_hold_is_not_believed(self):
        with self.hosted_page() as visit:
            page = visit.page
            for signed, code in [(record("forged"), "FORGED"), (record("good")[:40], "DAMAGED")]:
                with self.subTest(code=code):
                    self.look_up(page, {"state": "PENDING", "signed_record": signed})
                    page.wait_for_selector(".first")
                    drawn(page)
                    self.assertEqual(page.locator(".first").get_attribute("data-code"), code)
                    self.assertEqual(len(self.site.posted), 1)
                    self.choose_nothing(page)
            # Nothing that could be judged, or nothing to judge it by: then it is said whose word it is.
            for signed in (None, "", "*", 7, ["AAAA"]):
                with self.subTest(signed=signed):
                    self.look_up(page, {"state": "REFUSED", "signed_record": signed})
                    self.said(page, "这句话本页核实不了")
                    self.choose_nothing(page)
        with self.hosted_page() as visit:
            visit.page.route("**/units-*.bin", lambda route: route.abort())
            self.look_up(visit.page, {"state": "PENDING", "signed_record": record("good")})
            self.said(visit.page, "这句话本页核实不了")

    def choose_nothing(self, page):
        page.set_input_files("#file", {"name": "x", "mimeType": "", "buffer": b"?"})
        self.wait_for(page, "NO_RECEIPT")


class WithoutNetwork(CodesTest):
    def test_what_was_not_fetched_is_missed_in_words(self):
        report = (STATES / "absent.report").read_bytes()
        with self.hosted_page() as visit:
            page = visit.page
            visit.context.set_offline(True)
            self.paste(page, CODES["good"]["text"], wait=False)
            self.said(page, "断网时请用本页的单文件版")
            self.each_size(page, "offline-code")
            page.set_input_files("#file", {"name": "x", "mimeType": "", "buffer": b"?"})
            self.wait_for(page, "NO_RECEIPT")
            page.set_input_files("#file", {"name": "x", "mimeType": "", "buffer": report})
            self.said(page, "断网时请用本页的单文件版")
            # With the verifier of codes, and without the directory.
            visit.context.set_offline(False)
            page.route("**/units-*.bin", lambda route: route.abort())
            self.paste(page, CODES["good"]["text"], wait=False)
            self.said(page, "单位名录没有取到")
            visit.context.set_offline(True)
            self.paste(page, CODES["good"]["text"], wait=False)
            self.said(page, "断网时请用本页的单文件版")


if __name__ == "__main__":
    unittest.main()
