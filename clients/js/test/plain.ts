import { WebSocket } from "ws";

/** A WebSocket as browsers have it: it sends no headers, and does not pause. */
export class PlainWebSocket {
  binaryType = "blob";
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  readonly #socket: WebSocket;

  constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.on("message", (data) => this.onmessage?.({ data: String(data) }));
    this.#socket.on("close", (code, reason) => this.onclose?.({ code, reason: String(reason) }));
    // That of a browser says nothing about why.
    this.#socket.on("error", () => this.onerror?.({ type: "error" }));
  }

  close(code?: number): void {
    this.#socket.close(code);
  }
}
