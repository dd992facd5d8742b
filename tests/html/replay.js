// Replays a redacted HAR in Chromium. Called by replay.sh with the HAR as it was, its copy, what was planted in it, the
// browser, and whether the copy has lost all bodies.
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const { chromium } = require("playwright-core");

const [, , original, copy, planted, executablePath, paranoid] = process.argv;
const entries = (file) => JSON.parse(fs.readFileSync(file, "utf8")).log.entries;
const body = ({ text = "", encoding }) => Buffer.from(text, encoding === "base64" ? "base64" : "utf8").toString("utf8");

(async () => {
  const before = entries(original);
  const after = entries(copy);
  assert.equal(after.length, before.length);
  const text = fs.readFileSync(copy, "utf8");
  for (const value of fs.readFileSync(planted, "utf8").matchAll(/"([^"\s]{16,})"/g)) {
    if (fs.readFileSync(original, "utf8").includes(value[1]) && !value[1].includes("://")) {
      assert.ok(!text.includes(value[1]), "a planted value is left");
    }
  }
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const replay = async (har) => {
    const context = await browser.newContext();
    await context.routeFromHAR(har, { notFound: "abort" });
    return context;
  };
  const [was, is] = [await replay(original), await replay(copy)];
  // What a page that is opened gives; null where Playwright finds none, as after a redirect to a fragment.
  const open = async (context, { request }) => {
    const tab = await context.newPage();
    const reply = await tab.goto(request.url, { waitUntil: "commit" }).catch(() => null);
    const given = reply && { status: reply.status(), url: reply.url().split("#")[0], text: await reply.text() };
    await tab.close();
    return given;
  };
  let pages = 0;
  for (const [n, entry] of after.entries()) {
    if (entry._resourceType !== "document" || entry.request.method !== "GET") continue;
    const [old, given] = [await open(was, before[n]), await open(is, entry)];
    assert.equal(given?.status, old?.status, entry.request.url);
    if (!given) continue;
    const source = after.find((e) => e.request.url.split("#")[0] === given.url && e.response.status === given.status);
    assert.equal(given.text, body(source.response.content));
    pages += 1;
  }
  assert.ok(pages >= 5);
  // What pages asked for is asked for again from a page of the same site.
  let replies = 0;
  const tab = await is.newPage();
  const home = after.find((e) => e._resourceType === "document" && e.response.status === 200);
  await tab.goto(home.request.url, { waitUntil: "commit" });
  for (const { request, response } of after.filter((e) => ["fetch", "script"].includes(e._resourceType))) {
    const init = { method: request.method, body: request.postData?.text || undefined };
    const got = await tab.evaluate(async ([url, options]) => {
      const reply = await fetch(url, options);
      return [reply.status, await reply.text()];
    }, [request.url, init]);
    assert.deepEqual(got, [response.status, body(response.content)]);
    replies += 1;
  }
  await browser.close();
  console.log(`ok ${pages} pages and ${replies} replies of the redacted HAR replayed${paranoid ? " (paranoid)" : ""}`);
})().catch((e) => {
  console.log(`FAILED the redacted HAR cannot be replayed: ${e.message}`);
  process.exit(1);
});
