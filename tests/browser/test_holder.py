"""The holder's receipts: kept in the browser, judged anew, refreshed, saved, removed. PAGE, PAGE_OF_SPECIMENS, STATES: as in test_page.py. With
SCREENSHOTS, a folder, a picture of each state is left there."""

import datetime
import io
import json
import pathlib
import unittest
import zipfile

from harness import drawn
from test_page import AT_MS, PAGE, STATES, WECHAT, PageTest, file_of, state, typed_of

# What a page of another version, or somebody with this browser's files, may have written.
WRITE = """([entries, version]) => new Promise((resolve, reject) => {
  const request = indexedDB.open('tallystick', version);
  request.onupgradeneeded = () => {
    if (!request.result.objectStoreNames.contains('receipts')) request.result.createObjectStore('receipts', { keyPath: 'key' });
  };
  request.onerror = () => reject(request.error);
  request.onsuccess = () => {
    const transaction = request.result.transaction('receipts', 'readwrite');
    for (const entry of entries) {
      if (Array.isArray(entry.bytes)) entry.bytes = Uint8Array.from(entry.bytes);
      transaction.objectStore('receipts').put(entry);
    }
    transaction.oncomplete = () => { request.result.close(); resolve(); };
    transaction.onabort = () => reject(transaction.error);
  };
})"""
# The browser lets a page keep nothing; says that there is no room.
REFUSED = "Object.defineProperty(window, 'indexedDB', { value: { open() { throw new DOMException('no', 'SecurityError'); } } });"
# It refuses to remove; to read; does not answer at all, to a page that has little patience.
STAYS = "IDBObjectStore.prototype.clear = function () { this.transaction.abort(); };"
UNREAD = "IDBObjectStore.prototype.openCursor = function () { this.transaction.abort(); return {}; };"
SILENT = """
indexedDB.open = () => ({});
const wait = window.setTimeout;
window.setTimeout = (act, ms) => wait(act, ms === 10000 ? 1 : ms);
"""
# How often an entry was looked up in the store.
LOOKED_UP = """
window.lookedUp = 0;
const get = IDBObjectStore.prototype.get;
IDBObjectStore.prototype.get = function (key) { window.lookedUp += 1; return get.call(this, key); };
"""
# A verifier that stops at the judgements of which `window.traps` says so.
TRAPPING = """
window.traps = [];
const instantiate = WebAssembly.instantiate;
WebAssembly.instantiate = async (...given) => {
  const { exports } = await instantiate(...given);
  const tallystick_verdict = (...lengths) => {
    if (window.traps.shift()) throw new WebAssembly.RuntimeError('unreachable');
    return exports.tallystick_verdict(...lengths);
  };
  return { exports: Object.assign({}, exports, { tallystick_verdict }) };
};
"""
FULL = """
Object.defineProperty(IDBTransaction.prototype, 'error', { get: () => new DOMException('full', 'QuotaExceededError') });
IDBObjectStore.prototype.put = function () { this.transaction.abort(); };
"""


class HolderTest(PageTest):
    def hosted_page(self, **options):
        return self.visit(self.hosted + "index.html", **options)

    def answer(self, *names):
        self.site.answers = [(200, (STATES / f"{name}.answer").read_bytes()) for name in names]

    def set_clock(self, page, ms):
        page.clock.set_fixed_time(datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc))

    def visit_with(self, script):
        visit = self.visit(self.hosted + "index.html")
        visit.context.add_init_script(script)
        return visit

    def hold(self, page, address):
        """What the page fetches there waits in the list that is given back."""
        held = []
        page.route(address, lambda route: held.append(route))
        return held

    def keep(self, page, name, words="已留在本机浏览器", at_ms=None):
        # What is kept later is listed first.
        self.kept = getattr(self, "kept", 0) + 1
        self.set_clock(page, at_ms or AT_MS + self.kept)
        self.choose(page, name)
        page.click("[data-part=keep]")
        page.wait_for_selector(f"#extra [role=status] >> text={words}")

    def open_list(self, page, *codes):
        """Opens the list, whose rows have these codes, the last kept one first."""
        page.click("#kept-open")
        self.assert_rows(page, *codes)
        if not codes:
            # Read, and not only drawn.
            self.note(page, "还没有留存的票据")

    def keep_and_open(self, page, name, code):
        self.keep(page, name)
        self.open_list(page, code)
        page.click(".kept [data-act=open]")
        page.wait_for_selector(f".first[data-code='{code}']")
        drawn(page)

    def assert_rows(self, page, *codes):
        page.wait_for_function(
            "(codes) => JSON.stringify(Array.from(document.querySelectorAll('.kept > li'), (row) => row.dataset.code)) === codes",
            arg=json.dumps(codes, separators=(",", ":")),
        )

    def note(self, page, words):
        page.wait_for_selector(f"#kept-note >> text={words}")

    def remove_all(self, page):
        page.click("#kept-remove")
        page.click("#kept [role=alert] + button")
        self.note(page, "已删除")


