// node terminal_test.mjs SIMULATOR SCREENSHOT: the virtual terminal in a real browser. The picture
// that it takes is docs/terminal.png (copy it there when the page looks different).
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { after, before, beforeEach, afterEach, test } from "node:test";
import { SECRETS, line, rest, startBrowser, startReceiver, startSimulator } from "./bed.mjs";

const [, , binary, picture] = process.argv;
const PATIENCE = 20_000; // to fail after, never to wait for
const STREET = "10c00000-0000-4000-8000-000000000001";
const HOSTILE = `"><img src=x onerror="window.struck=1"><script>window.struck=1</script>`;

let simulator, receiver, browser, shop, page, asked, complaints;

before(async () => {
  simulator = await startSimulator(binary); // one by one, so that `after` ends what has begun
  receiver = await startReceiver();
  browser = await startBrowser();
  shop = rest(simulator);
  await shop.control("PUT", "webhooks", { urls: [receiver.url] });
});

after(async () => {
  await browser?.close();
  await receiver?.stop();
  assert.equal(await simulator?.stop(), 0);
});

beforeEach(async () => { page = await open(); });

// No test leaves the page unwell: nothing is asked of anybody else, nothing is refused by its policy.
afterEach(async () => {
  await page.context().close();
  assert.deepEqual([...new Set(asked.map((url) => new URL(url).origin))], [simulator.control]);
  assert.deepEqual(complaints, []);
});

async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  asked = [];
  complaints = [];
  context.on("request", (request) => asked.push(request.url()));
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  const opened = await context.newPage();
  await opened.goto(`${simulator.control}/_sim/`);
  await opened.getByText("Connected").waitFor();
  return opened;
}

const pick = (device) => page.getByLabel("Phone", { exact: true }).selectOption(device);
const button = (name) => page.getByRole("button", { name, exact: true });
const shows = (status) => page.locator("#status", { hasText: status }).waitFor();
const says = (text) => page.locator("#announcement", { hasText: text }).waitFor({ state: "attached" });
const webhook = (type, state) => page.locator("#webhooks li", { hasText: type })
  .locator(".badge", { hasText: state }).waitFor();

// Presses the key until the element has the focus, and sees that one can see it.
async function tabTo(locator, key = "Tab") {
  for (let presses = 0; presses < 40; ++presses) {
    await page.keyboard.press(key);
    if (await locator.evaluate((element) => element === document.activeElement)) {
      assert.deepEqual(await locator.evaluate((element) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        return [outlineStyle, outlineWidth];
      }), ["solid", "3px"]);
      return;
    }
  }
  assert.fail(`${key} does not reach ${locator}`);
}

async function press(locator, key = "Enter") {
  await tabTo(locator);
  await page.keyboard.press(key);
}

test("a payment from pairing to paid, by keyboard alone", async () => {
  const device = await shop.addDevice("Kiosk", STREET);
  const code = await shop.enroll();
  await page.locator(`option[value="${device}"]`).waitFor({ state: "attached" });
  if (!await page.locator("#more-phones").evaluate((details) => details.open)) {
    await press(page.locator("#more-phones summary"));
  }
  await tabTo(page.getByLabel("Enrollment code"));
  await page.keyboard.type(code);
  const [paired] = await Promise.all([
    page.waitForResponse((response) => response.url().endsWith("/consume")),
    press(button("Pair")),
  ]);
  const { bearer_token: token } = (await paired.json()).credentials;
  await page.locator("#phone-name", { hasText: "Simulated phone" }).waitFor();
  for (const secret of [...SECRETS, code, token]) {
    assert.ok(!(await page.content()).includes(secret));
  }

  // The focus is on the list of phones now: another one by its first letters.
  await page.keyboard.type("Kiosk");
  await page.locator("#phone-name", { hasText: "Kiosk" }).waitFor();
  const session = await shop.pay(device, "KEYS-1", [line("Coffee", 2, 12500)]);
  await says("New payment request: 250.00 SEK.");
  await shows("CREATED");
  assert.equal(await page.locator("#amount").textContent(), "250.00");
  await press(button("Card"));
  await shows("ACTIVE");
  await page.locator("#state:focus").waitFor(); // not lost with the button that is gone
  await tabTo(page.getByLabel("Reason to decline"));
  await page.keyboard.type("insuff");
  await press(button("Decline"), "Space");
  await page.getByText("Declined: insufficient funds", { exact: true }).waitFor();
  await says("250.00 SEK: Declined: insufficient funds.");
  await webhook("ipp.payment.failed", "delivered");
  assert.equal((await shop.session(session)).status, "ACTIVE");
  await tabTo(button("Approve"), "Shift+Tab");
  await page.keyboard.press("Enter");
  await shows("FINALIZED");
  await says("250.00 SEK: Paid.");
  await webhook("ipp.session.finalized", "delivered");
  assert.equal((await shop.session(session)).status, "FINALIZED");
});

