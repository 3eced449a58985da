// node console_page_test.mjs ADMIN PICTURE PAID OPEN: called by console_page_test.py, which has started a gateway with a
// paid session and an open one.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

const require = createRequire(new URL("../terminal/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [, , admin, picture, paid, open] = process.argv;
const base = `http://${admin}`;
let browser, page, complaints;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.IPP_CHROMIUM ?? "/usr/bin/chromium",
    chromiumSandbox: process.getuid() !== 0, // which Chromium refuses to root
  });
});
after(() => browser?.close());

async function visit(path, options = {}) {
  await page?.context().close();
  const context = await browser.newContext({ viewport: { width: 1100, height: 800 }, ...options });
  context.setDefaultTimeout(20_000);
  complaints = [];
  context.on("request", (request) => {
    if (!request.url().startsWith(base)) complaints.push(`asked elsewhere: ${request.url()}`);
  });
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page = await context.newPage();
  await page.goto(base + path);
  assert.deepEqual(complaints.filter((text) => !text.includes("404")), []);
}

test("a receipt is found, and what happened to it", async () => {
  await visit("/console");
  await page.getByLabel("Session, request, order, or the shop's reference").fill("SHOP-4711");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: paid }).click();
  const said = await page.getByRole("main").innerText();
  for (const part of ["FINALIZED", "250.00 SEK", "SHOP-4711", "CREATED", "create"]) assert.ok(said.includes(part), part);
});

test("every kind of id finds it; what is unknown is said", async () => {
  for (const id of [paid, paid.toUpperCase()]) {
    await visit(`/console?q=${id}`);
    assert.equal(await page.getByRole("link", { name: paid }).count(), 1);
  }
  await visit("/console?q=no-such-receipt");
  await page.getByText("has seen no session").waitFor();
});

test("text from outside is text", async () => {
  await visit(`/console/session?merchant=PM00000001&id=${open}`);
  await page.getByText("<b>SHOP-4712</b>").waitFor();
  await visit("/console?q=%22%3E%3Cscript%3Ewindow.struck%3D1%3C%2Fscript%3E");
  assert.equal(await page.evaluate(() => window.struck), undefined);
});

test("the day is added up", async () => {
  await visit("/console/day");
  await page.getByRole("button", { name: "Add up" }).click();
  await page.getByRole("cell", { name: "250.00 SEK" }).first().waitFor();
});

test("it works without a mouse", async () => {
  await visit("/console");
  const reached = new Set();
  for (let i = 0; i < 12; ++i) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement.outerHTML.slice(0, 60)));
  }
  for (const part of ["skip", "/console/day", "<input", "<button"]) {
    assert.ok([...reached].some((html) => html.includes(part)), `${part} is not reached by Tab`);
  }
});

for (const [name, options] of Object.entries({
  "on a phone": { viewport: { width: 360, height: 740 } },
  "in the dark": { colorScheme: "dark" },
})) {
  test(`it can be read ${name}`, async () => {
    await visit(`/console?q=SHOP-4711`, options);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wide <= 0, `it is ${wide} pixels too wide`);
    // WCAG 2.2, 1.4.3: a contrast of 4.5 to 1.
    const low = await page.evaluate(() => {
      const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
      const light = (colour) => {
        const [r, g, b] = colour.match(/[\d.]+/g).map((text) => channel(Number(text) / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
          const colour = getComputedStyle(at).backgroundColor;
          if (colour !== "rgba(0, 0, 0, 0)") return colour;
        }
        return "rgb(255, 255, 255)";
      };
      return [...document.querySelectorAll("body *")].filter((element) =>
        [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())).filter((element) => {
        const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05) < 4.5;
      }).map((element) => element.outerHTML.slice(0, 80));
    });
    assert.deepEqual(low, []);
  });
}

test("a picture", async () => {
  await visit(`/console/session?merchant=PM00000001&id=${paid}`);
  await page.screenshot({ path: picture, fullPage: true });
});

test("what is asked for wrongly is answered in words", async () => {
  for (const [path, code] of [["/console/session?merchant=PM00000001&id=x", 404], ["/console/subscription?name=x", 404],
    ["/console/day?merchant=x&day=2026-01-01&tz=UTC", 400], ["/console/day?merchant=PM00000001&day=x&tz=UTC", 400],
    ["/console/day?merchant=PM00000001&day=2026-01-01&tz=Mars%2FPhobos", 400]]) {
    const answer = await fetch(base + path);
    assert.equal(answer.status, code, path);
    assert.match(await answer.text(), /<p class="bad">/);
    assert.match(answer.headers.get("content-security-policy"), /default-src 'none'/);
  }
});
