"""Sharing less. PAGE: the folder that `tallystick-page` wrote, PAGE_OF_SPECIMENS: the same for a test chain; STATES: receipts, parts of them, what the
library says of each, and all that stands in the receipts; VERIFIER and TRUST: the program and its trust file. With SCREENSHOTS, a folder, a
picture of each state is left there."""

import base64
import json
import os
import pathlib
import re
import subprocess
import unittest

from harness import drawn
from test_page import AT_MS, DESCRIBED, PAGE_OF_SPECIMENS, SIZES, STATES, WECHAT, PageTest, state

VERIFIER, TRUST = os.environ["VERIFIER"], os.environ["TRUST"]
PARTS = ["part", "part-reversed", "part-red", "part-hostile", "part-rows", "part-of-rows", "part-altered"]
EXPECTED = ["PRESENTED", "REVERSED", "RED_IN_FORCE", "PRESENTED", "PRESENTED", "PRESENTED", "ALTERED"]
HOSTILE = "<script>alert(1)</script>林\\u{202e}某\\u{3164}"
FILE_NAME = "receipt-part.tally"
# Values shorter than this stand in a file by chance.
LONG_ENOUGH = 4


def is_row(line):
    return line["code"].endswith("]")


class SharingTest(PageTest):
    def open_part(self, page):
        """Where its holder picks from the receipt that is open."""
        page.click("[data-part=share]")
        page.wait_for_selector("#share-says:not(:empty)")

    def tick(self, page, *names):
        for name in names:
            box = page.locator(f"#share input[name='{name}']")
            if not box.is_visible():
                box.locator("xpath=ancestor::details[1]/summary").click()
            box.click()

    def see(self, page):
        page.click("#share-see")
        page.wait_for_selector("section.preview")

    def assert_draws(self, page, report, language, within="#rest"):
        """What is shown and what is withheld, and no receipt's face."""
        drawn = page.locator(f"{within} section.presented")
        fields = [line for line in report["lines"] if not is_row(line)]
        self.assertEqual(drawn.locator("dt").all_inner_texts(), [line[language] for line in fields])
        self.assertEqual(drawn.locator("dd").all_text_contents(), [line["value"][language] for line in fields])
        rows = [line for line in report["lines"] if is_row(line)]
        numbers = [int(re.search(r"\[(\d+)\]", line["code"])[1]) + 1 for line in rows]
        self.assertEqual(drawn.locator("th").all_inner_texts(), [str(number) for number in numbers])
        self.assertEqual(drawn.locator("td").all_text_contents(), [line["value"][language] for line in rows])
        count = len(report["withheld"])
        heading = {"zh": f"没有出示：{count} 项", "en": f"Withheld: {count} values"}[language]
        self.assertEqual(drawn.locator("h3").all_inner_texts()[1], heading)
        names = drawn.locator(".withheld li").all_inner_texts()
        for value in report["withheld"]:
            if not is_row(value):
                self.assertIn(value[language], names)


