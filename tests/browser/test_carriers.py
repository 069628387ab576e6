"""Documents, pictures and the camera: what carries a receipt besides its own file. PAGE: the folder that `tallystick-page` wrote; STATES:
files, and what the library says of the receipt in them. With SCREENSHOTS, a folder, a picture of each state is left there."""

import base64
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import zipfile

import pikepdf
from PIL import Image
from harness import drawn, program, served
from test_page import SCREENSHOTS, SIZES, WECHAT, PageTest, Visit

CARRIERS = pathlib.Path(os.environ["STATES"])
DESCRIBED = json.loads((CARRIERS / "carriers.json").read_text())
PDF, OFD = CARRIERS / "s01.pdf", CARRIERS / "s01.ofd"
MEGABYTE = 2**20
TRUST_THIS = "以本页的票面为准"
# Something is said, and it is not that something is under way.
SAID = """() => {
  const word = document.getElementById('word');
  return word && !/正在核验|Verifying/.test(word.textContent);
}"""
# A page that has the site's modules and the carrier, and nothing of its own.
BARE = """<!doctype html>
<script id="carrier" type="text/plain" data-address="carrier.wasm" data-integrity="sha256-{hash}"></script>
"""


def saved(change=None, path=PDF, **options):
    """A PDF as another program saves it."""
    with pikepdf.open(path) as document:
        if change:
            change(document)
        out = io.BytesIO()
        document.save(out, **options)
        return out.getvalue()


def attach(document, name, data, media_type="application/octet-stream"):
    document.attachments[name] = pikepdf.AttachedFileSpec(document, data, filename=name, mime_type=media_type)


def without_attachments(document):
    for name in list(document.attachments):
        del document.attachments[name]
    if "/AF" in document.Root:
        del document.Root.AF


def repainted(document):
    """What a forger does: the attachment stays, the page says something else."""
    page = document.pages[0]
    page.Contents = document.make_stream(b"BT /F0 40 Tf 60 200 Td (PAID 9,999,999.00) Tj ET")
    page.Resources = pikepdf.Dictionary(
        Font=pikepdf.Dictionary(F0=pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica))
    )