test("every reason that a card can be declined for", async () => {
  const proto = readFileSync(new URL("../../proto/kustom/ipp/v1/simulation.proto", import.meta.url), "utf8");
  const reasons = [...proto.matchAll(/^ {2}TAP_OUTCOME_(\w+) = \d+;/gm)].map(([, name]) => name)
    .filter((name) => !["UNSPECIFIED", "SUCCESS"].includes(name));
  assert.equal(reasons.length, 9);
  const device = await shop.addDevice("Declines");
  await pick(device);
  await shop.pay(device, "REASONS", [line("Coffee", 1, 4000)]);
  await button("Card").click();
  const offered = page.getByLabel("Reason to decline");
  assert.deepEqual(
    await offered.locator("option").evaluateAll((options) => options.map(({ value }) => value)), reasons);
  for (const reason of reasons) {
    await offered.selectOption(reason);
    await button("Decline").click();
    await page.getByText(`Declined: ${reason.toLowerCase().replaceAll("_", " ")}`, { exact: true }).waitFor();
  }
  await page.locator("#webhooks li", { hasText: "ipp.payment.failed" }).nth(8).waitFor();
});

for (const [name, status, told] of [
  ["Cancel", "CANCELLED", true],
  ["Let it expire", "EXPIRED", false],
  ["Let it fail", "FAILED", false],
]) {
  test(`${name} ends a payment ${status}`, async () => {
    const device = await shop.addDevice(name);
    await pick(device);
    const session = await shop.pay(device, "ENDS", [line("Coffee", 1, 4000)]);
    await button("Scan to pay").click();
    await shows("ACTIVE");
    await button(name).click();
    await shows(status);
    assert.equal((await shop.session(session)).status, status);
    if (told) await webhook("ipp.session.cancelled", "delivered");
    else await page.getByText(`No webhook tells of ${status}`).waitFor();
    for (const gone of ["Approve", "Card", "Scan to pay", "Cancel"]) {
      assert.equal(await button(gone).isVisible(), false);
    }
  });
}

test("the clerk changes the way to pay, and the next payment waits for its turn", async () => {
  const device = await shop.addDevice("Changes");
  await pick(device);
  const first = await shop.pay(device, "FIRST", [line("Coffee", 1, 4000)]);
  await button("Scan to pay").click();
  await page.getByText("The customer scans the code").waitFor();
  await button("Pay another way").click();
  await button("Card").click();
  await page.getByText("Hold the card").waitFor();
  await shop.pay(device, "SECOND", [line("Tea", 1, 3000)]);
  await says("New payment request: 30.00 SEK.");
  await page.locator("#reference", { hasText: "FIRST" }).waitFor();
  await button("Approve").click();
  await shows("FINALIZED");
  assert.equal((await shop.session(first)).status, "FINALIZED");
  await page.locator("#requests button", { hasText: "SECOND" }).click();
  await page.locator("#reference", { hasText: "SECOND" }).waitFor();
  await shows("CREATED");
});