class Drawn(SharingTest):
    def test_each_part_is_said_to_be_one_and_drawn_as_one(self):
        self.assertEqual([state(name)["verdict"]["conclusion"]["code"] for name in PARTS], EXPECTED)
        for shape, address in self.shapes():
            with self.visit(address) as visit:
                page = visit.page
                for name in PARTS:
                    verdict = state(name)["verdict"]
                    for language in ("zh", "en"):
                        with self.subTest(shape=shape, part=name, language=language):
                            self.choose(page, name)
                            self.assertEqual(page.locator(".sentence").inner_text(), verdict["conclusion"]["sentence"][language])
                            self.assertEqual(page.locator("section.face").count(), 0)
                            is_part = "presentation" in verdict
                            self.assertEqual(is_part, name != "part-altered")
                            said = {"zh": "部分出示", "en": "SHOWN IN PART"}[language]
                            self.assertEqual(said in page.locator("#first").inner_text().upper(), is_part)
                            if is_part:
                                page.wait_for_selector("section.presented")
                                self.assert_draws(page, verdict["presentation"], language)
                            self.assertEqual(page.locator("section.presented").count(), int(is_part))
                            # Who has a part picks nothing from it.
                            self.assertEqual(page.locator("[data-part=share]").count(), 0)
                        page.click("#language")
                    self.assertEqual(page.locator("html").get_attribute("lang"), "zh-CN")
                self.assertEqual(visit.problems(), [])

    def test_each_part_is_accessible_and_fits(self):
        for width, height in [(320, 640)] + SIZES:
            with self.visit(width=width, height=height) as visit:
                page = visit.page
                for name in PARTS:
                    with self.subTest(width=width, part=name):
                        page.evaluate("document.querySelectorAll('details').forEach((part) => part.open = false)")
                        self.choose(page, name)
                        if name != "part-altered":
                            page.wait_for_selector("section.presented")
                            page.locator("section.presented").evaluate("(it) => it.scrollIntoView()")
                        self.picture(page, name, width)
                        # One whole page: a picture of each would be megabytes.
                        self.open_all(page)
                        if name == "part":
                            self.picture(page, name + "-open", width)
                        self.assert_fits(page)
                        if width != 1280:
                            self.assert_accessible(page)
                self.assertEqual(visit.problems(), [])

    def test_rows_that_are_withheld_are_told_from_where_to_where(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "part-of-rows")
            page.wait_for_selector("section.presented")
            names = page.locator(".withheld li").all_inner_texts()
            for expected in ["清单第2–7行", "清单第9–199行"]:
                self.assertIn(expected, names)
            page.click("#language")
            page.wait_for_selector(".withheld >> text=Detail lines 9–199")
            self.choose(page, "part-rows")
            page.wait_for_selector("section.presented")
            self.assertEqual(page.locator("section.presented tr").count(), 200)
            self.assertEqual(visit.problems(), [])

    def test_what_a_part_says_never_becomes_markup(self):
        with self.visit() as visit:
            page = visit.page
            scripts = page.locator("script").count()
            self.choose(page, "part-hostile")
            page.wait_for_selector("section.presented")
            shown = page.locator("section.presented").inner_text()
            self.assertEqual(shown.count(HOSTILE), 2)
            self.assertIn("<img src=x onerror=alert(1)>\\n有效 IN FORCE", shown)
            for acting in "\u202e\u3164":
                self.assertNotIn(acting, page.content())
            self.assertEqual(page.locator("#rest img").count(), 0)
            self.assertLessEqual(page.locator("script").count(), scripts + 1)
            self.assertEqual(visit.problems(), [])

    def test_a_part_that_is_older_than_somebody_takes_is_still_a_part(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "part")
            page.select_option("#age", "86400")
            page.wait_for_selector(".first[data-code='TOO_OLD']")
            drawn(page)
            page.wait_for_selector("section.presented")
            self.assertIn("部分出示", page.locator("#first").inner_text())
            self.each_size(page, "part-too-old")
            self.assertEqual(visit.problems(), [])

    def test_a_part_of_a_specimen_says_both(self):
        with self.visit((PAGE_OF_SPECIMENS / "tallystick-verify.html").as_uri()) as visit:
            page = visit.page
            self.choose(page, "specimen-part")
            page.wait_for_selector("section.presented")
            self.assertIn("部分出示", page.locator("#first").inner_text())
            self.assertIn("测试样票", page.locator("ul.notices").inner_text())
            self.each_size(page, "specimen-part")
            self.assertEqual(visit.problems(), [])

    def test_a_shown_value_is_followed_and_printed(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "part")
            page.wait_for_selector("section.presented")
            page.click("#proof > summary")
            page.wait_for_selector("svg.picture")
            shown = [line["code"] for line in state("part")["verdict"]["presentation"]["lines"]]
            offered = page.locator("#field option").evaluate_all("(options) => options.map((option) => option.value)")
            self.assertEqual(offered, shown)
            hashes = page.locator("ol.hashes code").all_text_contents()
            self.assertEqual(hashes[0], state("part")["trace"]["trees"][0]["leaf"])
            page.emulate_media(media="print")
            self.assertTrue(page.locator("section.presented .withheld").is_visible())
            for width, height in SIZES:
                page.set_viewport_size({"width": width, "height": height})
                page.evaluate("document.querySelector('section.presented').scrollIntoView()")
                self.picture(page, "part-printed", width)
            self.assertEqual(visit.problems(), [])


