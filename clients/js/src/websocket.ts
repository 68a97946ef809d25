import { errorOf, errorOfStatus, refusalOf, type SpileError } from "./error.js";
import type { WebSocketClass, WebSocketLike } from "./options.js";
import { follow, Watchdog } from "./timing.js";
import { NoSuchWay, parseFrame, silent, streamPath, streamQuery, type Connection, type Dial } from "./transport.js";
import type { Frame, TicketResponse } from "./wire.gen.js";

/** The longest message: what a server keeps of a session, and one batch more. */
const MAX_MESSAGE = 16 << 20;
/** How much of a refusal is read. */
const MAX_REFUSAL = 1 << 20;
/** The close code of a good end. */
const NORMAL = 1000;

/** What the package `ws` can do beyond the WebSocket of browsers. */
interface NodeWebSocket extends WebSocketLike {
  on(event: "unexpected-response", heard: (request: unknown, response: NodeResponse) => void): void;
  pause(): void;
  resume(): void;
  terminate(): void;
}

interface NodeResponse {
  statusCode?: number;
  statusMessage?: string;
  headers: Record<string, string | string[] | undefined>;
  on(event: "data", heard: (chunk: Uint8Array) => void): void;
  on(event: "end" | "error" | "aborted", heard: () => void): void;
}

type NodeWebSocketClass = new (url: string, options: object) => NodeWebSocket;

/** The package `ws`, where this is Node and it is installed. */
let installed: Promise<NodeWebSocketClass | undefined> | undefined;

function findInstalled(): Promise<NodeWebSocketClass | undefined> {
  const host = globalThis as { process?: { versions?: { node?: string } } };
  if (host.process?.versions?.node === undefined || typeof document !== "undefined") return Promise.resolve(undefined);
  // A name that is not written into the import: bundlers for the browser would look for it.
  const name = "ws";
  installed ??= import(/* @vite-ignore */ name).then(
    (module: { WebSocket?: NodeWebSocketClass }) => module.WebSocket, () => undefined);
  return installed;
}

/** Connects by WebSocket, many frames a message. */
export async function dialWebSocket(dial: Dial): Promise<Connection> {
  const query = { ...streamQuery(dial), batch: "1" };
  const path = streamPath("websocket", dial.sessionId);
  const Node = dial.WebSocket ? undefined : await findInstalled();
  if (Node) {
    const socket = new Node(dial.http.url(path, query, true), {
      headers: dial.http.authorization(), perMessageDeflate: false, maxPayload: MAX_MESSAGE, followRedirects: true,
    });
    const connection = new SocketConnection(dial, socket, socket);
    socket.on("unexpected-response", (_request, response) => refused(response, (error) => connection.fail(error)));
    return connection;
  }
  const Class = dial.WebSocket ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
  if (!Class) throw new NoSuchWay("there is no WebSocket here; install the package ws to have it");
  // Such a WebSocket sends no headers, so the right to watch goes into the URL, good for once.
  const { ticket } = await dial.http.json<TicketResponse>({
    method: "POST", path: "/stream/ticket", body: { session_id: dial.sessionId }, signal: dial.signal,
  });
  return new SocketConnection(dial, new Class(dial.http.url(path, { ...query, ticket }, true)));
}

/** Reads why an upgrade was refused. */
function refused(response: NodeResponse, done: (error: SpileError) => void): void {
  const status = response.statusCode ?? 0;
  const decoder = new TextDecoder();
  let body = "";
  const end = () => done(refusalOf(status, body, response.headers["retry-after"]?.toString()) ??
    errorOfStatus(status, response.statusMessage ?? ""));
  response.on("data", (chunk) => {
    if (body.length < MAX_REFUSAL) body += decoder.decode(chunk, { stream: true });
  });
  response.on("end", end);
  response.on("error", end);
  response.on("aborted", end);
}

/**
 * One WebSocket. What has come and was not read is bounded: a socket of Node is then read no further, and one of a
 * browser, which cannot wait, is closed, so that the reader comes back for the rest with its cursor.
 */
class SocketConnection implements Connection {
  readonly #dial: Dial;
  readonly #socket: WebSocketLike;
  readonly #node: NodeWebSocket | undefined;
  readonly #unfollow: () => void;
  readonly #watchdog: Watchdog;
  #messages: string[] = [];
  #held = 0;
  #paused = false;
  /** Set once nothing more comes: why, or null for an end in good order. */
  #over: Error | null | undefined;
  #wake: (() => void) | undefined;

  constructor(dial: Dial, socket: WebSocketLike, node?: NodeWebSocket) {
    this.#dial = dial;
    this.#socket = socket;
    this.#node = node;
    this.#watchdog = new Watchdog(dial.timing.silence, () => this.fail(silent(dial.timing)));
    this.#unfollow = follow(dial.signal, () => this.fail(dial.signal.reason as Error));
    socket.onmessage = (event) => this.#message(event.data);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
    socket.onerror = (event) => this.#failed(event);
  }

  async read(): Promise<readonly Frame[] | undefined> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.#took(message.length);
        const frames = message.split("\n").filter((line) => line !== "" && line !== "\r").map(parseFrame);
        if (frames.length > 0) return frames;
        continue;
      }
      if (this.#over === null) return undefined;
      if (this.#over) throw this.#over;
      this.#watchdog.start();
      await new Promise<void>((resolve) => { this.#wake = resolve; });
      this.#watchdog.stop();
    }
  }

  /** Ends the connection for a reason, at once. What had come is not read any more. */
  fail(why: Error): void {
    this.#messages = [];
    this.#end(why);
    this.#hangUp();
  }

  close(): void {
    this.fail(errorOf("unavailable", "the stream was closed"));
  }

  #message(data: unknown): void {
    if (this.#over !== undefined) return;
    if (typeof data !== "string") {
      this.fail(errorOf("internal_error", "the server sent a binary message on a stream"));
      return;
    }
    this.#watchdog.heard();
    this.#messages.push(data);
    this.#held += data.length;
    if (this.#held > this.#dial.timing.socketBuffer) this.#full();
    this.#wake?.();
  }

  /** Takes no more until there is room. */
  #full(): void {
    if (this.#node) {
      this.#paused = true;
      this.#node.pause();
      return;
    }
    this.#end(errorOf("slow_viewer", "frames come faster than they are taken; coming back with the cursor"));
    this.#hangUp();
  }

  #took(length: number): void {
    this.#held -= length;
    if (this.#paused && this.#held <= this.#dial.timing.socketBuffer / 2) {
      this.#paused = false;
      this.#node?.resume();
    }
  }

  #closed(code: number, reason: string): void {
    const why = reason === "" ? "" : `: ${reason}`;
    this.#end(code === NORMAL ? null : errorOf("unavailable", `the WebSocket closed with ${code}${why}`));
  }

  #failed(event: unknown): void {
    const text = (event as { message?: unknown }).message;
    const why = typeof text === "string" && text !== "" ? text : "the WebSocket failed";
    this.#end(errorOf("unavailable", `reach ${this.#dial.http.base}: ${why}`, { cause: event }));
  }

  #end(why: Error | null): void {
    if (this.#over !== undefined) return;
    this.#over = why;
    this.#unfollow();
    this.#watchdog.stop();
    this.#wake?.();
  }

  /** Lets go of the socket. */
  #hangUp(): void {
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    // Whatever else it has to complain about, nobody is interested.
    this.#socket.onerror = () => undefined;
    if (this.#node) this.#node.terminate();
    else this.#socket.close(NORMAL);
  }
}
