// What the test of the virtual terminal stands on: the real simulator, a receiver of webhooks, and
// Chromium, each on a port that was free.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const KEY = "kco_test_api_simulator"; // the simulator's default
export const SECRETS = [KEY, "whsec_"];

export async function startSimulator(binary) {
  const child = spawn(binary, ["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--locations", "2"],
    { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const said = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const [, name, address] = line.match(/^(listening|control) on (.*)$/) ?? [];
    if (name) said[name] = `http://${address}`;
    if (said.listening && said.control) break;
  }
  if (!said.control) throw new Error(`the simulator ended with ${await ended}`);
  return {
    ...said,
    stop: async () => {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

// Takes every webhook, or with `refuses_first` only what comes again.
export async function startReceiver() {
  const receiver = { refuses_first: false };
  const seen = new Set();
  const server = createServer((request, response) => {
    request.resume().once("end", () => {
      const id = request.headers["webhook-id"];
      response.statusCode = receiver.refuses_first && !seen.has(id) ? 503 : 200;
      seen.add(id);
      response.end();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  receiver.url = `http://127.0.0.1:${server.address().port}/webhooks/kustom`;
  receiver.stop = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return receiver;
}

export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.IPP_CHROMIUM ?? "/usr/bin/chromium",
    chromiumSandbox: process.getuid() !== 0, // which Chromium refuses to root
  });
}

async function json(answer) {
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${text}`);
  return text === "" ? {} : JSON.parse(text);
}

export function rest(simulator) {
  const send = async (base, method, path, body, headers = {}) => json(await fetch(base + path, {
    method,
    headers: { ...headers, ...(body ? { "Content-Type": "application/json" } : {}) },
    body: body && JSON.stringify(body),
  }));
  const api = (method, path, body) =>
    send(simulator.listening, method, `/ipp/v1/${path}`, body, { Authorization: `Basic ${KEY}` });
  return {
    api,
    control: (method, path, body) => send(simulator.control, method, `/_sim/${path}`, body),
    addDevice: async (name, location) =>
      (await api("POST", "dev/devices", { name, location_id: location })).id,
    enroll: async () => (await api("POST", "enrollments", {
      ttl: "TWO_HOURS", location_id: "10c00000-0000-4000-8000-000000000002" })).enrollment_code,
    pay: async (device, reference, items) => (await api("POST", "sessions", {
      device_id: device,
      order_amount: items.reduce((sum, item) => sum + item.total_amount, 0),
      order_tax_amount: items.reduce((sum, item) => sum + item.total_tax_amount, 0),
      purchase_currency: "SEK",
      merchant_reference1: reference,
      order_items: items,
    })).session_id,
    session: (id) => api("GET", `sessions/${id}`),
  };
}

// A line of an order with 25 % tax in its price.
export const line = (name, quantity, unitPrice) => ({
  name, quantity, unit_price: unitPrice, total_amount: quantity * unitPrice, tax_rate: 2500,
  total_tax_amount: Math.round(quantity * unitPrice / 5),
});
