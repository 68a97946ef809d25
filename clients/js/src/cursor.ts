import { errorOf } from "./error.js";

/** Bytes of a UUID. */
const UUID_BYTES = 16;

interface Position { epoch: number; seq: number }

/**
 * Where a reader stands: for each agent the last event that it has. Two forms of one thing: this, and the cursor, which
 * is base64url without padding of, for each agent, 16 bytes of UUID and epoch and number as unsigned varints.
 */
export class Positions {
  readonly #at = new Map<string, Position>();

  /** Begins at a cursor. */
  seed(cursor: string): void {
    for (const [agent, at] of parseCursor(cursor)) this.#at.set(agent, at);
  }

  /** Adds the agents of a cursor that were not heard of yet. */
  learn(cursor: string): void {
    for (const [agent, at] of parseCursor(cursor)) {
      if (!this.#at.has(agent)) this.#at.set(agent, at);
    }
  }

  /** Moves an agent to an event, and says whether that lies ahead: false is a double. */
  advance(agent: string, epoch: number, seq: number): boolean {
    const at = this.#at.get(agent);
    if (at === undefined) {
      this.#at.set(agent, { epoch, seq });
      return true;
    }
    if (at.epoch === epoch && seq <= at.seq) return false;
    at.epoch = epoch;
    at.seq = seq;
    return true;
  }

  /** The cursor; undefined where no agent was heard of. */
  get cursor(): string | undefined {
    const bytes: number[] = [];
    for (const [agent, at] of this.#at) {
      const hex = agent.replaceAll("-", "");
      // An agent whose id is no UUID has no place in a cursor.
      if (!/^[0-9a-f]{32}$/i.test(hex)) continue;
      for (let i = 0; i < UUID_BYTES; i++) bytes.push(Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
      pushVarint(bytes, at.epoch);
      pushVarint(bytes, at.seq);
    }
    if (bytes.length === 0) return undefined;
    const binary = bytes.map((byte) => String.fromCharCode(byte)).join("");
    return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  }
}

/** Appends an unsigned varint; numbers grow past 32 bits, so no bit operators. */
function pushVarint(bytes: number[], n: number): void {
  for (; n >= 128; n = Math.floor(n / 128)) bytes.push((n % 128) + 128);
  bytes.push(n);
}

function parseCursor(text: string): [string, Position][] {
  const bytes = decode(text);
  let next = 0;
  const varint = (): number => {
    for (let n = 0, scale = 1; next < bytes.length; scale *= 128) {
      const byte = bytes[next++] as number;
      n += (byte % 128) * scale;
      if (n > Number.MAX_SAFE_INTEGER) break;
      if (byte < 128) return n;
    }
    throw malformed();
  };
  const out: [string, Position][] = [];
  while (next < bytes.length) {
    if (bytes.length - next < UUID_BYTES) throw malformed();
    const hex = bytes.slice(next, next + UUID_BYTES).map((byte) => byte.toString(16).padStart(2, "0")).join("");
    next += UUID_BYTES;
    const agent = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
    out.push([agent, { epoch: varint(), seq: varint() }]);
  }
  return out;
}

function decode(text: string): number[] {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw malformed();
  try {
    return Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  } catch {
    throw malformed();
  }
}

function malformed(): Error {
  const why = "not a cursor: must be the text of an id or cursor that a stream gave";
  return errorOf("validation_error", `after: ${why}`, { details: { after: why } });
}
