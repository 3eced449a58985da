import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { decode, GatewayError } from "./errors.js";

/** One gRPC channel, and the contract's calls over it. */
export class Connection {
  private readonly client: grpc.Client;

  constructor(
    address: string,
    credentials: grpc.ChannelCredentials,
    options: grpc.ClientOptions,
    private readonly pairs: Readonly<Record<string, string>>,
  ) {
    this.client = new grpc.Client(address, credentials, options);
  }

  close(): void {
    this.client.close();
  }

  /** A unary call. Rejects with GatewayError. */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    milliseconds: number,
    signal?: AbortSignal,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      const call = this.client.makeUnaryRequest(
        pathOf(method),
        (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        create(method.input, request),
        this.metadata(),
        { deadline: Date.now() + Math.max(milliseconds, 1) },
        (error, response) => {
          signal?.removeEventListener("abort", cancel);
          if (error) reject(decode(error));
          else if (response) resolve(response);
          else reject(new GatewayError(grpc.status.INTERNAL, "no response and no error"));
        },
      );
      const cancel = () => call.cancel();
      if (signal?.aborted) cancel();
      else signal?.addEventListener("abort", cancel);
    });
  }

  /**
   * A server stream that cannot be silent for ever: it ends when no message comes for `silence` milliseconds, or with
   * the signal. Only the wait for a message counts, so a slow handler is no silence. Throws GatewayError.
   */
  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    silence: number,
    signal: AbortSignal,
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    const call = this.client.makeServerStreamRequest(
      pathOf(method),
      (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      create(method.input, request),
      this.metadata(),
      {},
    );
    call.on("error", () => {}); // also after the last read
    const cancel = () => call.cancel();
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel);
    let silent = false;
    const messages: AsyncIterator<MessageShape<O>> = call[Symbol.asyncIterator]();
    try {
      for (;;) {
        const watch = setTimeout(() => {
          silent = true;
          cancel();
        }, silence);
        let next: IteratorResult<MessageShape<O>>;
        try {
          next = await messages.next();
        } finally {
          clearTimeout(watch);
        }
        if (next.done) return;
        yield next.value;
      }
    } catch (error) {
      if (!silent) throw decode(error);
      throw new GatewayError(grpc.status.UNAVAILABLE, `no message and no heartbeat for ${silence} ms`);
    } finally {
      signal.removeEventListener("abort", cancel);
      cancel();
    }
  }

  private metadata(): grpc.Metadata {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(this.pairs)) metadata.set(name, value);
    return metadata;
  }
}

function pathOf(method: { parent: { typeName: string }; name: string }): string {
  return `/${method.parent.typeName}/${method.name}`;
}