def archive(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in files:
            target.writestr(name, data)
    return out.getvalue()


def ofd_with(change):
    with zipfile.ZipFile(OFD) as source:
        return archive(change([(name, source.read(name)) for name in source.namelist()]))


class CarrierTest(PageTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bundle = (CARRIERS / "s01.tally").read_bytes()

    def visit(self, address=None, **options):
        return Visit(self.browser, address or self.one_file, DESCRIBED["at_ms"], **options)

    def wait_for_word(self, page):
        page.wait_for_function(SAID)
        drawn(page)

    def give(self, page, name, data):
        """Chooses a file of bytes, or one on disk, and waits for what is said of it."""
        payload = data if isinstance(data, pathlib.Path) else {"name": name, "mimeType": "", "buffer": data}
        page.evaluate("() => document.getElementById('word') && document.getElementById('word').remove()")
        page.set_input_files("#file", payload)
        self.wait_for_word(page)

    def assert_judged(self, page, warned=True):
        first = page.locator("#first")
        verdict = DESCRIBED["verdict"]
        self.assertEqual(page.locator(".first").get_attribute("data-code"), verdict["conclusion"]["code"], first.inner_text())
        self.assertEqual(first.locator(".sentence").inner_text(), verdict["conclusion"]["sentence"]["zh"])
        shown = page.locator("#rest").inner_text()
        for row in verdict["compare"]:
            self.assertIn(row["value"], shown)
        self.assertEqual(page.locator("section.face").count(), 1)
        self.assertEqual(TRUST_THIS in shown, warned)

    def assert_scanned(self, page, expected="scanned"):
        """The code was judged as the library judges it: what it comes to, and what must be the same on the paper."""
        verdict = DESCRIBED[expected]
        conclusion = verdict["conclusion"]
        first = page.locator(".first")
        self.assertEqual(first.get_attribute("data-code"), conclusion["code"], first.inner_text())
        self.assertEqual(first.get_attribute("class"), f"first tone-{conclusion['tone']}")
        self.assertEqual(first.locator(".sentence").inner_text(), conclusion["sentence"]["zh"])
        shown = page.locator("section.compare.large dd").all_inner_texts()
        self.assertEqual(shown, [row["value"] for row in verdict.get("compare", [])])

    def assert_said(self, page, *words):
        said = page.locator("#word.message").inner_text()
        for word in words:
            self.assertIn(word, said)
        self.assertEqual(page.locator(".first").count(), 0)

    def picture(self, page, name):
        if SCREENSHOTS:
            for width, height in SIZES:
                page.set_viewport_size({"width": width, "height": height})
                # What is said comes into view when it is said: in a window of this size.
                page.evaluate("() => document.querySelector('#camera:not([hidden]), #word').scrollIntoView({ block: 'nearest' })")
                page.screenshot(path=pathlib.Path(SCREENSHOTS) / f"{name}-{width}.png")

    def pictures(self, page):
        """The receipt's picture as messengers send it, made by the browser."""
        source = (CARRIERS / "s01.png").read_bytes()
        made = {"s01.png": source}
        for kind, quality, scale in [("jpeg", 0.6, 0.9), ("jpeg", 0.5, 3), ("webp", 0.6, 1)]:
            data = page.evaluate(
                """async ([bytes, kind, quality, scale]) => {
                  const image = await createImageBitmap(new Blob([Uint8Array.from(bytes)]));
                  const canvas = new OffscreenCanvas(image.width * scale, image.height * scale);
                  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
                  const blob = await canvas.convertToBlob({ type: `image/${kind}`, quality });
                  return Array.from(new Uint8Array(await blob.arrayBuffer()));
                }""",
                [list(source), kind, quality, scale],
            )
            made[f"{scale}.{kind}"] = bytes(data)
        return made


def on_its_side():
    """A large photo that lies on its side in the file, and says that it is to be turned, as phones write them."""
    with Image.open(CARRIERS / "s01.png") as picture:
        wide = picture.convert("RGB").resize((picture.width * 2, picture.height * 2))
        exif = Image.Exif()
        exif[0x0112] = 6
        made = io.BytesIO()
        wide.rotate(90, expand=True).save(made, "JPEG", quality=90, exif=exif)
        return made.getvalue()


def box(name, data):
    return (len(data) + 8).to_bytes(4, "big") + name + data


def avif(*sizes):
    """The beginning of a phone's picture that says these sizes (ISO/IEC 23008-12), and has no content."""
    said = b"".join(box(b"ispe", bytes(4) + width.to_bytes(4, "big") + height.to_bytes(4, "big")) for width, height in sizes)
    properties = box(b"iprp", box(b"ipco", said + box(b"pixi", bytes(8))) + box(b"ipma", bytes(9)))
    return box(b"ftyp", b"avif" + bytes(4) + b"mif1") + box(b"meta", bytes(4) + box(b"hdlr", bytes(25)) + properties) + box(b"mdat", bytes(64))


def as_avif():
    """The receipt's picture as phones write it."""
    with Image.open(CARRIERS / "s01.png") as picture:
        made = io.BytesIO()
        picture.convert("RGB").save(made, "AVIF", quality=80)
        return made.getvalue()


class Documents(CarrierTest):
    def test_a_document_is_judged_as_its_bundle(self):
        for shape, address in self.shapes():
            with self.subTest(shape=shape), self.visit(address) as visit:
                page = visit.page
                self.give(page, "s01.tally", CARRIERS / "s01.tally")
                self.assert_judged(page, warned=False)
                for path in (PDF, OFD):
                    self.give(page, path.name, path)
                    self.assert_judged(page)
                    page.click("#language")
                    self.assertIn("Trust this drawing", page.locator("#rest").inner_text())
                    page.click("#language")
                    self.picture(page, f"document-{path.suffix[1:]}")
                self.assert_accessible(page)
                self.assert_fits(page)
                self.assertEqual(visit.problems(), [])

    def test_a_repainted_document_shows_the_genuine_receipt(self):
        forged = saved(repainted)
        with self.visit() as visit:
            self.give(visit.page, "forged.pdf", forged)
            self.assert_judged(visit.page)
            self.assertNotIn("9,999,999", visit.page.locator("main").inner_text())
            self.assertEqual(visit.problems(), [])

    def test_documents_that_others_have_saved_are_judged(self):
        modes = pikepdf.ObjectStreamMode
        original = PDF.read_bytes()
        versions = {
            "saved by qpdf": saved(),
            "with streams of objects": saved(object_stream_mode=modes.generate),
            "without": saved(object_stream_mode=modes.disable, compress_streams=False),
            "uncompressed": saved(stream_decode_level=pikepdf.StreamDecodeLevel.all, compress_streams=False),
            "linearised": saved(linearize=True),
            "united by poppler": self.united(),
            "attached by another name": saved(lambda document: self.renamed(document)),
            "with another attachment": saved(lambda document: attach(document, "einvoice.xml", b"<E/>", "text/xml")),
            "with the same twice": saved(lambda document: attach(document, "copy.tally", self.bundle)),
            "with bytes in front and behind": b"From: x\r\n\r\n" + original + b"\r\n-- \r\n",
            "with other addresses": original.replace(b"startxref", b"startxref\n7"),
        }
        with self.visit() as visit:
            for name, data in versions.items():
                with self.subTest(version=name):
                    self.give(visit.page, "s01.pdf", data)
                    self.assert_judged(visit.page)
            self.assertEqual(visit.problems(), [])

    def renamed(self, document):
        without_attachments(document)
        attach(document, "attachment.bin", self.bundle, "application/vnd.tallystick.bundle+json")

    def test_why_a_pdf_cannot_be_judged_is_said(self):
        other = (CARRIERS / "s02.tally").read_bytes()
        nested = saved(lambda document: (without_attachments(document), attach(document, "inner.pdf", PDF.read_bytes())))
        cases = {
            "gone": (saved(without_attachments), ["没有附带凭证", "索取原文件", "查验网站"]),
            "merged": (self.merged(), ["没有附带凭证"]),
            "printed": (self.printed(), ["没有附带凭证"]),
            "no-bundle": (nested, ["附件", "单独"]),
            "several": (saved(lambda document: attach(document, "other.tally", other)), ["不止一份"]),
            # Saved without encryption by another program, it has no attachment any more.
            "encrypted": (saved(encryption=pikepdf.Encryption(owner="o", user="")), ["加密", "把附件（.tally）存出来"]),
            "damaged": (PDF.read_bytes()[:2000], ["损坏"]),
            "bomb": (self.bomb(), ["太大"]),
        }
        with self.visit() as visit:
            page = visit.page
            for name, (data, words) in cases.items():
                with self.subTest(case=name):
                    self.give(page, f"{name}.pdf", data)
                    self.assert_said(page, *words)
                    if name in ("gone", "several", "encrypted"):
                        self.picture(page, f"document-{name}")
                    self.assert_fits(page)
            self.assert_accessible(page)
            # Nothing of it is left when something else is judged.
            self.give(page, "s01.tally", CARRIERS / "s01.tally")
            self.assert_judged(page, warned=False)
            self.assertEqual(visit.problems(), [])

    def merged(self):
        """Pages of several documents in a new one."""
        merged, out = pikepdf.Pdf.new(), io.BytesIO()
        with pikepdf.open(PDF) as document:
            merged.pages.extend(document.pages)
            merged.save(out)
        return out.getvalue()

    def united(self):
        """The same by poppler, which takes the first document's attachments along."""
        out = CARRIERS / "united.pdf"
        subprocess.run(["pdfunite", PDF, PDF, out], check=True, capture_output=True)
        return out.read_bytes()

    def printed(self):
        out = CARRIERS / "printed.pdf"
        subprocess.run(["pdftocairo", "-pdf", PDF, out], check=True, capture_output=True)
        return out.read_bytes()

    def bomb(self):
        return saved(lambda document: (without_attachments(document), attach(document, "bomb.tally", b"\0" * (200 * MEGABYTE))))

    def test_why_an_archive_cannot_be_judged_is_said(self):
        other = (CARRIERS / "s02.tally").read_bytes()

        def entity(files):
            declared = b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>"
            return [(name, declared + data if name.endswith("Attachments.xml") else data) for name, data in files]

        def leading_out(files):
            return [(name, data.replace(b"FileLoc>bundle", b"FileLoc>../../../bundle")) for name, data in files]

        cases = {
            "gone": (ofd_with(lambda files: [one for one in files if "Attachs" not in one[0]]), ["没有附带凭证"]),
            "several": (ofd_with(lambda files: files + [("Doc_0/Attachs/other.tally", other)]), ["不止一份"]),
            "entity": (ofd_with(entity), ["损坏"]),
            "path": (ofd_with(leading_out), ["损坏"]),
            "bomb": (archive([("bundle.tally", b"\0" * (200 * MEGABYTE))]), ["太大"]),
            "other": (archive([("word/document.xml", b"<w/>")]), ["压缩包"]),
            "cut": (OFD.read_bytes()[:-200], ["损坏"]),
        }
        with self.visit() as visit:
            for name, (data, words) in cases.items():
                with self.subTest(case=name):
                    self.give(visit.page, f"{name}.ofd", data)
                    self.assert_said(visit.page, *words)
            self.assertEqual(visit.problems(), [])

    def test_a_document_of_a_hundred_megabytes_is_refused_in_words(self):
        for start in (b"%PDF-1.7\n", b"PK\x03\x04"):
            path = CARRIERS / "large.bin"
            with open(path, "wb") as file:
                file.write(start)
                file.truncate(100 * MEGABYTE)
            with self.subTest(start=start), self.visit() as visit:
                self.give(visit.page, path.name, path)
                self.assert_said(visit.page, "太大", "32")
                self.assertEqual(visit.problems(), [])
            path.unlink()

    def test_without_a_network_a_page_from_a_server_says_what_is_missing(self):
        for (shape, address), judges in zip(self.shapes(), (False, True)):
            with self.subTest(shape=shape), self.visit(address) as visit:
                page = visit.page
                visit.context.set_offline(True)
                self.give(page, "s01.tally", CARRIERS / "s01.tally")
                self.assert_judged(page, warned=False)
                self.give(page, "s01.pdf", PDF)
                if judges:
                    self.assert_judged(page)
                    self.assertEqual(visit.problems(), [])
                else:
                    self.assert_said(page, "断网时请用本页的单文件版")
                    self.picture(page, "offline-document")

    def test_a_module_that_cannot_be_fetched_is_said_and_asked_for_again(self):
        with self.visit(self.hosted + "index.html") as visit:
            page = visit.page
            fetched = [url for url in visit.requests if "carrier-" in url]
            self.assertEqual(fetched, [], "it is not fetched before it is needed")
            page.route("**/carrier-*.wasm", lambda route: route.abort())
            self.give(page, "s01.pdf", PDF)
            self.assert_said(page, "网络")
            page.unroute("**/carrier-*.wasm")
            visit.errors.clear()
            self.give(page, "s01.pdf", PDF)
            self.assert_judged(page)
            self.assertEqual(visit.problems(), [])


class Pictures(CarrierTest):
    def test_the_code_in_a_picture_is_read(self):
        for shape, address in self.shapes():
            with self.subTest(shape=shape), self.visit(address) as visit:
                page = visit.page
                for name, data in [*self.pictures(page).items(), ("s01.avif", as_avif())]:
                    with self.subTest(picture=name):
                        self.give(page, name, data)
                        self.assert_scanned(page)
                self.picture(page, "picture-judged")
                self.assertEqual(visit.problems(), [])

    def test_why_a_picture_cannot_be_judged_is_said(self):
        cases = {
            "blank.gif": (b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;", ["没有找到二维码"]),
            "broken.png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01" + b"\0" * 40, ["打不开"]),
            "huge.png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (30000).to_bytes(4, "big") * 2 + b"\0" * 40, ["太大", "90000 万"]),
            # A stray byte between two segments, over which decoders pass.
            # A phone's picture: of its sizes the greatest counts. One that has none is not opened.
            "huge.avif": (avif((160, 120), (20000, 10000), (512, 512)), ["太大", "20000 万"]),
            "sizeless.avif": (avif(), ["打不开"]),
            "endless.heic": (b"\0\0\0\x18ftypheic" + b"\0\0\0\0meta" * 20, ["打不开"]),
            "huge.jpg": (b"\xff\xd8\xff\xe0\0\x04ab\0\xff\xc0\0\x11\x08" + (40000).to_bytes(2, "big") * 2 + b"\0" * 40, ["太大", "160000 万"]),
        }
        with self.visit() as visit:
            for name, (data, words) in cases.items():
                with self.subTest(case=name):
                    self.give(visit.page, name, data)
                    self.assert_said(visit.page, *words)
                    self.assert_fits(visit.page)
            self.picture(visit.page, "picture-refused")
            self.assertEqual(visit.problems(), [])

    def test_a_picture_of_a_hundred_megapixels_is_opened_smaller(self):
        with self.visit() as visit:
            page = visit.page
            data = page.evaluate(
                """async (bytes) => {
                  const image = await createImageBitmap(new Blob([Uint8Array.from(bytes)]));
                  const canvas = new OffscreenCanvas(12000, 8400);
                  const context = canvas.getContext('2d');
                  context.imageSmoothingEnabled = false;
                  context.drawImage(image, 0, 0, 12000, 8400);
                  const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.5 });
                  const text = new Uint8Array(await blob.arrayBuffer());
                  return Array.from(text);
                }""",
                list((CARRIERS / "s01.png").read_bytes()),
            )
            opened = """() => {
              window.sizes = [];
              const real = window.createImageBitmap;
              window.createImageBitmap = async (...given) => {
                const image = await real.apply(window, given);
                window.sizes.push(image.width * image.height);
                return image;
              };
            }"""
            page.evaluate(opened)
            self.give(page, "large.jpg", bytes(data))
            self.assert_scanned(page)
            self.assertLess(max(page.evaluate("window.sizes")), 10_000_000)
            # A browser that cannot do that refuses.
            page.reload()
            page.evaluate(
                "() => { const real = window.createImageBitmap; window.createImageBitmap = (source) => real.call(window, source); }"
            )
            self.give(page, "large.jpg", bytes(data))
            self.assert_said(page, "太大", "10080 万")


class SlowPhones(CarrierTest):
    """A sixth of this machine's speed: all comes to the same, and the page answers meanwhile."""

    def slow(self, visit):
        visit.context.new_cdp_session(visit.page).send("Emulation.setCPUThrottlingRate", {"rate": 6})
        visit.page.set_default_timeout(60_000)

    def assert_answers(self, page):
        """In the language that was chosen while something was judged."""
        for language, words in [("English", "Verify a receipt"), ("中文", "核验电子票据")]:
            page.click(f"#language >> text={language}")
            self.assertEqual(page.locator("h1").inner_text(), words)

    def test_files_are_judged_and_the_page_answers_meanwhile(self):
        for shape, address in self.shapes():
            with self.subTest(shape=shape), self.visit(address) as visit:
                page = visit.page
                self.slow(visit)
                page.reload()
                for path, warned in [(CARRIERS / "s01.tally", False), (PDF, True), (OFD, True)]:
                    page.evaluate("() => document.getElementById('word') && document.getElementById('word').remove()")
                    page.set_input_files("#file", path)
                    self.assert_answers(page)
                    self.wait_for_word(page)
                    self.assert_judged(page, warned)
                self.give(page, "s01.png", CARRIERS / "s01.png")
                self.assert_scanned(page)
                self.assertEqual(visit.problems(), [])


class Sources(CarrierTest):
    """The site's own modules, asked for what they read."""

    READ = """async (bytes) => {
      const { readCode } = await import('/site/picture.js');
      return readCode(await createImageBitmap(new Blob([Uint8Array.from(bytes)])));
    }"""
    CHOSEN = """async (given) => {
      const { codeOfPicture } = await import('/site/picture.js');
      const bytes = Uint8Array.from(given);
      const { text, word } = await codeOfPicture(new Blob([bytes]), bytes);
      return [word || null, text];
    }"""
    OPEN = """async (bytes) => {
      const { attached } = await import('/site/open.js');
      const { kind, why, bundle } = await attached(Uint8Array.from(bytes));
      return [kind, why, bundle && new TextDecoder().decode(bundle)];
    }"""
    TIMED = """async () => {
      const { codesIn } = await import('/site/carrier.js');
      const grey = new Uint8Array(1280 * 720).map((_, at) => 225 - (at % 1280 > 640 ? 3 : 0));
      const times = [];
      for (let run = 0; run < 60; run++) {
        const start = performance.now();
        await codesIn(grey, 1280, 720);
        times.push(performance.now() - start);
      }
      return times.slice(10).sort((a, b) => a - b)[25];
    }"""

    def test_what_is_read_is_what_was_written(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            shutil.copytree(os.environ["SITE"], folder / "site")
            shutil.copy(os.environ["CARRIER"], folder / "carrier.wasm")
            digest = base64.b64encode(hashlib.sha256((folder / "carrier.wasm").read_bytes()).digest()).decode()
            (folder / "index.html").write_text(BARE.format(hash=digest))
            address = self.enterContext(served(folder))
            page = self.browser.new_page()
            page.goto(address)
            self.assertEqual(page.evaluate(self.READ, list((CARRIERS / "s01.png").read_bytes())), DESCRIBED["text"])
            for name, data in [*self.pictures(page).items(), ("on its side.jpeg", on_its_side())]:
                with self.subTest(picture=name):
                    self.assertEqual(page.evaluate(self.CHOSEN, list(data)), [None, DESCRIBED["text"]])
            for path, kind in [(PDF, "pdf"), (OFD, "ofd")]:
                told = page.evaluate(self.OPEN, list(path.read_bytes()))
                self.assertEqual(told, [kind, None, self.bundle.decode()])
            self.assertEqual(page.evaluate(self.OPEN, list(b"GIF89a")), ["other", "OTHER", None])
            print(f"a frame of 1280 x 720 without a code: {page.evaluate(self.TIMED):.1f} ms in the browser")
            page.close()


class Camera(CarrierTest):
    """Chromium with a film for a camera; a browser for each film."""

    def filmed(self, film, **options):
        arguments = [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={CARRIERS / film}",
        ]
        started = self.browser.browser_type.launch(executable_path=program(), chromium_sandbox=False, args=arguments)
        self.addCleanup(started.close)
        return Visit(started, options.pop("address", self.hosted + "index.html"), DESCRIBED["at_ms"], **options)

    def off(self, page):
        return page.evaluate("() => document.getElementById('video').srcObject === null")

    def test_what_the_camera_sees_is_read(self):
        for shape, address in self.shapes():
            with self.subTest(shape=shape), self.filmed("code.y4m", address=address) as visit:
                page = visit.page
                page.click("#scan")
                self.wait_for_word(page)
                self.assert_scanned(page)
                self.assertTrue(self.off(page))
                self.assertFalse(page.locator("#camera").is_visible())
                self.picture(page, "camera-judged")
                self.assertEqual(visit.problems(), [])

    def test_on_a_slow_phone_too(self):
        with self.filmed("code.y4m") as visit:
            page = visit.page
            visit.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 6})
            page.set_default_timeout(60_000)
            page.click("#scan")
            page.wait_for_selector("#camera-stop", state="visible")
            page.click("#language")
            self.assertEqual(page.locator("h1").inner_text(), "Verify a receipt")
            page.click("#language")
            self.wait_for_word(page)
            self.assert_scanned(page)
            self.assertEqual(visit.problems(), [])

    def test_a_code_that_leads_elsewhere_is_not_opened(self):
        with self.filmed("elsewhere.y4m") as visit:
            page = visit.page
            page.click("#scan")
            self.wait_for_word(page)
            self.assertEqual(DESCRIBED["elsewhere"]["conclusion"]["code"], "CODE_ELSEWHERE")
            self.assert_scanned(page, "elsewhere")
            self.assertRegex(page.locator(".first .sentence").inner_text(), "^二维码指向 HTTPS://[A-Z.-]*TALLY-EXAMPLE.CN，")
            self.assertEqual([page.locator("#rest a").count(), page.locator("section.compare").count()], [0, 0])
            self.assertEqual(page.url, self.hosted + "index.html")
            self.assertEqual(len(visit.context.pages), 1)
            self.picture(page, "camera-elsewhere")
            self.assertEqual(visit.problems(), [])

    def test_it_looks_until_it_is_stopped(self):
        with self.filmed("nothing.y4m") as visit:
            page = visit.page
            page.click("#scan")
            page.wait_for_selector("#video", state="visible")
            self.assertIn("二维码", page.locator("#camera-says").inner_text())
            self.picture(page, "camera-looking")
            page.wait_for_selector("#camera-says >> text=远一点")
            self.assert_accessible(page)
            self.assert_fits(page)
            page.click("#language")
            self.assertIn("farther", page.locator("#camera-says").inner_text())
            page.click("#language")
            page.click("#camera-stop")
            self.assertTrue(self.off(page))
            self.assertFalse(page.locator("#camera").is_visible())
            self.assertEqual(page.evaluate("document.activeElement.id"), "scan")
            # Nor does it go on when a file is judged instead, or the page is left.
            page.click("#scan")
            page.wait_for_selector("#video", state="visible")
            self.give(page, "s01.tally", CARRIERS / "s01.tally")
            self.assertTrue(self.off(page))
            page.click("#scan")
            page.wait_for_selector("#video", state="visible")
            page.evaluate("() => window.dispatchEvent(new Event('pagehide'))")
            self.assertTrue(self.off(page))
            self.assertEqual(visit.problems(), [])

    def test_a_camera_that_is_refused_or_absent_is_said(self):
        refuse = "Object.defineProperty(navigator.mediaDevices, 'getUserMedia', {{ value: async () => {{ throw new DOMException('', '{}'); }} }});"
        wechat = {"user_agent": WECHAT}
        cases = [
            ("refused", refuse.format("NotAllowedError"), {}, "允许"),
            ("none", refuse.format("NotFoundError"), {}, "没有找到摄像头"),
            ("busy", refuse.format("NotReadableError"), {}, "占用"),
            ("unknown", refuse.format("AbortError"), {}, "打不开摄像头"),
            ("wechat", refuse.format("NotAllowedError"), wechat, "在浏览器打开"),
            ("insecure", "Object.defineProperty(navigator, 'mediaDevices', { value: undefined }); Object.defineProperty(window, 'isSecureContext', { value: false });", {}, "相机"),
        ]
        for name, script, options, words in cases:
            visit = self.visit(self.hosted + "index.html", **options)
            visit.context.add_init_script(script)
            with self.subTest(case=name), visit:
                page = visit.page
                page.click("#scan")
                page.wait_for_selector("#photo-part", state="visible")
                self.assertIn(words, page.locator("#camera-says").inner_text())
                self.assertFalse(page.locator("#video").is_visible())
                self.assertTrue(page.locator("#photo-part").evaluate("(part) => part.getBoundingClientRect().bottom <= innerHeight"))
                self.picture(page, f"camera-{name}")
                self.assert_accessible(page)
                self.assert_fits(page)
                # A picture that the phone's own camera takes does as well.
                page.set_input_files("#photo", CARRIERS / "s01.png")
                self.wait_for_word(page)
                self.assert_scanned(page)
                self.assertEqual(visit.problems(), [])


if __name__ == "__main__":
    unittest.main()
