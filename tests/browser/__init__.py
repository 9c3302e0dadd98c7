"""The web page and its modules in a real browser: Chromium, driven by Playwright."""