class Picked(SharingTest):
    def offered(self, page):
        """What can be picked, and whether it is, in the order of the page."""
        boxes = page.locator("#share input").evaluate_all("(boxes) => boxes.map((one) => [one.name, one.checked, one.disabled])")
        return {name: (checked, disabled) for name, checked, disabled in boxes}

    def test_what_is_always_shown_is_ticked_and_what_never_is_is_not_there(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "receipt")
            self.open_part(page)
            offered = self.offered(page)
            for name in ("receipt_code", "receipt_number", "unit_name", "total_amount", "item_count"):
                self.assertEqual(offered[name], (True, True), name)
            for name in ("payer_name", "items[0]", "items", "remark", "biz_code"):
                self.assertEqual(offered[name], (False, False), name)
            self.assertNotIn("check_code", offered)
            self.assertIn("校验码不在下面", page.locator("#share").inner_text())
            values = {value["name"] for value in DESCRIBED["secrets"]["receipt"]["values"]}
            self.assertEqual(set(offered) - {"items", "aux_items"}, values - {"check_code"})
            self.each_size(page, "share-pick", "#share-title")
            page.click("#language")
            self.assertIn("The check code is not below", page.locator("#share").inner_text())
            self.each_size(page, "share-pick-en", "#share fieldset")
            self.assertEqual(visit.problems(), [])

    def test_what_would_fetch_the_whole_is_refused_in_words_before_anything_is_made(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "receipt")
            self.open_part(page)
            self.tick(page, "payer_code")
            self.assertTrue(page.locator("#share-see").is_enabled())
            self.tick(page, "biz_code")
            said = page.locator("#share-says")
            self.assertEqual(said.get_attribute("role"), "status")
            self.assertIn("就能取到整张票据", said.inner_text())
            self.assertTrue(page.locator("#share-see").is_disabled())
            page.evaluate("document.getElementById('share-says').scrollIntoView({ block: 'center' })")
            self.each_size(page, "share-refused")
            page.click("#language")
            self.assertIn("whoever has both can fetch the whole receipt", said.inner_text())
            page.click("#language")
            self.tick(page, "payer_code")
            self.assertRegex(said.inner_text(), r"^出示 \d+ 项")
            self.assertTrue(page.locator("#share-see").is_enabled())
            self.assertEqual(visit.problems(), [])

    def saved(self, page):
        with page.expect_download() as download:
            page.click("#share-save")
        self.assertEqual(download.value.suggested_filename, FILE_NAME)
        return pathlib.Path(download.value.path()).read_bytes()

    def assert_keeps(self, name, made, shown):
        """Neither seed nor salt nor value of what is withheld stands in the file, however it is written."""
        secrets = DESCRIBED["secrets"][name]
        texts = [base64.b64decode(text) for text in re.findall(rb'"([A-Za-z0-9+/]+=*)"', made) if len(text) % 4 == 0]
        def stands(data):
            forms = [data, base64.b64encode(data), data.hex().encode()]
            return any(form in made for form in forms) or any(data in text for text in texts)

        self.assertFalse(stands(bytes.fromhex(secrets["seed"])))
        open_text = json.dumps([value["value"] for value in secrets["values"] if value["name"] in shown], ensure_ascii=False)
        kept = 0
        for value in secrets["values"]:
            salt, text = bytes.fromhex(value["salt"]), value["value"]
            if value["name"] in shown:
                self.assertTrue(stands(salt), value["name"])
                continue
            self.assertFalse(stands(salt), value["name"])
            if len(text.encode()) > LONG_ENOUGH and text not in open_text:
                kept += 1
                self.assertFalse(stands(text.encode()), value["name"])
        self.assertGreater(kept, 3)

    def assert_program_says(self, page, made):
        """The command line says of the file what the preview shows."""
        path = STATES / "made.tally"
        path.write_bytes(made)
        answer = subprocess.run(
            [VERIFIER, "verify", path, "--json", "--at", str(AT_MS), "--trust", TRUST], check=True, capture_output=True
        )
        verdict = json.loads(answer.stdout)["verdict"]
        preview = page.locator("section.preview")
        self.assertEqual(preview.locator(".first").get_attribute("data-code"), verdict["conclusion"]["code"])
        self.assertEqual(preview.locator(".sentence").inner_text(), verdict["conclusion"]["sentence"]["zh"])
        self.assertEqual(preview.locator(".notices li").all_inner_texts(), [notice["zh"] for notice in verdict["notices"]])
        self.assert_draws(page, verdict["presentation"], "zh", "section.preview")
        return verdict

    def test_what_is_picked_is_seen_as_others_will_and_saved(self):
        for shape, address in self.shapes():
            for name, picked in [("receipt", ["payer_name", "items[0]"]), ("second", []), ("rows", ["aux_items[0]", "aux_items[199]"])]:
                with self.subTest(shape=shape, receipt=name), self.visit(address) as visit:
                    page = visit.page
                    self.choose(page, name)
                    self.open_part(page)
                    requests = len(visit.requests)
                    own = ["more-", "sharing-"] if shape == "hosted" else []
                    self.assertEqual([name for name in ("codes-", "more-", "sharing-") if any(name in url for url in visit.requests)], own)
                    self.tick(page, *picked)
                    self.see(page)
                    self.assertEqual(page.evaluate("document.activeElement.id"), "preview")
                    made = self.saved(page)
                    verdict = self.assert_program_says(page, made)
                    self.assertEqual(verdict["conclusion"]["code"], "PRESENTED")
                    shown = [line["code"] for line in verdict["presentation"]["lines"]]
                    self.assertTrue(set(picked) <= set(shown))
                    self.assertEqual(len(shown), 11 + len(picked))
                    self.assert_keeps(name, made, shown)
                    # Opened in another page it is what its maker saw.
                    seen = page.locator("section.preview section.presented").inner_html()
                    page.set_input_files("#file", STATES / "made.tally")
                    page.wait_for_selector(".first[data-code='PRESENTED']")
                    drawn(page)
                    page.wait_for_selector("#rest > div > section.presented")
                    self.assertEqual(page.locator("section.presented").inner_html(), seen.replace("preview-", ""))
                    self.assertEqual(page.locator("#share").count(), 0)
                    # Nothing of it was sent to anybody.
                    self.assertEqual([url for url in visit.requests[requests:] if not url.startswith("blob:")], [])
                    self.assertEqual(self.site.posted, [])
                    self.assertEqual([problem for problem in visit.problems() if "request to blob:" not in problem], [])

    def test_the_preview_is_accessible_and_follows_what_is_picked(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "receipt")
            self.open_part(page)
            self.tick(page, "payer_name", "items")
            self.see(page)
            # What to do with it stands before all that others will see.
            self.assertEqual(page.locator("#preview + p > #share-save").count(), 1)
            for width, height in SIZES:
                page.set_viewport_size({"width": width, "height": height})
                page.evaluate("document.querySelector('section.preview').scrollIntoView()")
                self.picture(page, "share-preview", width)
                self.assert_accessible(page)
            for width, height in [(320, 640), (1280, 800), (360, 640)]:
                page.set_viewport_size({"width": width, "height": height})
                self.assert_fits(page)
            ids = page.evaluate("() => Array.from(document.querySelectorAll('[id]'), (element) => element.id)")
            self.assertEqual(len(ids), len(set(ids)))
            # In the other language it stays, with what is picked.
            page.click("#language")
            page.wait_for_selector("section.preview >> text=Only a part of the receipt is shown")
            self.assertTrue(page.locator("#share input[name=payer_name]").is_checked())
            page.click("#language")
            # Another pick, another file: what was seen before cannot be saved any more.
            self.tick(page, "payer_name")
            self.assertEqual(page.locator("section.preview").count(), 0)
            self.assertEqual(page.locator("#share-save").count(), 0)
            self.see(page)
            payer = next(value["value"] for value in DESCRIBED["secrets"]["receipt"]["values"] if value["name"] == "payer_name")
            self.assertTrue(payer)
            self.assertNotIn(payer, self.saved(page).decode())
            # Another receipt, another list.
            self.choose(page, "second")
            self.assertEqual(page.locator("#share").count(), 0)
            self.open_part(page)
            self.assertFalse(self.offered(page)["payer_name"][0])
            self.assertEqual(page.locator("section.preview").count(), 0)

    def test_all_rows_are_picked_at_once(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "rows")
            self.open_part(page)
            self.tick(page, "aux_items")
            self.assertTrue(self.offered(page)["aux_items[199]"][0])
            self.assertIn("出示 211 项", page.locator("#share-says").inner_text())
            self.tick(page, "aux_items[5]")
            self.assertTrue(page.evaluate("document.querySelector('#share input[name=aux_items]').indeterminate"))
            self.assertIn("出示 210 项", page.locator("#share-says").inner_text())
            self.each_size(page, "share-rows")
            self.see(page)
            self.assertEqual(page.locator("section.preview tr").count(), 199)
            self.assertIn("清单第6行", page.locator("section.preview .withheld").inner_text())
            # In part ticked, the box ticks all; ticked once more, none.
            self.tick(page, "aux_items")
            self.assertIn("出示 211 项", page.locator("#share-says").inner_text())
            self.tick(page, "aux_items")
            self.assertIn("出示 11 项", page.locator("#share-says").inner_text())
            self.assertEqual(visit.problems(), [])

    def test_of_a_reversed_receipt_others_see_that_it_is(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "reversed")
            self.open_part(page)
            self.see(page)
            first = page.locator("section.preview .first")
            self.assertEqual(first.get_attribute("data-code"), "REVERSED")
            self.assertIn("部分出示", first.inner_text())
            self.assertEqual(visit.problems(), [])

    def test_by_keyboard_alone(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "receipt")
            page.locator("[data-part=share]").focus()
            page.keyboard.press("Enter")
            page.wait_for_selector("#share-says:not(:empty)")
            reached = []
            while "share-see" not in reached and len(reached) < 100:
                page.keyboard.press("Tab")
                reached.append(page.evaluate("document.activeElement.name || document.activeElement.id"))
                if reached[-1] == "payer_name":
                    page.keyboard.press("Space")
            self.assertIn("share-see", reached)
            self.assertNotIn("total_amount", reached)
            page.keyboard.press("Enter")
            page.wait_for_selector("section.preview")
            self.assertEqual(page.evaluate("document.activeElement.id"), "preview")
            self.assertIn("交款人", page.locator("section.preview section.presented").inner_text())
            while page.evaluate("document.activeElement.id") != "share-save" and len(reached) < 200:
                page.keyboard.press("Tab")
                reached.append("")
            with page.expect_download() as download:
                page.keyboard.press("Enter")
            self.assertEqual(download.value.suggested_filename, FILE_NAME)

    def test_in_wechat_it_says_how_to_save(self):
        with self.visit(user_agent=WECHAT) as visit:
            page = visit.page
            self.choose(page, "receipt")
            self.open_part(page)
            self.see(page)
            self.assertEqual(page.locator("#share-save").count(), 0)
            # Before anybody has ticked anything for nothing.
            hint = page.locator("#share-title + p.notice")
            self.assertIn("在浏览器打开", hint.inner_text())
            self.each_size(page, "share-wechat", "#share-title")
            self.assertEqual(visit.problems(), [])

    def test_what_is_not_good_is_not_shared(self):
        with self.visit() as visit:
            text = (STATES / "receipt.tally").read_text()
            secrets = {value["name"]: value["value"] for value in DESCRIBED["secrets"]["receipt"]["values"]}
            altered = text.replace(json.dumps(secrets["payer_name"], ensure_ascii=False), '"某人"', 1)
            self.assertNotEqual(altered, text)
            visit.page.set_input_files("#file", {"name": "x.tally", "mimeType": "", "buffer": altered.encode()})
            visit.page.wait_for_selector(".first[data-code='ALTERED']")
            drawn(visit.page)
            self.assertEqual(visit.page.locator("[data-part=share]").count(), 0)

    def test_printed_it_has_no_boxes(self):
        with self.visit() as visit:
            page = visit.page
            self.choose(page, "receipt")
            self.open_part(page)
            page.emulate_media(media="print")
            self.assertFalse(page.locator("#share").is_visible())
            self.assertTrue(page.locator("section.face").is_visible())
            page.emulate_media(media="screen")
            # While a preview is open, that is what is printed, and nothing of the whole.
            self.see(page)
            page.emulate_media(media="print")
            self.assertTrue(page.locator("section.preview section.presented").is_visible())
            for whole in ("#first", "section.face", "#rest > section.compare", "#share fieldset >> nth=0", "#share-save"):
                self.assertFalse(page.locator(whole).is_visible(), whole)
            page.emulate_media(media="screen")
            page.click("[data-part=share]")
            page.emulate_media(media="print")
            self.assertTrue(page.locator("section.face").is_visible())

    def test_a_newer_state_keeps_what_is_picked(self):
        with self.visit(self.hosted + "index.html") as visit:
            page = visit.page
            self.site.answers = [(200, (STATES / "receipt.answer").read_bytes())]
            self.choose(page, "receipt")
            self.open_part(page)
            self.tick(page, "payer_name")
            self.see(page)
            page.click("#refresh")
            page.wait_for_selector("#note >> text=状态已刷新")
            self.assertTrue(page.locator("#share input[name=payer_name]").is_checked())
            self.assertEqual(page.locator("section.preview").count(), 0)
            self.see(page)
            self.assertIn("payer_name", [value["code"] for value in self.assert_program_says(page, self.saved(page))["presentation"]["lines"]])
            self.choose(page, "second")
            self.assertEqual(page.locator("#share").count(), 0)


if __name__ == "__main__":
    unittest.main()
