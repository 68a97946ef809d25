import type { Position } from './cursor';

/** How a reader paused, so that a reload pauses at the same place. */
export interface Paused {
  because: string;
  /** The last event of each agent that was shown. */
  shown: Position[];
  /** The first line in sight, when the reader was not at the end. */
  top?: Position;
}

/** The last events that were shown, by agent. */
export class Stand {
  #last = new Map<string, Position>();

  constructor(positions: readonly Position[] = []) {
    for (const at of positions) this.add(at);
  }

  add({ agent, epoch, seq }: Position): void {
    this.#last.set(agent, { agent, epoch, seq });
  }

  /** Whether an event is one of those, or came before them. */
  has({ agent, epoch, seq }: Position): boolean {
    const last = this.#last.get(agent);
    return last !== undefined && (epoch < last.epoch || (epoch === last.epoch && seq <= last.seq));
  }

  positions(): Position[] {
    return [...this.#last.values()];
  }
}

function isPosition(value: unknown): value is Position {
  const at = value as Partial<Position> | null;
  return typeof at?.agent === 'string' && typeof at.epoch === 'number' && typeof at.seq === 'number';
}

/** What was kept of a pause, undefined when there was none. */
export function readPaused(value: unknown): Paused | undefined {
  const was = value as Partial<Paused> | null;
  if (!Array.isArray(was?.shown) || !was.shown.every(isPosition)) return undefined;
  return {
    because: typeof was.because === 'string' ? was.because : '',
    shown: was.shown,
    ...(isPosition(was.top) ? { top: was.top } : {}),
  };
}
