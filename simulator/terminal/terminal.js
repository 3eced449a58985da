// The clerk's phone. Everything it shows comes from /_sim/ and goes into the page as text only: the
// Content-Security-Policy of the page forbids making HTML of it.

import { copyable, make, timeOf, webhookOf } from "./terminal_webhooks.js";
import { OPEN, declined, describe, formatAmount, minorUnits, money, words } from "./terminal_words.js";

const POLL_MS = 1000;
const $ = (id) => document.getElementById(id);

const view = {
  devices: [],
  deviceId: location.hash.slice(1),
  sessions: [],  // of the device, the newest first
  sessionId: "",
  methods: new Map(),  // session id → card or scan: known to this page alone, the API has no word for it
  webhooks: [],
  receivers: 0,
  opened: new Set(),  // ids of the webhooks whose details are open
  busy: false,
};

// --- Talking to the simulator -------------------------------------------------------------------

class Refusal extends Error {}  // the simulator answered, and said no

async function call(method, path, body) {
  const answer = await fetch(path, {
    method,
    cache: "no-store",
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  const json = text === "" ? {} : JSON.parse(text);
  if (answer.ok) return json;
  const fields = Object.entries(json.errors ?? {}).map(([name, error]) => `${name} ${error}`);
  throw new Refusal([json.detail ?? json.title ?? `HTTP ${answer.status}`, ...fields].join(" "));
}

const of = (id) => encodeURIComponent(id);

async function fetchView() {
  const { devices } = await call("GET", "devices");
  const known = devices.some((device) => device.id === view.deviceId);
  const only = devices.length === 1 ? devices[0].id : "";  // there is no choice to make
  const deviceId = known ? view.deviceId : only;
  const sessions = deviceId ? (await call("GET", `devices/${of(deviceId)}/sessions`)).sessions : [];
  const next = { devices, deviceId, sessions };
  next.sessionId = shownSession(deviceId, sessions);
  const hooks = next.sessionId
    ? await call("GET", `webhooks?session_id=${of(next.sessionId)}&detail=true`)
    : { events: [], urls: [] };
  next.webhooks = hooks.events;
  next.receivers = hooks.urls.length;
  return next;
}

// The phone stays with an open payment, and with one that is done until the next arrives.
function shownSession(deviceId, sessions) {
  const [newest] = sessions;
  if (!newest) return "";
  const shown = sessions.find(({ session }) => session.session_id === view.sessionId);
  if (!shown || deviceId !== view.deviceId) return newest.session.session_id;
  const arrived = view.sessions.every(
    ({ session }) => session.session_id !== newest.session.session_id);
  const stay = OPEN.has(shown.session.status) || !arrived;
  return (stay ? shown : newest).session.session_id;
}

// Only the latest question's answer is shown: an older one must not undo what an action did.
let question = 0;

async function refresh() {
  const mine = ++question;
  try {
    if ($("reason").length === 0) await fillReasons();
    const next = await fetchView();
    if (mine !== question) return;
    announceChanges(next);
    Object.assign(view, next);
    render();
    setConnection("on", "Connected");
  } catch (error) {
    if (mine !== question) return;
    if (error instanceof Refusal) return;  // a phone that was just removed, say: ask again
    setConnection("off", "The simulator does not answer. Trying again");
  }
}

async function poll() {
  await refresh();
  setTimeout(poll, POLL_MS);
}

// One action at a time; whatever it says, the page then shows what is true.
async function act(action) {
  if (view.busy) return;
  view.busy = true;
  try {
    const result = await action();
    setText($("problem"), "");
    return result;
  } catch (error) {
    setText($("problem"), error instanceof Refusal ? error.message : "The simulator does not answer.");
  } finally {
    view.busy = false;
    $("problem").hidden = $("problem").textContent === "";
    await refresh();
  }
}

const step = (verb) => act(() => call("POST", `sessions/${of(view.sessionId)}/${verb}`));

// --- The page -----------------------------------------------------------------------------------

const shownItem = () => view.sessions.find(({ session }) => session.session_id === view.sessionId);
const methodOf = (session) => view.methods.get(session.session_id) ?? "";
const wordsFor = (item) => describe(item, methodOf(item.session));

function announceChanges(next) {
  if (next.deviceId !== view.deviceId) return;
  const known = new Map(view.sessions.map((item) => [item.session.session_id, item]));
  const said = [];
  for (const item of next.sessions) {
    const { session } = item;
    const before = known.get(session.session_id);
    if (!before) {
      said.push(`New payment request: ${money(session)}.`);
    } else if (before.session.status !== session.status || declined(before) !== declined(item)) {
      said.push(`${money(session)}: ${wordsFor(item)[1]}.`);
    }
  }
  if (said.length > 0) $("announcement").textContent = said.reverse().join(" ");
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setConnection(state, text) {
  $("connection").className = `connection ${state}`;
  setText($("connection"), text);
}

const shownKeys = new WeakMap();

// Replaces the children when `key` has changed, and keeps the focus on the button it was on.
function replace(parent, key, makeChildren) {
  if (shownKeys.get(parent) === key) return;
  shownKeys.set(parent, key);
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.id : "";
  parent.replaceChildren(...makeChildren());
  if (focused) parent.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
}

function renderDevices() {
  const merchants = new Set(view.devices.map((device) => device.merchant_id));
  const title = (device) => [
    device.name || "(no name)",
    device.location_name,
    merchants.size > 1 ? device.merchant_id : null,
    device.open_sessions > 0 ? `${device.open_sessions} open` : null,
  ].filter(Boolean).join(" · ");
  const select = $("device");
  replace(select, JSON.stringify([view.deviceId, view.devices]), () => {
    const options = view.devices.map((device) => {
      const option = make("option", "", title(device));
      option.value = device.id;
      return option;
    });
    if (!view.deviceId) {
      const none = make("option", "", view.devices.length > 0 ? "Pick a phone" : "No phone yet");
      none.value = "";
      options.unshift(none);
    }
    return options;
  });
  if (select.value !== view.deviceId) select.value = view.deviceId;
  select.disabled = view.devices.length === 0;
  if (view.devices.length === 0 && !$("more-phones").dataset.opened) {
    $("more-phones").open = true;
    $("more-phones").dataset.opened = "once";
  }
}

function renderIdle(device) {
  setText($("idle-title"), device ? "Ready" : "Pick a phone");
  setText($("idle-text"), device
    ? "Waiting for a payment request."
    : "Choose a phone above, or pair or add one.");
  $("idle-command").hidden = !device;
  setText($("command"), device
    ? `ippctl sessions create --device ${device.id} --amount 25000 --currency SEK --reference SHOP-1001`
    : "");
}

function lineOf(item, currency) {
  const line = document.createElement("li");
  line.append(make("span", "name", item.name),
    make("span", "total", formatAmount(item.total_amount, currency)));
  const each = `${item.quantity} × ${formatAmount(item.unit_price, currency)}`;
  const discount = item.total_discount_amount
    ? `, less ${formatAmount(item.total_discount_amount, currency)}` : "";
  line.append(make("span", "each", each + discount));
  return line;
}

function renderPayment(item) {
  const { session } = item;
  const currency = session.purchase_currency;
  const [tone, title, detail] = wordsFor(item);
  $("state").className = `state ${tone}`;
  setText($("status"), session.status);
  setText($("status-words"), title);
  setText($("status-detail"), detail);
  const amount = formatAmount(session.order_amount, currency);
  setText($("amount"), amount);
  $("amount").parentElement.classList.toggle("long", amount.length > 11);
  setText($("currency"), currency);
  setText($("reference"), [session.merchant_reference1, session.merchant_reference2]
    .filter(Boolean).join(" · "));
  replace($("lines"), JSON.stringify([session.session_id, session.order_items]),
    () => session.order_items.map((line) => lineOf(line, currency)));
  setText($("tax"), session.order_tax_amount == null
    ? "" : `of which tax ${formatAmount(session.order_tax_amount, currency)}`);

  const open = OPEN.has(session.status);
  const paying = session.status === "ACTIVE" && methodOf(session) !== "";
  $("choose").hidden = !open || paying;
  $("pay").hidden = !paying;
  $("end").hidden = !open;
}

function renderWebhooks() {
  const again = view.receivers > 0
    ? (id) => act(() => call("POST", `webhooks/${of(id)}/resend`)) : undefined;
  replace($("webhooks"), JSON.stringify([view.receivers, view.webhooks]),
    () => view.webhooks.map((event) => webhookOf(event, view.opened, again)));
  const item = shownItem();
  let note = "";
  if (!item) {
    note = "Each webhook appears here with what became of it.";
  } else if (view.receivers === 0) {
    note = "No receiver is set, so nothing is sent: PUT /_sim/webhooks, or --webhook-url.";
  } else if (["EXPIRED", "FAILED"].includes(item.session.status)) {
    note = `No webhook tells of ${item.session.status}: a shop that wants to know has to read the session.`;
  }
  setText($("webhooks-note"), note);
}

function renderIds(device, item) {
  const session = item?.session;
  const rows = [["Device id", device?.id], ["Session id", session?.session_id],
    ["Order id", session?.order_id]].filter(([, value]) => value);
  const times = [["Created", item?.created_at], ["Paid", session?.purchase_completed_at]]
    .filter(([, value]) => value);
  const copied = (name) => { $("announcement").textContent = `${name} copied.`; };
  replace($("ids"), JSON.stringify([rows, times]), () => [
    ...rows.map(([name, value]) => copyable(name, value, copied)),
    ...times.map(([name, utc]) => {
      const line = make("li", "copyable", "");
      line.append(make("span", "name", name), " ", timeOf(utc));
      return line;
    }),
  ]);
  $("ids-section").hidden = rows.length === 0;
}

function requestOf(item) {
  const { session } = item;
  const button = document.createElement("button");
  button.dataset.id = session.session_id;
  button.setAttribute("aria-current", String(session.session_id === view.sessionId));
  const badge = make("span", `badge ${wordsFor(item)[0]}`, session.status);
  button.append(make("span", "name", session.merchant_reference1 || session.session_id.slice(0, 8)),
    timeOf(item.created_at), make("span", "sum", money(session)), " ", badge);
  button.addEventListener("click", () => {
    view.sessionId = session.session_id;
    render();
    refresh();
  });
  const line = document.createElement("li");
  line.append(button);
  return line;
}

function render() {
  const focused = document.activeElement;
  const device = view.devices.find(({ id }) => id === view.deviceId);
  const item = shownItem();
  renderDevices();
  setText($("phone-name"), device ? device.name || "(no name)" : "No phone");
  setText($("phone-location"), device?.location_name ?? "");
  $("idle").hidden = Boolean(item);
  $("payment").hidden = !item;
  if (item) renderPayment(item);
  else renderIdle(device);
  renderIds(device, item);
  renderWebhooks();
  $("send-button").disabled = !device;
  replace($("requests"), JSON.stringify([view.sessionId, view.sessions]),
    () => view.sessions.map(requestOf));
  $("requests-note").hidden = view.sessions.length > 0;
  // Who pressed a button that is gone now goes on where the news is, not at the top of the page.
  if (focused?.closest?.("[hidden]")) (item ? $("state") : $("idle-title")).focus();
}

function pickDevice(id) {
  view.deviceId = id;
  view.sessions = [];
  view.sessionId = "";
  view.webhooks = [];
  $("more-phones").open = false;
  history.replaceState(null, "", id ? `#${of(id)}` : location.pathname);
  render();
  refresh();
}

async function chooseMethod(method) {
  const { session } = shownItem();
  view.methods.set(session.session_id, method);
  if (session.status === "CREATED") await step("activate");
  else render();
}

function tap(outcome) {
  return step(`tap?outcome=${of(outcome)}`);
}

// A payment request of one line, as a shop would send it.
async function sendPayment() {
  const currency = $("pay-currency").value.trim().toUpperCase();
  const total = minorUnits($("pay-amount").value, currency);
  const made = await act(() => call("POST", "sessions", {
    device_id: view.deviceId,
    order_amount: total,
    order_tax_amount: 0,
    purchase_currency: currency,
    merchant_reference1: $("pay-reference").value.trim(),
    order_items: [{ name: "Purchase", quantity: 1, unit_price: total, total_amount: total, tax_rate: 0,
      total_tax_amount: 0 }],
  }));
  if (!made) return;
  view.sessionId = made.session_id;
  await refresh();
  $("state").focus();
}

function onSubmit(form, send) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const device = await act(send);
    if (!device) return;
    form.reset();
    pickDevice(device.id);
    $("device").focus();
  });
}

