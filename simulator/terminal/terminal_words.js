// What the phone calls things. No page and no network here.

const STATES = {
  CREATED: ["info-tone", "Waiting for the clerk", "Choose how the customer pays."],
  ACTIVE: ["warn-tone", "Waiting for the customer", ""],
  FINALIZED: ["good-tone", "Paid", ""],
  CANCELLED: ["still-tone", "Cancelled", "Nothing was charged."],
  EXPIRED: ["still-tone", "Expired", "Nobody paid in time. No webhook tells of this."],
  FAILED: ["bad-tone", "Failed", "It can not be paid any more. No webhook tells of this."],
};
const METHODS = {
  card: "Hold the card to the phone.",
  scan: "The customer scans the code and pays in an app.",
};
export const DELIVERY_TONES = {
  delivered: "good-tone", given_up: "bad-tone", dropped: "bad-tone", lost: "bad-tone",
  waiting: "warn-tone", held: "warn-tone", due: "info-tone",
};
export const OPEN = new Set(["CREATED", "ACTIVE"]);

export function formatAmount(minor, currency) {
  const digits = new Intl.NumberFormat("en", { style: "currency", currency })
    .resolvedOptions().maximumFractionDigits;
  return new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
    .format(minor / 10 ** digits);
}

// What a person types, "250" or "249.50", as the API has it; NaN when it is no amount.
export function minorUnits(text, currency) {
  const digits = /^[A-Z]{3}$/.test(currency)
    ? new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits
    : 2;
  return Math.round(Number(text.replace(",", ".")) * 10 ** digits);
}

export const words = (code) => code.toLowerCase().replaceAll("_", " ");
export const money = (session) =>
  `${formatAmount(session.order_amount, session.purchase_currency)} ${session.purchase_currency}`;

export function declined({ session, failure_reason: reason }) {
  return OPEN.has(session.status) && reason ? reason : "";
}

// Tone, title and detail of a session that is paid by `method`, card, scan or empty: not chosen.
export function describe(item, method) {
  const { session } = item;
  const [tone, title, detail] = STATES[session.status] ?? ["still-tone", session.status, ""];
  const reason = declined(item);
  if (reason) return ["bad-tone", `Declined: ${words(reason)}`, "The payment is still open: try again, or end it."];
  if (session.status === "ACTIVE") return [tone, title, METHODS[method] ?? STATES.CREATED[2]];
  if (session.status === "FINALIZED") return [tone, title, `Order ${session.order_id}`];
  return [tone, title, detail];
}