test("what others do is seen too, and a webhook that was refused shows its attempts", async () => {
  const device = await shop.addDevice("Others");
  await pick(device);
  receiver.refuses_first = true;
  const session = await shop.pay(device, "OTHERS", [line("Coffee", 1, 4000)]);
  const attempts = (type, count) => page.locator("#webhooks li", { hasText: type })
    .getByText(`${count} attempts, last answer 200`).waitFor();
  await attempts("ipp.session.created", 2);
  await shop.api("PUT", `sessions/${session}/cancel`);
  await shows("CANCELLED");
  await attempts("ipp.session.cancelled", 2);
  receiver.refuses_first = false;
  await button("Send again: ipp.session.cancelled").click();
  await attempts("ipp.session.cancelled", 3);
});

test("the only phone is picked, a payment is sent from the page, and its webhook is shown whole", async () => {
  const alone = await startSimulator(binary);
  try {
    const { control, addDevice } = rest(alone);
    await control("PUT", "webhooks", { urls: [receiver.url] });
    const device = await addDevice("Only one");
    await page.goto(`${alone.control}/_sim/`);
    await page.locator("#phone-name", { hasText: "Only one" }).waitFor();
    await page.getByText("Send a payment").click();
    await page.getByLabel("Amount").fill("19,90");
    await page.getByLabel("Currency").fill("eur");
    await page.getByLabel("Reference").fill("PAGE-1");
    await button("Send").click();
    await shows("CREATED");
    assert.equal(await page.locator("#amount").textContent(), "19.90");
    assert.equal(await page.locator("#currency").textContent(), "EUR");
    await webhook("ipp.session.created", "delivered");
    await page.locator("#webhooks summary").click();
    const shown = page.locator("#webhooks details");
    await shown.getByText("webhook-signature: v1,").waitFor();
    await shown.locator(".try", { hasText: "200" }).waitFor();
    const { events } = await control("GET", "webhooks?detail=true");
    assert.equal(await shown.locator("pre").first().textContent(), events[0].body);
    await page.locator("#ids code", { hasText: device }).waitFor();
    await page.locator("#ids code", { hasText: events[0].session_id }).waitFor();
    // It stays open while the page asks again.
    await button("Card").click();
    await webhook("ipp.session.activated", "delivered");
    await shown.first().getByText("webhook-signature: v1,").waitFor();
  } finally {
    await page.context().close();
    assert.equal(await alone.stop(), 0);
    asked = asked.filter((url) => !url.startsWith(alone.control));
  }
});

test("ids are copied", async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const device = await shop.addDevice("Copies");
  await pick(device);
  const session = await shop.pay(device, "COPY", [line("Coffee", 1, 4000)]);
  await shows("CREATED");
  for (const [name, value] of [["device", device], ["session", session]]) {
    await button(`Copy ${name} id`).click();
    await says(`${name[0].toUpperCase()}${name.slice(1)} id copied.`);
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), value);
  }
});

// What is read aloud of a button begins with what is seen on it.
test("names of buttons hold their text", async () => {
  const device = await shop.addDevice("Names");
  await pick(device);
  await shop.pay(device, "NAMES", [line("Coffee", 1, 4000)]);
  await webhook("ipp.session.created", "delivered");
  assert.deepEqual(await page.locator("[aria-label]:is(button, summary)").evaluateAll((elements) => elements
    .filter((element) => !element.getAttribute("aria-label").startsWith(element.textContent.trim()))
    .map((element) => element.outerHTML)), []);
});

test("text that wants to be HTML stays text", async () => {
  const device = await shop.addDevice(HOSTILE);
  await pick(device);
  await shop.pay(device, HOSTILE, [line(HOSTILE, 1, 4000)]);
  await page.locator("#lines .name").waitFor();
  for (const place of ["#phone-name", "#reference", "#lines .name", "#requests .name"]) {
    assert.equal(await page.locator(place).textContent(), HOSTILE);
  }
  assert.ok((await page.locator(`option[value="${device}"]`).textContent()).startsWith(HOSTILE));
  await button("Card").click();
  await shows("ACTIVE");
  assert.deepEqual(await page.evaluate(() => [
    document.scripts.length, document.images.length, window.struck, document.querySelector("[onerror]"),
  ]), [1, 1, undefined, null]);
  // And if the page forgot itself, its policy would not.
  await assert.rejects(page.evaluate((html) => { document.body.innerHTML = html; }, HOSTILE), /TrustedHTML/);
  assert.match(complaints.splice(0).join(), /TrustedHTML/);
});

