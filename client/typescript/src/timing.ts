/** How long things take, and how long they may. Milliseconds. The defaults are those of production. */
export interface Timing {
  /** The deadline of one unary try. */
  call: number;
  /** No try of a create begins, or lasts, beyond it. */
  create: number;
  /** After `create`: a try may still be on its way. */
  answerAllowance: number;
  /** A session without an answer is waited for this long, then its create is looked up again. */
  look: number;
  /** Before a call is repeated: doubles, and half of it is random. */
  firstPause: number;
  longestPause: number;
  /** The same before a stream is begun again. */
  firstStreamPause: number;
  longestStreamPause: number;
  /** Asked of the gateway; a stream that is silent three times as long is dead. */
  heartbeat: number;
  /** A connection that is in use is asked this often whether it lives. */
  keepalive: number;
  keepaliveAnswer: number;
  /** What is under way may take this long after a stop. */
  stop: number;
}

export const production: Timing = {
  call: 10_000,
  create: 30_000,
  answerAllowance: 1_000,
  look: 10_000,
  firstPause: 100,
  longestPause: 5_000,
  firstStreamPause: 250,
  longestStreamPause: 30_000,
  heartbeat: 15_000,
  keepalive: 30_000,
  keepaliveAnswer: 10_000,
  stop: 10_000,
};

/** Milliseconds by the monotonic clock. */
export function now(): number {
  return performance.now();
}

/** The pauses before new tries: each twice as long as the one before, half of it random. */
export class Pauses {
  private failures = 0;

  constructor(
    private readonly first: number,
    private readonly longest: number,
  ) {}

  /** The next pause: never shorter than the gateway asked for. */
  next(asked = 0): number {
    const limit = Math.min(this.first * 2 ** Math.min(this.failures, 30), this.longest);
    this.failures += 1;
    return Math.max(limit * (0.5 + Math.random() / 2), asked, 10);
  }

  reset(): void {
    this.failures = 0;
  }
}

/** False when the signal came first. */
export function wait(milliseconds: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const done = (slept: boolean) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stopped);
      resolve(slept);
    };
    const stopped = () => done(false);
    const timer = setTimeout(() => done(true), Math.max(milliseconds, 0));
    signal?.addEventListener("abort", stopped);
  });
}

/** A signal that SIGTERM and SIGINT abort. */
export function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => stop.abort());
  return stop.signal;
}