class Keeping(HolderTest):
    def test_what_is_kept_is_listed_in_both_languages_and_shapes(self):
        for shape, address in self.shapes():
            with self.subTest(shape=shape), self.visit(address) as visit:
                page = visit.page
                self.open_list(page)
                self.note(page, "还没有留存的票据")
                # Of what is not there nothing need be known; and what is offered is offered once.
                self.assertEqual(page.locator("#kept .hint").count(), 0)
                self.assertNotIn("它们", page.locator("#kept").inner_text())
                self.assertFalse(page.locator("#site [data-word=siteLost]").is_visible())
                self.each_size(page, "kept-none")
                page.click("#kept-back")
                self.assertEqual(page.evaluate("document.activeElement.id"), "kept-open")
                self.assertEqual(page.locator("#site [data-word=siteLost]").is_visible(), shape == "hosted")
                for name in ("in-force", "medical", "reversed"):
                    self.keep(page, name)
                self.each_size(page, "keep-done")
                self.open_list(page, "REVERSED", "IN_FORCE", "IN_FORCE")
                self.assertEqual(page.evaluate("document.activeElement.id"), "kept-title")
                for language in ("zh", "en"):
                    for row, name in zip(page.locator(".kept > li").all(), ("reversed", "medical", "in-force")):
                        self.assert_row(row, state(name)["verdict"], language)
                    self.assert_accessible(page)
                    page.click("#language")
                self.each_size(page, f"kept-{shape.replace(' ', '-')}")
                self.assertFalse(page.locator("#choose").is_visible() or page.locator("#first").is_visible())
                # Another page of this browser, later.
                page.reload()
                self.open_list(page, "REVERSED", "IN_FORCE", "IN_FORCE")
                self.assertIn("别的网页文件" if shape == "one file" else "另存一份", page.locator("#kept").inner_text())
                self.assertEqual(visit.problems(), [])

    def assert_row(self, row, verdict, language):
        self.assertEqual(row.get_attribute("class"), f"tone-{verdict['conclusion']['tone']}")
        self.assertEqual(row.locator("strong").inner_text(), verdict["conclusion"]["word"][language])
        self.assertEqual(row.locator("svg.sign").count(), 1)
        self.assertEqual(row.locator(".as-of").inner_text(), verdict["as_of"][language])
        values = {value["code"]: value["value"] for value in verdict["compare"]}
        for code in ("unit_name", "issue_date", "total_amount"):
            self.assertIn(values[code], row.inner_text())
        self.assertIn(f"{values['receipt_code']}-{values['receipt_number']}", row.inner_text())

    def test_one_receipt_is_one_entry_and_the_later_state_stays(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.keep(page, "stale")
            self.open_list(page, "IN_FORCE")
            page.click("#kept-back")
            self.keep(page, "reversed")
            self.open_list(page, "REVERSED")
            page.click("#kept-back")
            self.keep(page, "stale", "没有改动")
            self.open_list(page, "REVERSED")
            self.assertEqual(visit.problems(), [])

    def test_two_windows_keep_at_once(self):
        with self.hosted_page() as visit:
            page, other = visit.page, visit.context.new_page()
            other.goto(visit.address)
            self.choose(page, "reversed")
            self.choose(other, "stale")
            for each in (page, other):
                each.evaluate("document.querySelector('[data-part=keep]').click()")
            for each in (page, other):
                each.wait_for_function("() => document.querySelector('#extra [role=status]').textContent !== ''")
            for each in (page, other):
                self.open_list(each, "REVERSED")
            self.assertEqual(visit.problems(), [])

    def test_by_a_slow_clock_too_the_later_state_stays(self):
        early, late = (state(name)["verdict"]["as_of"]["seconds"] for name in ("stale", "reversed"))
        self.assertLess(early, late)
        with self.hosted_page() as visit:
            page = visit.page
            self.keep(page, "reversed")
            self.keep(page, "stale", "没有改动", at_ms=(early + late) * 500)
            self.set_clock(page, AT_MS)
            self.open_list(page, "REVERSED")
            self.assertEqual(visit.problems(), [])

    def test_a_verifier_that_stops_makes_no_state_the_better_one(self):
        with self.visit_with(TRAPPING) as visit:
            page = visit.page
            self.keep(page, "reversed")
            self.choose(page, "stale")
            for traps, words in [([False, False, True], "没有改动"), ([False, False, True] * 2, "核验程序意外停止")]:
                page.evaluate("(traps) => { window.traps = traps; }", traps)
                page.click("[data-part=keep]")
                page.wait_for_selector(f"#extra [role=status] >> text={words}")
                self.assertEqual(page.evaluate("window.traps"), [])
            self.each_size(page, "keep-trapped")
            self.open_list(page, "REVERSED")
            self.assertEqual(visit.problems(), [])

    def test_a_click_that_waited_for_the_script_acts_on_what_was_clicked(self):
        with self.hosted_page() as visit:
            page = visit.page
            held = self.hold(page, "**/more-*.js")
            self.choose(page, "in-force")
            with page.expect_request("**/more-*.js"):
                page.click("[data-part=keep]")
            # In the meantime something else is chosen, and kept itself: the script is there.
            self.choose(page, "reversed")
            page.click("[data-part=keep]")
            page.click("#language")
            page.wait_for_function("() => document.documentElement.lang === 'en'")
            held[0].continue_()
            page.wait_for_selector("#extra [role=status] >> text=Kept in this browser")
            self.open_list(page, "REVERSED")
            self.assertEqual(visit.problems(), [])

    def test_what_is_kept_is_kept_anew_when_it_is_refreshed_and_said_if_not(self):
        for name, script, words in [("kept", "0", "已留在本机浏览器"), ("refused", FULL, "空间不够")]:
            with self.subTest(name=name), self.hosted_page() as visit:
                page = visit.page
                self.keep(page, "stale")
                page.evaluate("() => { document.querySelector('#extra [role]').textContent = ''; }")
                page.evaluate("() => {%s}" % script)
                self.answer("stale")
                page.click("#refresh")
                page.wait_for_selector(".first[data-code='REVERSED']")
                drawn(page)
                page.wait_for_selector(f"#extra [role=status] >> text={words}")
                page.reload()
                self.open_list(page, "REVERSED" if name == "kept" else "IN_FORCE")
                self.assertEqual(visit.problems(), [])

    def test_only_what_is_a_receipt_can_be_kept(self):
        with self.hosted_page() as visit:
            for name in ("altered", "forged", "damaged", "no-receipt", "other-chain", "not-anchored", "status-unproved"):
                self.choose(visit.page, name)
                self.assertEqual(visit.page.locator("[data-part]:visible").evaluate_all("(all) => all.map((one) => one.dataset.part)"), ["kept"], name)
            # What may be good and is not known to be is kept, and shown to nobody.
            self.choose(visit.page, "validators-unknown")
            self.assertEqual([visit.page.locator(f"[data-part={part}]").count() for part in ("keep", "share")], [1, 0])

    def test_what_is_chosen_meanwhile_takes_the_place_of_the_list(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.keep(page, "in-force")
            self.open_list(page, "IN_FORCE")
            self.choose(page, "reversed")
            self.assertEqual(page.locator("#kept").count(), 0)
            self.assertTrue(page.locator("#choose").is_visible() and page.locator(".first").is_visible())
            self.assertEqual(visit.problems(), [])

    def test_a_receipt_is_opened_and_what_a_refresh_brings_is_kept(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.keep_and_open(page, "stale", "IN_FORCE")
            self.assertEqual(page.evaluate("document.activeElement.id"), "word")
            self.answer("stale")
            page.click("#refresh")
            page.wait_for_selector(".first[data-code='REVERSED']")
            drawn(page)
            self.open_list(page, "REVERSED")
            self.assertEqual(visit.problems(), [])


class Store(HolderTest):
    """What is in the store was written by whoever can."""

    def test_what_comes_out_of_it_is_judged(self):
        entry = lambda number, bytes, **more: {"key": f"{number:064}", "bytes": bytes, "kept_at_ms": number, **more}
        entries = [
            entry(9, list(file_of("altered").read_bytes()), code="IN_FORCE", as_of=1),
            entry(8, list(file_of("hostile").read_bytes()), code="<b>"),
            entry(7, list(b"junk")),
            entry(6, []),
            entry(5, "text"),
            entry(4, None, kept_at_ms="yesterday"),
            {"key": "\u202e<b>"},
        ]
        with self.hosted_page() as visit:
            page = visit.page
            page.evaluate(WRITE, [entries, 1])
            page.evaluate("(size) => (%s)([[{ key: 'f'.repeat(64), bytes: new Array(size).fill(32), kept_at_ms: 10 }], 1])" % WRITE, 6 * 2**20)
            page.click("#kept-open")
            page.wait_for_function("() => document.querySelectorAll('.kept > li[data-code]').length === 8")
            codes = page.locator(".kept > li").evaluate_all("(rows) => rows.map((row) => row.dataset.code)")
            self.assertEqual(codes[1:3], ["ALTERED", "IN_FORCE"])
            self.assertEqual({codes[0], *codes[3:]}, {"NO_RECEIPT"})
            self.assertEqual(page.locator(".kept img, .kept script, .kept .file b").count(), 0)
            self.assertNotIn("\u202e", page.locator("#kept").inner_text())
            self.each_size(page, "kept-foreign")
            # Of those that are no bytes, or too many, nothing can be opened or saved.
            self.assertEqual(page.locator(".kept [data-act=open]").count(), 4)
            # What is new is pointed out once.
            self.assertEqual(page.locator(".kept >> text=与上次看到的不同").count(), 2)
            page.click("#kept-back")
            page.click("#kept-open")
            page.wait_for_function("() => document.querySelectorAll('.kept > li[data-code]').length === 8")
            self.assertEqual(page.locator(".kept >> text=与上次看到的不同").count(), 0)
            self.assertEqual(visit.problems(), [])

    def test_there_is_room_for_so_many(self):
        with self.hosted_page() as visit:
            page = visit.page
            entries = [{"key": f"{number:064}", "bytes": [], "kept_at_ms": 0} for number in range(500)]
            page.evaluate(WRITE, [entries, 1])
            self.keep(page, "in-force", "已经留了 500 张")
            self.assertEqual(visit.problems(), [])

    def test_a_newer_version_of_it_is_left_alone(self):
        with self.hosted_page() as visit:
            page = visit.page
            page.evaluate(WRITE, [[], 2])
            self.keep(page, "in-force", "新版的本页留存的")
            page.click("#kept-open")
            self.note(page, "新版的本页留存的")
            self.each_size(page, "kept-newer")
            self.assertEqual(visit.problems(), [])

    def test_that_a_state_grows_older_than_the_reader_takes_is_no_change(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.keep(page, "stale")
            page.select_option("#age", "86400")
            self.open_list(page, state("stale")["of_today"]["conclusion"]["code"])
            self.assertNotEqual(page.locator(".kept > li").get_attribute("data-code"), "IN_FORCE")
            self.assertEqual(page.locator(".kept >> text=与上次看到的不同").count(), 0)
            page.click("#kept-back")
            page.select_option("#age", "")
            self.open_list(page, "IN_FORCE")
            self.assertEqual(page.locator(".kept >> text=与上次看到的不同").count(), 0)
            self.assertEqual(visit.problems(), [])

    def test_by_an_impossible_clock_there_are_no_verdicts_and_all_else_goes_on(self):
        with self.hosted_page() as visit:
            page = visit.page
            for name in ("in-force", "reversed"):
                self.keep(page, name)
            self.set_clock(page, 1_000_000_000_000)
            page.click("#kept-open")
            page.wait_for_function("() => document.querySelectorAll('.kept > li [data-act=save]').length === 2")
            self.note(page, "再打开“我的票据”")
            self.assertEqual(page.locator(".kept > li[data-code]").count(), 0)
            # A sign and a word, as any other; and nothing that a refresh could change.
            self.assertEqual(page.locator(".kept svg.sign").count(), 2)
            self.assertEqual(page.locator(".kept strong").all_inner_texts(), ["时钟不对，暂不能核验"] * 2)
            self.assertFalse(page.locator("#kept-refresh").is_visible())
            self.each_size(page, "kept-undated")
            page.click("#language")
            self.note(page, "which cannot be right")
            page.click("#language")
            self.remove_all(page)
            self.assert_rows(page)
            self.assertEqual(visit.problems(), [])

    def test_what_the_browser_refuses_is_said_as_it_is(self):
        refusals = [("unread", UNREAD, "不让本页读取"), ("stays", STAYS, "票据还在"), ("silent", SILENT, "没有读到留存的票据")]
        for name, script, words in refusals:
            with self.subTest(name=name), self.hosted_page() as visit:
                page = visit.page
                self.keep(page, "in-force")
                page.evaluate("() => {%s}" % script)
                page.click("#kept-open")
                if name == "stays":
                    self.assert_rows(page, "IN_FORCE")
                    page.click("#kept-remove")
                    page.click("#kept [role=alert] + button")
                self.note(page, words)
                self.each_size(page, f"kept-{name}")
                page.reload()
                self.open_list(page, "IN_FORCE")
                self.assertEqual(visit.problems(), [])

    def test_a_browser_that_keeps_nothing_is_said(self):
        for name, script, words in [("refused", REFUSED, "不让本页留存东西"), ("full", FULL, "空间不够")]:
            visit = self.visit(self.hosted + "index.html")
            visit.context.add_init_script(script)
            with self.subTest(name=name), visit:
                page = visit.page
                self.keep(page, "in-force", words)
                self.each_size(page, f"keep-{name}")
                page.click("#kept-open")
                if name == "refused":
                    self.note(page, "不让本页读取")
                self.assertEqual(visit.problems(), [])


class Refreshing(HolderTest):
    def listed(self, page):
        for name in ("in-force", "stale"):
            self.keep(page, name)
        self.open_list(page, "IN_FORCE", "IN_FORCE")

    def test_all_are_asked_about_one_after_the_other(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.listed(page)
            self.answer("stale", "in-force")
            page.click("#kept-refresh")
            self.note(page, "已查询 2 张")
            self.assert_rows(page, "REVERSED", "IN_FORCE")
            for row in page.locator(".kept > li").all():
                self.assertIn("已刷新", row.inner_text())
            self.assertEqual(page.locator(".kept >> text=与上次看到的不同").count(), 1)
            asked = [json.loads(body) for _, _, body in self.site.posted]
            self.each_size(page, "kept-refreshed", ".kept > li")
            # Of one that is reversed the ledger has nothing else to say, and of the other nothing newer.
            self.site.posted.clear()
            self.answer("in-force")
            page.click("#kept-refresh")
            self.note(page, "已查询 1 张")
            self.assertIn("没有更新的", page.locator(".kept > li").last.inner_text())
            self.assertEqual(len(asked), 2)
            self.assertEqual({tuple(sorted(body)) for body in asked}, {("code", "number", "status_key", "try")})
            # It is kept, not only shown.
            page.reload()
            self.open_list(page, "REVERSED", "IN_FORCE")
            self.assertEqual(visit.problems(), [])

    def test_what_is_not_proved_changes_nothing_and_is_said_of_each(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.listed(page)
            self.site.answers = [(200, (STATES / "forged.answer").read_bytes())] * 4 + [(503, b"{}")]
            page.click("#kept-refresh")
            self.note(page, "已查询 2 张")
            first, second = page.locator(".kept > li").all_inner_texts()
            self.assertIn("都核验不了", first)
            self.assertIn("现在问不到账本", second)
            self.assert_rows(page, "IN_FORCE", "IN_FORCE")
            self.each_size(page, "kept-not-refreshed", ".kept > li")

    def test_a_portal_that_asks_to_wait_is_waited_for(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.listed(page)
            self.site.answers = [(429, b"{}", 1), (200, (STATES / "stale.answer").read_bytes()), (200, (STATES / "in-force.answer").read_bytes())]
            page.click("#kept-refresh")
            self.note(page, "约 1 秒后自动继续")
            self.note(page, "已查询 2 张")
            self.assert_rows(page, "REVERSED", "IN_FORCE")
            # Nobody is kept for an hour.
            self.site.answers = [(429, b"{}", 3600)]
            page.click("#kept-refresh")
            self.note(page, "不再答复这么多询问：要问的 1 张，问了 0 张")
            self.each_size(page, "kept-too-often")

    def test_stopped_twice_it_is_stopped_once(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.listed(page)
            held = self.hold(page, "**/refresh")
            with page.expect_request("**/refresh"):
                page.click("#kept-refresh")
            for _ in range(2):
                page.click("#kept-refresh")
                self.note(page, "正在停止")
            held[0].fulfill(status=200, body=(STATES / "stale.answer").read_bytes())
            self.note(page, "已停止：要问的 2 张，问了 1 张")
            self.assert_rows(page, "REVERSED", "IN_FORCE")
            self.assertEqual(len(held), 1)
            self.assertEqual(visit.problems(), [])

    def test_a_later_state_that_another_window_kept_meanwhile_is_shown(self):
        with self.hosted_page() as visit:
            page, other = visit.page, visit.context.new_page()
            self.listed(page)
            held = self.hold(page, "**/refresh")
            with page.expect_request("**/refresh"):
                page.click("#kept-refresh")
            other.goto(visit.address)
            self.keep(other, "reversed")
            held[0].fulfill(status=200, body=(STATES / "unchanged.answer").read_bytes())
            self.assert_rows(page, "REVERSED", "IN_FORCE")
            self.assertEqual(visit.problems(), [])

    def test_what_is_removed_meanwhile_does_not_come_back(self):
        for name in ("here", "in another window"):
            with self.subTest(removed=name), self.visit_with(LOOKED_UP) as visit:
                page = visit.page
                self.listed(page)
                held = self.hold(page, "**/refresh")
                with page.expect_request("**/refresh"):
                    page.click("#kept-refresh")
                other = page
                if name != "here":
                    other = visit.context.new_page()
                    other.goto(visit.address)
                    self.open_list(other, "IN_FORCE", "IN_FORCE")
                self.remove_all(other)
                page.evaluate("() => { window.lookedUp = 0; }")
                held[0].fulfill(status=200, body=(STATES / "stale.answer").read_bytes())
                page.wait_for_function("() => window.lookedUp > 0")
                if name != "here":
                    row = page.locator(".kept > li", has_text="已在别的窗口删除")
                    row.wait_for()
                    # Not to be removed once more, nor counted.
                    self.assertEqual(row.locator("button").all_inner_texts(), ["打开", "另存"])
                    page.click("#kept-refresh")
                    self.note(page, "已停止")
                    self.assertEqual(page.locator("#kept-title").inner_text(), "我的票据（1）")
                    self.each_size(page, "kept-gone", ".kept > li >> text=已在别的窗口删除")
                page.click("#kept-back")
                self.open_list(page)
                if name == "here":
                    self.assertEqual(len(held), 1)
                self.assertEqual(visit.problems(), [])

    def test_what_was_opened_and_then_removed_is_not_kept_by_a_refresh(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.keep_and_open(page, "stale", "IN_FORCE")
            self.open_list(page, "IN_FORCE")
            self.remove_all(page)
            page.click("#kept-back")
            self.answer("stale")
            page.click("#refresh")
            page.wait_for_selector(".first[data-code='REVERSED']")
            drawn(page)
            self.open_list(page)
            self.assertEqual(visit.problems(), [])

    def test_it_can_be_stopped_and_without_a_network_it_stops(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.listed(page)
            self.site.answers = [(429, b"{}", 60)]
            page.click("#kept-refresh")
            self.note(page, "约 60 秒后自动继续")
            self.assertNotIn("正在向本网站询问", page.locator(".kept").inner_text())
            self.each_size(page, "kept-refreshing")
            self.assertEqual(page.evaluate("document.activeElement.id"), "kept-refresh")
            page.keyboard.press("Enter")
            self.note(page, "已停止")
            visit.context.set_offline(True)
            page.click("#kept-refresh")
            self.note(page, "没有网络")
            # Where a page stands for nobody's portal, nobody is asked.
        with self.visit() as visit:
            self.keep(visit.page, "in-force")
            self.open_list(visit.page, "IN_FORCE")
            self.assertEqual(visit.page.locator("#kept-refresh").count(), 0)


class Saving(HolderTest):
    def test_one_and_all_are_saved_as_they_are(self):
        for shape, address in self.shapes():
            with self.subTest(shape=shape), self.visit(address, accept_downloads=True) as visit:
                page = visit.page
                for name in ("in-force", "reversed"):
                    self.keep(page, name)
                self.open_list(page, "REVERSED", "IN_FORCE")
                names = page.locator(".kept .file").all_inner_texts()
                with page.expect_download() as waiting:
                    page.locator(".kept [data-act=save]").first.click()
                self.assertEqual(waiting.value.suggested_filename, f"{names[0]}.tally")
                self.assertEqual(pathlib.Path(waiting.value.path()).read_bytes(), file_of("reversed").read_bytes())
                with page.expect_download() as waiting:
                    page.click("#kept-save")
                self.assertRegex(waiting.value.suggested_filename, r"^tallystick-\d{4}-\d\d-\d\d\.zip$")
                with zipfile.ZipFile(io.BytesIO(pathlib.Path(waiting.value.path()).read_bytes())) as archive:
                    self.assertIsNone(archive.testzip())
                    self.assertEqual(archive.namelist(), [f"{name}.tally" for name in names])
                    self.assertEqual(archive.read(archive.namelist()[1]), file_of("in-force").read_bytes())
                self.assertEqual(visit.problems(), [])

    def test_in_wechat_it_says_where_files_can_be_saved(self):
        with self.visit(user_agent=WECHAT) as visit:
            page = visit.page
            self.keep(page, "in-force")
            self.open_list(page, "IN_FORCE")
            self.assertIn("微信里存不成文件", page.locator("#kept").inner_text())
            # Not told to do what it cannot.
            self.assertNotIn("另存一份", page.locator("#kept").inner_text())
            self.assertEqual(page.locator("#kept-save, [data-act=save]").count(), 0)
            self.each_size(page, "kept-wechat")
            self.assertEqual(visit.problems(), [])
        # Where a site hands out files, whoever has none is told how to get one.
        with self.hosted_page(user_agent=WECHAT) as visit:
            page = visit.page
            self.keep(page, "in-force")
            self.open_list(page, "IN_FORCE")
            self.assertIn("取票据文件", page.locator("#kept").inner_text())
            self.assertTrue(page.locator("#site a[href=fetch]").is_visible())
            self.assertEqual(page.locator("#kept ~ #site").count(), 1, "it is below, as is said")
            self.assertNotIn("另存一份", page.locator("#kept").inner_text())
            self.each_size(page, "kept-wechat-site")
            self.assert_prints(page)
            self.assertEqual(visit.problems(), [])


class Removing(HolderTest):
    def test_by_keyboard_alone_one_and_all_are_removed_when_it_was_said_twice(self):
        with self.hosted_page() as visit:
            page = visit.page
            for name in ("in-force", "medical", "reversed"):
                self.keep(page, name)
            page.locator("#kept-open").focus()
            page.keyboard.press("Enter")
            self.assert_rows(page, "REVERSED", "IN_FORCE", "IN_FORCE")
            reached = []
            for _ in range(7):
                page.keyboard.press("Tab")
                reached.append(page.evaluate("document.activeElement.id || document.activeElement.dataset.act"))
            self.assertEqual(reached, ["kept-back", "kept-refresh", "kept-save", "kept-remove", "open", "save", "remove"])
            page.keyboard.press("Enter")
            page.wait_for_selector("text=删除这一张？")
            self.each_size(page, "kept-remove-one")
            # The focus is on the way back.
            page.keyboard.press("Enter")
            self.assertEqual(page.evaluate("document.activeElement.dataset.act"), "remove")
            page.keyboard.press("Enter")
            page.keyboard.press("Shift+Tab")
            page.keyboard.press("Enter")
            self.note(page, "已删除")
            self.assert_rows(page, "IN_FORCE", "IN_FORCE")
            page.click("#kept-remove")
            page.wait_for_selector("text=删除全部 2 张")
            self.assertEqual(page.locator("#kept-note").inner_text(), "", "what was removed before is no answer")
            self.each_size(page, "kept-remove-all")
            page.keyboard.press("Shift+Tab")
            page.keyboard.press("Enter")
            self.assert_rows(page)
            page.reload()
            self.open_list(page)
            self.note(page, "还没有留存的票据")
            self.assertEqual(visit.problems(), [])


# As people type them, and as they are sent.
REFERENCE = {"unit_code": "ａ23456789012345678", "reference": " 33010026000001234567 ", "last_four": "001x"}
SENT = {"unit_code": "A23456789012345678", "kind": "pay_code", "reference": "33010026000001234567", "last_four": "001X"}


# Of the receipt that is in force.
ENTRIES = typed_of(state("in-force")["verdict"])
UNIT_CODE = next(row["value"] for row in state("in-force")["verdict"]["compare"] if row["code"] == "unit_code")


class WithoutReceipt(HolderTest):
    def form(self, page):
        self.open_list(page)
        page.click("#ask > summary")

    def ask(self, page, **others):
        for name, value in {**REFERENCE, **others}.items():
            page.fill(f"#ask-{name}", value)
        page.click("#ask-form button")

    def said_there(self, page, words):
        page.wait_for_selector(f"#ask-note >> text={words}")

    def test_what_the_site_gives_is_judged_and_can_be_kept(self):
        path = PAGE / "hosted" / "download"
        for name in ("in-force", "altered"):
            path.write_bytes(file_of(name).read_bytes())
            with self.subTest(state=name), self.hosted_page() as visit:
                page = visit.page
                self.form(page)
                self.site.answers = [(200, b'{"download":{"address":"download"}}')]
                # As it stands on the receipt; in small letters, as somebody may type it.
                self.ask(page, unit_code=UNIT_CODE.lower())
                page.wait_for_selector(f".first[data-code='{state(name)['verdict']['conclusion']['code']}']")
                drawn(page)
                self.assertEqual(page.evaluate("document.activeElement.id"), "word")
                if name == "in-force":
                    page.click("[data-part=keep]")
                    self.open_list(page, "IN_FORCE")
                address, kind, body = self.site.posted[-1]
                self.assertEqual((address, kind, json.loads(body)), ("/fetch-by-reference", "application/json", {**SENT, "unit_code": UNIT_CODE}))
                self.assertFalse([url for url in visit.requests if "001" in url])
                self.assertEqual(visit.problems(), [])
            path.unlink()

    def test_a_receipt_of_another_unit_is_not_shown(self):
        path = PAGE / "hosted" / "download"
        path.write_bytes(file_of("in-force").read_bytes())
        self.addCleanup(path.unlink)
        with self.hosted_page() as visit:
            self.form(visit.page)
            self.site.answers = [(200, b'{"download":{"address":"download"}}')]
            self.ask(visit.page)
            self.said(visit.page, "另一张票据")
            self.assertEqual(visit.problems(), [])

    def test_what_it_says_instead_is_said_in_plain_words(self):
        wait = (202, b'{"ticket":"00ff","wait_ms":40,"good_for_ms":60000}')
        with self.hosted_page() as visit:
            page = visit.page
            self.form(page)
            self.each_size(page, "ask-open")
            for name, answers, words in [
                ("not-found", [(404, b'{"problem":"NOT_FOUND_OR_MISMATCH"}')], "或票据还没有开出"),
                ("pending", [(409, b'{"problem":"IN_PROGRESS"}')], "这句话本页核实不了"),
                ("refused", [(410, b'{"problem":"REFUSED"}')], "账本没有接受"),
                ("later", [(429, b'{"problem":"RATE_LIMITED","retry_after_ms":29001}')], "请过 30 秒再试"),
                ("waits", [wait, (404, b'{"problem":"NOT_FOUND_OR_MISMATCH"}')], "或票据还没有开出"),
                ("failed", [(503, b'{"problem":"ISSUER_UNAVAILABLE"}')], "现在查不到"),
                ("no-portal", [(404, b"<html>")], "现在查不到"),
                ("strange", [(422, b'{"problem":"GIVE_MORE","fields":["__proto__"]}')], "现在查不到"),
                ("more", [(422, b'{"problem":"GIVE_MORE","fields":["date","total"]}')], "请再填开票日期和金额"),
            ]:
                with self.subTest(name=name):
                    self.site.answers = list(answers)
                    self.ask(page)
                    self.said_there(page, words)
                    self.each_size(page, f"ask-{name}")
            self.assertEqual(page.evaluate("document.activeElement.id"), "ask-date")
            # Nobody has typed anything wrong there yet.
            self.assertEqual(page.locator("#ask-form :user-invalid").count(), 0)
            self.site.answers = [(404, b'{"problem":"NOT_FOUND_OR_MISMATCH"}')]
            self.ask(page, date="2026-11-02", total="¥1,234.50")
            self.said_there(page, "或票据还没有开出")
            self.assertEqual(json.loads(self.site.posted[-1][2]), {**SENT, "date": "2026-11-02", "total": "1234.50"})
            # What is typed stays, whatever the language.
            page.click("#language")
            self.assertEqual(page.locator("#ask > summary").inner_text(), "You paid and have no receipt? Fetch it by what was paid")
            self.assertEqual(page.locator("#ask-reference").input_value(), SENT["reference"])
            self.assert_accessible(page)

    def test_a_decision_is_paid_in_instalments(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.form(page)
            self.assertFalse(page.locator("#ask-instalment").is_visible())
            page.select_option("#ask-kind", "decision")
            self.each_size(page, "ask-decision")
            self.site.answers = [(404, b'{"problem":"NOT_FOUND_OR_MISMATCH"}')]
            # Paid at once, it has none.
            self.ask(page, reference="A-12")
            self.said_there(page, "或票据还没有开出")
            self.assertEqual(json.loads(self.site.posted[-1][2])["instalment"], "")
            self.ask(page, instalment="2", reference=" 浙杭罚（2026） 12 号")
            self.said_there(page, "或票据还没有开出")
            expected = {**SENT, "kind": "decision", "reference": "浙杭罚（2026） 12 号", "instalment": "2"}
            self.assertEqual(json.loads(self.site.posted[-1][2]), expected)

    def test_what_is_missing_or_misspelt_is_not_sent(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.form(page)
            for name, value in [("unit_code", "123"), ("reference", ""), ("last_four", "12"), ("last_four", "12 _4")]:
                with self.subTest(name=name, value=value):
                    self.ask(page, **{name: value})
                    self.assertEqual(page.evaluate("document.activeElement.name"), name)
            self.assertEqual(self.site.posted, [])

    def test_a_place_in_line_is_kept_and_something_else_can_be_asked_for_meanwhile(self):
        long = (202, b'{"ticket":"00ff","wait_ms":61000,"good_for_ms":600000}')
        none = (404, b'{"problem":"NOT_FOUND_OR_MISMATCH"}')
        with self.hosted_page() as visit:
            page = visit.page
            self.form(page)
            self.site.answers = [long]
            self.ask(page)
            self.said_there(page, "61 秒后自动再查")
            self.site.answers = [none]
            self.ask(page, reference="33010026000007654321")
            self.said_there(page, "或票据还没有开出")
            self.site.answers = [long]
            self.ask(page)
            self.said_there(page, "61 秒后自动再查")
            self.assertEqual([json.loads(body).get("ticket") for _, _, body in self.site.posted], [None, None, "00ff"])

    def test_a_page_on_a_disk_says_that_it_cannot_ask(self):
        with self.visit() as visit:
            self.form(visit.page)
            self.assertIn("本页不连网", visit.page.locator("#ask").inner_text())
            self.each_size(visit.page, "ask-offline")
            self.assertEqual(visit.requests, [self.one_file])
            self.assertEqual(visit.problems(), [])


class AsFiles(HolderTest):
    """What was fetched is had as any kind of file, under an address of the site."""

    def fetched(self, page, by_entries=False):
        (PAGE / "hosted" / "receipt").write_bytes(file_of("in-force").read_bytes())
        self.addCleanup((PAGE / "hosted" / "receipt").unlink, missing_ok=True)
        self.site.answers = [(200, b'{"state":"SEALED","download":{"address":"receipt"}}')]
        if by_entries:
            page.click("#typed > summary")
            for name, value in ENTRIES.items():
                page.fill(f"#{name}", value)
            page.click("#elements button")
        else:
            self.open_list(page)
            page.click("#ask > summary")
            for name, value in {**REFERENCE, "unit_code": UNIT_CODE}.items():
                page.fill(f"#ask-{name}", value)
            page.click("#ask-form button")
        page.wait_for_selector(".first[data-code=IN_FORCE]")
        drawn(page)

    def offered(self, token, name, data, pages=0):
        self.site.downloads[f"/download/{token}"] = (name, data)
        download = {"address": f"download/{token}", "file_name": name, "media_type": "x/y", "bytes": len(data), "good_for_ms": 120_000}
        self.site.answers = [(200, json.dumps({"download": download, "page_count": pages, "snapshot_height": 1}).encode())]

    def sent(self):
        return [(path, json.loads(body)) for path, _, body in self.site.posted]

    def test_in_every_browser_it_is_taken_away_in_every_format(self):
        for options in ({}, {"user_agent": WECHAT}):
            for by_entries, address, sent in [(False, "/fetch-by-reference", {**SENT, "unit_code": UNIT_CODE}), (True, "/fetch", ENTRIES)]:
                with self.subTest(options=options, address=address), self.hosted_page(accept_downloads=True, **options) as visit:
                    page = visit.page
                    self.fetched(page, by_entries)
                    page.click("[data-part=files]")
                    page.wait_for_selector("#files")
                    self.assertEqual(page.evaluate("document.activeElement.id"), "files-title")
                    for format in ("pdf", "ofd", "png", "xml", "bundle"):
                        self.site.posted.clear()
                        # As a portal names it.
                        name = f"99060126-0000000001.{'tally' if format == 'bundle' else format}"
                        self.offered(f"00{format}", name, format.encode() * 700)
                        page.click(f"#files-{format}")
                        page.wait_for_selector(f"#files-link >> text={name}")
                        self.assertEqual(page.evaluate("document.activeElement.id"), "files-link")
                        with page.expect_download() as waiting:
                            page.keyboard.press("Enter")
                        self.assertEqual(waiting.value.suggested_filename, name)
                        self.assertEqual(pathlib.Path(waiting.value.path()).read_bytes(), format.encode() * 700)
                        expected = {**sent, "format": format, **({"page": "1"} if format == "png" else {})}
                        self.assertEqual(self.sent(), [(address, expected)])
                    self.assertIn("2 分钟内有效", page.locator("#files-note").inner_text())
                    self.assertEqual("长按链接复制" in page.locator("#files").inner_text(), bool(options))
                    self.each_size(page, "files-wechat" if options else "files", "#files-note")
                    self.assert_prints(page)
                    # The receipt stands there still, in either language, and the list with it.
                    page.click("#language")
                    self.assertIn("Download 99060126-0000000001.tally", page.locator("#files-link").inner_text())
                    self.assertEqual(page.locator(".first").get_attribute("data-code"), "IN_FORCE")
                    self.assertFalse([url for url in visit.requests if "001X" in url or ENTRIES["check_code"] in url])
                    self.assertEqual(visit.problems(), [])

    def test_of_a_picture_every_page_is_had(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.fetched(page)
            page.click("[data-part=files]")
            self.assertEqual(page.locator("#files-png").inner_text(), "图片（PNG）")
            for number, following in [(1, 2), (2, 3), (3, 1)]:
                self.offered(f"page{number}", f"99060126-0000000001.{number}.png", b"x", pages=3)
                page.click("#files-png")
                page.wait_for_selector(f"#files-note >> text=/第 {number} 页.*2 分钟内有效，最多用两次/")
                self.assertEqual(page.locator("#files-png").inner_text(), f"取图片第 {following} 页（共 3 页）")
                # Nobody is sent for a page that there is not.
                self.assertEqual("取下一页" in page.locator("#files-note").inner_text(), number < 3)
                self.assertEqual(self.sent()[-1][1]["page"], str(number))
            self.each_size(page, "files-pages", "#files-note")

    def test_what_it_says_instead_is_said_in_plain_words(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.fetched(page)
            page.click("[data-part=files]")
            for status, answer, words in [
                (406, b'{"problem":"NO_DOCUMENT"}', "请选别的一种"),
                (429, b'{"problem":"RATE_LIMITED","retry_after_ms":29001}', "请过 30 秒再试"),
                (503, b'{"problem":"ISSUER_UNAVAILABLE"}', "现在查不到"),
                (422, b'{"problem":"GIVE_MORE","fields":["date","total"]}', "请再填开票日期和金额"),
                (200, b'{"download":{"address":"https://elsewhere.example/x","file_name":"x"}}', "现在查不到"),
                (200, b'{"download":{"address":"download/../fetch","file_name":"x"}}', "现在查不到"),
                (202, b'{"ticket":"00ff","wait_ms":61000,"good_for_ms":600000}', "61 秒后自动再查"),
            ]:
                with self.subTest(words=words, status=status):
                    self.site.answers = [(status, answer)]
                    page.click("#files-pdf")
                    page.wait_for_selector(f"#files-note >> text={words}")
                    self.assertEqual(page.locator("#files-link").count(), 0)
            # Of another receipt nothing of it is left, and what was not fetched cannot be had so.
            self.choose(page, "reversed")
            self.assertEqual(page.locator("#files, [data-part=files]").count(), 0)

    def test_refreshed_it_is_the_same_receipt(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.fetched(page)
            page.click("[data-part=files]")
            self.answer("in-force")
            page.click("#refresh")
            page.wait_for_selector("#note >> text=状态已刷新")
            self.assertTrue(page.locator("#files").is_visible())
            page.click("[data-part=files]")
            self.assertEqual(page.locator("#files").count(), 0)
            self.assertEqual(visit.problems(), [])


class SecondScript(HolderTest):
    def test_it_is_fetched_when_it_is_asked_for_and_once(self):
        with self.hosted_page() as visit:
            page = visit.page
            self.keep(page, "in-force")
            self.open_list(page, "IN_FORCE")
            names = [url.rsplit("/", 1)[1] for url in visit.requests]
            fetched = [name for name in names if name.endswith(".js")]
            self.assertEqual(fetched, [next((PAGE / "hosted").glob("more-*.js")).name])
            self.assertEqual(visit.problems(), [])

    def test_of_another_hash_it_does_not_run(self):
        visit = self.visit(self.hosted + "index.html")
        script = next((PAGE / "hosted").glob("more-*.js")).read_bytes()
        visit.page.route("**/more-*.js", lambda route: route.fulfill(body=script + b"window.ran = true;\n", content_type="text/javascript"))
        with visit:
            page = visit.page
            self.choose(page, "in-force")
            page.click("[data-part=keep]")
            page.wait_for_selector("#extra [role=status] >> text=这项功能没有取到")
            self.each_size(page, "part-missing")
            self.assertIsNone(page.evaluate("window.ran || null"))
            # Asked for again, it comes.
            page.unroute("**/more-*.js")
            page.click("[data-part=keep]")
            page.wait_for_selector("#extra [role=status] >> text=已留在本机浏览器")

    def test_no_other_text_runs_even_if_it_comes_this_far(self):
        """As if whoever serves the file had broken its integrity as well."""
        with self.visit() as visit:
            page = visit.page
            page.evaluate("() => { document.getElementById('more').firstChild.data += 'window.ran = true;'; }")
            page.click("#kept-open")
            page.wait_for_selector("#choose [role=status] >> text=这项功能没有取到")
            self.assertIsNone(page.evaluate("window.ran || null"))
            self.assertTrue(any("script-src" in violation for violation in page.evaluate("window.violations")))
            # The page's own text runs the next time.
            page.evaluate(
                """() => {
                  const text = document.getElementById('more').firstChild;
                  text.data = text.data.replace('window.ran = true;', '');
                }"""
            )
            self.open_list(page)


if __name__ == "__main__":
    unittest.main()