test("what goes wrong is said", async () => {
  await page.locator("#more-phones").evaluate((details) => { details.open = true; });
  await page.getByLabel("Enrollment code").fill("NOSUCHCODE");
  await button("Pair").click();
  await page.getByRole("alert").filter({ hasText: /Enrollment/ }).waitFor();
  assert.match(complaints.splice(0).join(), /404/);
  await page.context().setOffline(true);
  await page.getByText("The simulator does not answer").waitFor();
  await page.context().setOffline(false);
  await page.getByText("Connected").waitFor();
  complaints = complaints.filter((text) => !text.includes("net::ERR_"));
});

for (const colorScheme of ["light", "dark"]) {
  test(`360 pixels hold it, ${colorScheme}, and fingers hit it`, async () => {
    await page.context().close();
    page = await open({ viewport: { width: 360, height: 740 }, colorScheme, hasTouch: true });
    const fits = async () => {
      const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.equal(room, 360);
      assert.ok(wide <= room, `${wide} pixels wide`);
      assert.deepEqual(await page.locator("button, select, summary").evaluateAll((targets) => targets
        .filter((target) => target.checkVisibility() && target.getBoundingClientRect().height < 44)
        .map((target) => target.textContent)), []);
      assert.deepEqual(await page.evaluate(faintTexts), []);
    };
    const device = await shop.addDevice(`Pocket${"y".repeat(60)} ${colorScheme}`, STREET);
    await fits();
    await pick(device);
    await page.getByRole("heading", { name: "Ready" }).waitFor();
    await fits();
    await shop.pay(device, `R${"9".repeat(80)}`, [line("Z".repeat(90), 3, 999999999999)]);
    await shows("CREATED");
    await fits();
    await button("Card").tap();
    await button("Decline").tap();
    await page.getByText("Declined: declined generic", { exact: true }).waitFor();
    await fits();
    await button("Approve").tap();
    await webhook("ipp.session.finalized", "delivered");
    await fits();
  });
}

// Runs in the page: texts with less than 4.5 to 1 between them and what is behind (WCAG 2, AA).
function faintTexts() {
  const colour = (text) => text.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    const found = colour(getComputedStyle(element).backgroundColor);
    return found.length === 3 || found[3] === 1 ? found : behind(element.parentElement);
  };
  const faint = [];
  for (const element of document.body.querySelectorAll("*")) {
    const says = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
    if (!says || !element.checkVisibility() || element.matches("option, :disabled")) continue;
    const [high, low] = [light(colour(getComputedStyle(element).color)), light(behind(element))]
      .sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) faint.push(`${element.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return faint;
}

test("a picture of it", async () => {
  await page.context().close();
  page = await open({ viewport: { width: 1080, height: 800 }, reducedMotion: "reduce" });
  const device = await shop.addDevice("Till 1", STREET);
  await pick(device);
  await shop.pay(device, "SHOP-1000", [line("Kettle", 1, 64900)]);
  await button("Card").click();
  await button("Approve").click();
  await shows("FINALIZED");
  await shop.pay(device, "SHOP-1001", [line("Coffee", 2, 4500), line("Cardamom bun", 4, 4000)]);
  await page.locator("#reference", { hasText: "SHOP-1001" }).waitFor();
  await button("Card").click();
  await page.getByLabel("Reason to decline").selectOption("INSUFFICIENT_FUNDS");
  await button("Decline").click();
  await webhook("ipp.payment.failed", "delivered");
  await page.mouse.move(0, 0);
  await page.evaluate(() => document.activeElement.blur());
  await page.screenshot({ path: picture, fullPage: true });
  assert.ok(statSync(picture).size < 180_000);
});
