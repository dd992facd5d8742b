// Drives the report in Chromium. Called by check.sh with the page, the JSON report of the same run and the browser.
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const { chromium } = require("playwright-core");

const [, , page, json, executablePath] = process.argv;
const report = JSON.parse(fs.readFileSync(json, "utf8"));
const count = (severity) => report.findings.filter((f) => f.severity === severity).length;
const checks = {
  async "shows every finding, without and with script"(tab) {
    assert.equal(await tab.locator("#list > details").count(), report.findings.length);
  },
  async "filters by text and says how many are left"(tab) {
    await tab.fill("#q", "generatetoken");
    await tab.waitForFunction(() => document.getElementById("shown").textContent.startsWith("1 of "));
    assert.equal(await tab.locator("#list > details:not([hidden])").count(), 1);
    await tab.fill("#q", "");
    await tab.waitForFunction(() => !document.querySelector("#list > details[hidden]"));
  },
  async "filters by severity"(tab) {
    await tab.uncheck("input[value=high]");
    assert.equal(await tab.locator("#list > details:not([hidden])").count(), report.findings.length - count("high"));
    await tab.check("input[value=high]");
  },
  async "sorts, and back"(tab) {
    const first = () => tab.locator("#list > details").first().getAttribute("id");
    await tab.selectOption("#sort", "last");
    const latest = report.findings.map((f) => f.last_seen).sort().at(-1);
    const id = (await first()).slice(2);
    assert.equal(report.findings.find((f) => f.id === id).last_seen, latest);
    await tab.selectOption("#sort", "rank");
    assert.equal(await first(), `f-${report.findings[0].id}`);
  },
  async "opens to evidence, remedy and a snippet that can be copied"(tab) {
    const finding = tab.locator("#list > details").first();
    await finding.locator("> summary").focus();
    await tab.keyboard.press("Enter");
    assert.ok(await finding.locator(".evidence mark").first().isVisible());
    const step = finding.locator(".steps > li:has(pre)").first();
    await step.locator("summary").click();
    await step.locator("button").click();
    await tab.waitForFunction(() => [...document.querySelectorAll(".copyable button")].some((b) => b.textContent === "Copied"));
    const copied = await tab.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, await step.locator("pre").textContent());
  },
  async "a link opens its finding"(tab) {
    const id = `f-${report.findings.at(-1).id}`;
    await tab.evaluate((hash) => { location.hash = hash; }, id);
    await tab.waitForFunction((i) => document.getElementById(i).open, id);
  },
  async "tables sort and say so"(tab) {
    await tab.locator("#sources > details > summary").click();
    await tab.locator("#sources th button").first().click();
    assert.equal(await tab.locator("#sources th").first().getAttribute("aria-sort"), "ascending");
  },
  async "nothing has to be scrolled to sideways in a narrow window"(tab) {
    const before = tab.viewportSize();
    await tab.setViewportSize({ width: 380, height: 800 });
    const wide = await tab.evaluate(() => [document.documentElement, ...document.querySelectorAll(".scroll")]
      .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.getAttribute("aria-label") ?? e.tagName));
    await tab.setViewportSize(before);
    assert.deepEqual(wide, []);
  },
  async "every control has a name"(tab) {
    const bare = await tab.evaluate(() => [...document.querySelectorAll("input, select, button")]
      .filter((e) => !(e.labels?.length || e.textContent.trim())).length);
    assert.equal(bare, 0);
  },
};

(async () => {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  let failed = 0;
  for (const script of [true, false]) {
    const context = await browser.newContext({ javaScriptEnabled: script });
    if (script) await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const tab = await context.newPage();
    const errors = [];
    const requests = [];
    tab.on("console", (m) => { if (["error", "warning"].includes(m.type())) errors.push(m.text()); });
    tab.on("pageerror", (e) => errors.push(String(e)));
    tab.on("dialog", (d) => { errors.push(`dialog: ${d.message()}`); d.dismiss(); });
    tab.on("request", (r) => requests.push(r.url()));
    await tab.goto(`file://${page}`);
    for (const [name, check] of Object.entries(checks).slice(0, script ? undefined : 1)) {
      try {
        await check(tab);
        console.log(`ok ${name}${script ? "" : " (no script)"}`);
      } catch (e) {
        failed += 1;
        console.log(`FAILED ${name}: ${e.message}`);
      }
    }
    for (const [what, list] of [["console errors", errors], ["requests beyond the page", requests.slice(1)]]) {
      if (list.length) {
        failed += 1;
        console.log(`FAILED ${what}: ${list.slice(0, 3).join(" | ")}`);
      }
    }
    await context.close();
  }
  await browser.close();
  process.exit(failed ? 1 : 0);
})();
