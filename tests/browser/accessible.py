"""What holds on any page of this site, whoever looks at it: axe finds nothing, nothing is cut off, every target can be hit, focus is seen."""

from axe_playwright_python.sync_playwright import Axe

AXE = Axe()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SIZES = [(360, 640), (1280, 800)]
# Smaller than a fingertip: everything that is clicked and seen. What stands in a line of text is excepted (WCAG 2.5.8).
SMALL_TARGETS = """() => Array.from(document.querySelectorAll('button, select, summary, label, input, a'))
  .filter((element) => element.checkVisibility() && element.type !== 'hidden')
  .map((element) => [element.outerHTML.slice(0, 80), element.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24)
  .map(([html]) => html)
  .filter((html) => !html.startsWith('<label') || html.startsWith('<label for="file"'))"""
OVERFLOW = """() => {
  const room = document.documentElement.clientWidth;
  const wide = Array.from(document.querySelectorAll('body *')).filter((element) =>
    element.getBoundingClientRect().right > room + 1 && element.checkVisibility());
  return [document.scrollingElement.scrollWidth - room, wide.map((element) => element.outerHTML.slice(0, 80))];
}"""
STOPS = """() => Array.from(document.querySelectorAll('a, button, select, textarea, summary, input'))
  .filter((element) => element.checkVisibility() && !element.disabled).length"""
# What has the focus, and how wide the line around it is.
FOCUSED = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  return [element.outerHTML.slice(0, 80), style.outlineStyle, parseFloat(style.outlineWidth)];
}"""


def assert_accessible(test, page):
    # Half a megabyte of script: once a page, not once a state. What axe found to be in order is not sent back.
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.axe_script)
    options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
    found = page.evaluate("(options) => axe.run(options)", options)
    problems = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]]
    test.assertEqual(problems, [])


def assert_fits(test, page):
    test.assertEqual(page.evaluate(OVERFLOW), [0, []])
    test.assertEqual(page.evaluate(SMALL_TARGETS), [])


def assert_fits_everywhere(test, page):
    """At each width, and with text of twice the size."""
    for width, height in [(320, 640)] + SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert_fits(test, page)
    for width in (640, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert_fits(test, page)
        page.evaluate("document.documentElement.style.fontSize = ''")
    page.set_viewport_size({"width": 360, "height": 640})


def assert_focus_is_seen(test, page):
    """Each stop of the keyboard in turn has a line around it."""
    ends = 0
    for _ in range(page.evaluate(STOPS)):
        page.keyboard.press("Tab")
        html, style, width = page.evaluate(FOCUSED)
        if html.startswith("<body"):
            # Behind the last stop a browser comes to its own controls, once, and begins anew.
            ends += 1
            test.assertEqual(ends, 1, "the focus is nowhere")
            continue
        test.assertTrue(style not in ("none", "") and width >= 2, (html, style, width))
