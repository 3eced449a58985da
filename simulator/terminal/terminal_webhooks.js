// How a webhook, an id and a time look on the page. All of it goes in as text.

import { DELIVERY_TONES, words } from "./terminal_words.js";

export function make(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

// The clock's time of day here; the whole of it, in UTC, is the title.
export function timeOf(utc) {
  const time = make("time", "time", new Date(utc).toLocaleTimeString("en-GB"));
  time.dateTime = utc;
  time.title = utc;
  return time;
}

// A name, a value, and a button that copies the value.
export function copyable(name, value, onCopied) {
  const line = make("li", "copyable", "");
  const facts = make("p", "", "");
  facts.append(make("span", "name", name), " ", make("code", "id", value));
  const button = make("button", "quiet", "Copy");
  button.setAttribute("aria-label", `Copy ${name.toLowerCase()}`);
  button.dataset.id = `copy-${name}`;
  button.addEventListener("click", async () => {
    await copy(value, facts.querySelector("code"));
    onCopied(name);
  });
  line.append(facts, button);
  return line;
}

async function copy(text, element) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without permission, or over plain HTTP from another machine: at least it is selected.
    getSelection().selectAllChildren(element);
  }
}

function deliveryOf({ state, attempts, last_status: status, fault }) {
  const line = document.createElement("p");
  line.className = `delivery ${DELIVERY_TONES[state] ?? "still-tone"}`;
  line.append(make("span", "badge", state.replaceAll("_", " ")));
  const facts = [`${attempts} ${attempts === 1 ? "attempt" : "attempts"}`];
  if (attempts > 0) facts.push(status ? `last answer ${status}` : "no answer yet");
  if (fault) facts.push(`fault: ${words(fault)}`);
  line.append(facts.join(", "));
  return line;
}

function tryOf(attempt) {
  const line = make("p", "try", "");
  const answer = attempt.answered ? attempt.status || "no answer" : "under way";
  line.append(timeOf(attempt.at), ` ${answer}`);
  if (attempt.answer) line.append(": ", make("span", "said", attempt.answer));
  return line;
}

// The headers and the body as a receiver got them last, and what it answered to each try.
function detailOf(event) {
  const parts = [make("h3", "", "Body"), make("pre", "", event.body)];
  for (const delivery of event.deliveries) {
    const last = delivery.tries.at(-1);
    parts.push(make("h3", "", `To ${delivery.url}`));
    if (last) {
      parts.push(make("pre", "", [
        "content-type: application/json",
        `webhook-id: ${delivery.webhook_id}`,
        `webhook-timestamp: ${last.webhook_timestamp}`,
        `webhook-signature: ${last.webhook_signature}`,
      ].join("\n")));
    }
    parts.push(...delivery.tries.map(tryOf));
  }
  return parts;
}

// `opened` holds the ids of the events whose details are open; `again` sends one again, and is
// absent when there is no receiver.
export function webhookOf(event, opened, again) {
  const line = document.createElement("li");
  const facts = make("div", "facts", "");
  const title = make("p", "type", "");
  title.append(event.type, " ", timeOf(event.timestamp));
  facts.append(title);
  if (event.deliveries.length === 0) {
    facts.append(make("p", "delivery", "made, but no receiver was set"));
  }
  for (const delivery of event.deliveries) facts.append(deliveryOf(delivery));
  line.append(facts);
  if (again) {
    const button = make("button", "quiet", "Send again");
    button.dataset.id = event.event_id;
    // The words that are seen come first: a person who speaks to the page says them.
    button.setAttribute("aria-label", `Send again: ${event.type}`);
    button.addEventListener("click", () => again(event.event_id));
    line.append(button);
  }
  const details = make("details", "detail", "");
  const summary = make("summary", "", "Body, headers, answers");
  summary.dataset.id = `detail-${event.event_id}`;
  summary.setAttribute("aria-label", `Body, headers, answers of ${event.type}`);
  details.append(summary, ...detailOf(event));
  details.open = opened.has(event.event_id);
  details.addEventListener("toggle", () => {
    if (details.open) opened.add(event.event_id);
    else opened.delete(event.event_id);
  });
  line.append(details);
  return line;
}
