// A way to a server that understands HTTP, and misunderstands it as real ones do.

import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** What a proxy does wrong. */
export interface Fault {
  /** An upgrade becomes an ordinary request, as with one that drops the headers hop by hop. */
  strip?: boolean;
  /** An upgrade is taken and never answered. */
  swallow?: boolean;
  /** An upgrade is refused with a page of the proxy's own. */
  forbid?: boolean;
  /** An answer is passed on only when it is complete. */
  buffer?: boolean;
}

/** A proxy that passes everything on but for its fault. */
export class Proxy {
  readonly #target: string;
  readonly #fault: Fault;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** The paths that were asked for, in order, without their queries. */
  readonly asked: string[] = [];

  private constructor(target: string, fault: Fault) {
    this.#target = target;
    this.#fault = fault;
    this.#server = createServer((from, to) => this.#pass(from, to));
    // Without a listener Node treats an upgrade as an ordinary request.
    if (fault.swallow || fault.forbid) {
      this.#server.on("upgrade", (from: IncomingMessage, socket: Socket) => {
        this.#note(from);
        if (fault.forbid) {
          socket.end("HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>");
        }
      });
    }
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket)).on("error", () => undefined);
    });
  }

  static async to(target: string, fault: Fault): Promise<Proxy> {
    const proxy = new Proxy(target, fault);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
  }

  #note(from: IncomingMessage): void {
    this.asked.push((from.url ?? "").replace(/\?.*/, "").replace("/api/v1/", "").replace(/\/sess_.*/, ""));
  }

  #pass(from: IncomingMessage, to: ServerResponse): void {
    this.#note(from);
    const { upgrade: _upgrade, connection: _connection, ...headers } = from.headers;
    const onward = request(this.#target + from.url, { method: from.method ?? "GET", headers }, (answer) => {
      if (!this.#fault.buffer) {
        to.writeHead(answer.statusCode ?? 502, answer.headers);
        to.flushHeaders();
        answer.pipe(to);
        return;
      }
      const whole: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => whole.push(chunk));
      answer.on("end", () => to.writeHead(answer.statusCode ?? 502, answer.headers).end(Buffer.concat(whole)));
      answer.on("error", () => to.destroy());
    });
    onward.on("error", () => to.destroy());
    to.on("close", () => onward.destroy());
    from.pipe(onward);
  }
}
