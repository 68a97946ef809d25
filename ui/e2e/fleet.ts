import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How long to wait for what must come; it bounds a hang. */
export const PATIENCE_MS = 60_000;

/** Waits until something holds. */
export async function until<T>(what: string, holds: () => Promise<T> | T): Promise<NonNullable<T>> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`gave up waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** One running program; what it printed is told when a test fails for it. */
class Program {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  printed = '';

  constructor(args: string[], env: Record<string, string> = {}) {
    this.#child = spawn(process.env['SPILE_BIN']!, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = new Promise((resolve) => this.#child.on('exit', () => resolve()));
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (data: Buffer) => {
        this.printed += data.toString();
      });
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

/** A server with agents and the files that those read, all of its own. */
export class Fleet {
  readonly folder = mkdtempSync(join(tmpdir(), 'spile-page-'));
  readonly #agents = new Map<string, Program>();
  #server: Program | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }
  get token(): string {
    return readFileSync(join(this.folder, 'server', 'admin.token'), 'utf8').trim();
  }

  /** Starts the server; a second time at the same address. */
  async serve(): Promise<void> {
    this.#port ||= await freePort();
    this.#server = new Program(['serve', '--data', join(this.folder, 'server'), '--listen', `127.0.0.1:${this.#port}`]);
    await until('the server is ready', () =>
      fetch(`${this.url}/readyz`).then(
        (r) => r.ok,
        () => false,
      ),
    );
  }

  async killServer(): Promise<void> {
    await this.#server?.kill();
  }

  /** Starts an agent that reads the files of the given sources. */
  async join(name: string, labels: Record<string, string>, sources: string[], more: string[] = []): Promise<void> {
    mkdirSync(join(this.folder, name), { recursive: true });
    for (const source of sources) appendFileSync(this.file(name, source), '');
    this.#agents.set(
      name,
      new Program([
        'agent',
        '--server',
        this.url,
        '--enrol-token-file',
        join(this.folder, 'server', 'enrol.token'),
        '--name',
        name,
        '--data',
        join(this.folder, name, 'data'),
        ...Object.entries(labels).flatMap(([k, v]) => ['--label', `${k}=${v}`]),
        ...more,
        ...sources.flatMap((source) => ['--file', `${source}=${this.file(name, source)}`]),
      ]),
    );
    await until(`agent ${name} is online`, async () =>
      (await this.agents()).some((a) => a.name === name && a.status === 'online'),
    );
  }

  async killAgent(name: string): Promise<void> {
    await this.#agents.get(name)?.kill();
  }

  file(agent: string, source: string): string {
    return join(this.folder, agent, `${source}.log`);
  }

  /** Appends lines to a source. */
  write(agent: string, source: string, lines: readonly string[]): void {
    appendFileSync(this.file(agent, source), lines.map((line) => `${line}\n`).join(''));
  }

  async call<T>(path: string, init: RequestInit = {}): Promise<T> {
    const headers = { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' };
    const answer = await fetch(`${this.url}/api/v1${path}`, { ...init, headers });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  }

  async agents(): Promise<{ name: string; id: string; status: string }[]> {
    return (await this.call<{ agents: { name: string; id: string; status: string }[] }>('/agents')).agents;
  }

  async sessions(): Promise<{ id: string; agents: { name: string }[]; filters: unknown }[]> {
    return (
      await this.call<{ sessions: { id: string; agents: { name: string }[]; filters: unknown }[] }>('/stream/sessions')
    ).sessions;
  }

  /** Ends all sessions, so that a test finds none of another's. */
  async stopSessions(): Promise<void> {
    for (const session of await this.sessions())
      await this.call('/stream/stop', { method: 'POST', body: JSON.stringify({ session_id: session.id }) });
  }

  async close(): Promise<void> {
    for (const agent of this.#agents.values()) await agent.kill();
    await this.#server?.kill();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A line as a shop would log it: every tenth warns, every 25th is an error. */
export function shopLine(n: number, over: Record<string, unknown> = {}): string {
  const [level, message] =
    n % 25 === 0
      ? ['error', 'payment was refused by the bank']
      : n % 10 === 0
        ? ['warn', 'stock is low, fewer than ten left']
        : n % 7 === 0
          ? ['debug', 'cache miss for the price list']
          : ['info', `order ${4000 + n} was placed`];
  return JSON.stringify({
    time: new Date().toISOString(),
    level,
    msg: message,
    n,
    user: { id: 100 + (n % 9) },
    region: ['eu', 'us', 'ap'][n % 3],
    duration_ms: (n * 37) % 900,
    ...over,
  });
}