function listen() {
  $("device").addEventListener("change", (event) => pickDevice(event.target.value));
  $("card").addEventListener("click", () => chooseMethod("card"));
  $("scan").addEventListener("click", () => chooseMethod("scan"));
  $("other-method").addEventListener("click", () => {
    view.methods.delete(view.sessionId);
    render();
  });
  $("approve").addEventListener("click", () => tap("SUCCESS"));
  $("decline").addEventListener("click", () => tap($("reason").value));
  $("cancel").addEventListener("click", () => step("clerk-cancel"));
  $("expire").addEventListener("click", () => step("expire"));
  $("fail").addEventListener("click", () => step("fail"));
  onSubmit($("pair"), () => call("POST", `enrollments/${of($("code").value.trim())}/consume`));
  onSubmit($("add"), () => call("POST", "devices", { name: $("name").value.trim() }));
  $("send").addEventListener("submit", (event) => {
    event.preventDefault();
    sendPayment();
  });
  window.addEventListener("hashchange", () => pickDevice(location.hash.slice(1)));
}

async function fillReasons() {
  const { outcomes } = await call("GET", "tap-outcomes");
  $("reason").replaceChildren(...outcomes.filter((outcome) => outcome !== "SUCCESS").map((outcome) => {
    const option = make("option", "", words(outcome));
    option.value = outcome;
    return option;
  }));
}

listen();
poll();
