"""Opens a report in a real headless browser: it renders, nothing is logged, legends toggle, texts for the blind are there.

    pip install -r tests/browser/requirements.txt      (and Debian's chromium and chromium-driver)
    python tests/browser/check_report.py RUN/report.html [comparison.html …]
"""

import base64
import pathlib
import sys
import tempfile
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --window-size=1100,1400""".split()


def browser(profile, *, dark=False):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in [*FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    return driver


def wait_for(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.1)


def opened(driver, page):
    driver.get(page.resolve().as_uri())
    ready = "return document.documentElement.classList.contains('plots-alive')"
    wait_for(lambda: driver.execute_script(ready), "the interactive figures")


def quiet(driver):
    """No errors or warnings on the console, no request but for the page itself."""
    entries = [entry for entry in driver.get_log("browser") if entry["level"] != "INFO"]
    assert not entries, entries
    asked = [entry["message"] for entry in driver.get_log("performance") if '"Network.requestWillBeSent"' in entry["message"]]
    beyond = [message for message in asked if '"url":"http' in message]
    assert not beyond, beyond


def check(driver, page):
    opened(driver, page)
    assert driver.find_element(By.CSS_SELECTOR, "header .verdict").text.strip(), "a verdict opens the page"
    figures = driver.find_elements(By.TAG_NAME, "figure")
    assert figures, "there are figures"
    for figure in figures:
        name = figure.get_attribute("id")
        plot = figure.find_element(By.CSS_SELECTOR, ".interactive")
        assert plot.is_displayed() and plot.size["height"] > 200, f"{name} is drawn"
        assert len(plot.get_attribute("aria-label")) > 30, f"{name} has an alternative text"
        static = figure.find_element(By.CSS_SELECTOR, ".static")
        assert not static.is_displayed(), f"{name} is not shown twice"
        svg = static.find_element(By.TAG_NAME, "svg")
        for part in svg.get_attribute("aria-labelledby").split():
            label = driver.execute_script("return document.getElementById(arguments[0]).textContent", part)
            assert label.strip(), f"{name}: {part}"
        assert figure.find_element(By.TAG_NAME, "figcaption").text.strip(), f"{name} has a caption"
        assert figure.find_elements(By.CSS_SELECTOR, ".legend .traces"), f"{name} has a legend"
        toggles(driver, plot, name)
    ids = driver.execute_script("return [...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids)), "no identifier is used twice"
    quiet(driver)


def hidden(driver, plot):
    """The names of all traces that are switched off."""
    script = "return arguments[0]._fullData.filter((t) => t.visible === 'legendonly').map((t) => t.name)"
    return driver.execute_script(script, plot)


def toggles(driver, plot, figure):
    """A click on a name in the legend hides everything of that name, another one shows it again."""
    item = plot.find_element(By.CSS_SELECTOR, ".legend .traces")
    name = item.find_element(By.CSS_SELECTOR, ".legendtext").get_attribute("data-unformatted")
    same = "return arguments[0].data.filter((t) => t.name === arguments[1]).length"
    count = driver.execute_script(same, plot, name)
    assert count > 0 and not hidden(driver, plot)
    for expected in ([name] * count, []):
        toggle = plot.find_element(By.CSS_SELECTOR, ".legend .traces .legendtoggle")
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", toggle)
        webdriver.ActionChains(driver).move_to_element(toggle).click().perform()
        wait_for(lambda: hidden(driver, plot) == expected, f"{name} of {figure} to toggle", 20)
        time.sleep(0.6)  # Two clicks in quick succession are a double click.


def check_dark(driver, page):
    opened(driver, page)
    script = "return getComputedStyle(document.body).backgroundColor"
    red = int(driver.execute_script(script).split("(")[1].split(",")[0])
    assert red < 60, "the page is dark"
    script = "return document.querySelector('.interactive')._fullLayout.font.color"
    assert "232" in driver.execute_script(script), "and its plots are light on it"
    quiet(driver)


def check_print(driver, page):
    """Printed, the vector graphics take the place of the plots."""
    opened(driver, page)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    for figure in driver.find_elements(By.TAG_NAME, "figure"):
        assert figure.find_element(By.CSS_SELECTOR, ".static").is_displayed()
        assert not figure.find_element(By.CSS_SELECTOR, ".interactive").is_displayed()
    pdf = base64.b64decode(driver.print_page())
    assert pdf.startswith(b"%PDF") and len(pdf) > 20_000


def check_without_scripts(driver, page):
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    driver.get(page.resolve().as_uri())
    for figure in driver.find_elements(By.TAG_NAME, "figure"):
        assert figure.find_element(By.TAG_NAME, "svg").is_displayed(), "the vector graphic is there without scripts"


def main(pages):
    assert pages, __doc__
    for page in map(pathlib.Path, pages):
        for look, settings in [(check, {}), (check_dark, {"dark": True}), (check_print, {}), (check_without_scripts, {})]:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
                driver = browser(profile, **settings)
                try:
                    look(driver, page)
                finally:
                    driver.quit()
        print(f"{page}: renders, toggles, dark, prints, and without scripts")


if __name__ == "__main__":
    main(sys.argv[1:])
