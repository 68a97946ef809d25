type Listener<Args extends unknown[]> = (...args: Args) => void;

/** Calls listeners by the name of an event. One that throws does not keep the others from being called. */
export class Emitter<Events extends { [name in keyof Events]: unknown[] }> {
  readonly #listeners = new Map<keyof Events, Set<unknown>>();

  /** Adds a listener; what is returned removes it. */
  add<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    let set = this.#listeners.get(name);
    if (!set) this.#listeners.set(name, set = new Set());
    set.add(listener);
    return () => this.remove(name, listener);
  }

  /** Removes a listener. */
  remove<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): void {
    this.#listeners.get(name)?.delete(listener);
  }

  /** Whether anybody listens. */
  heard(name: keyof Events): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  /** Calls the listeners. */
  emit<Name extends keyof Events>(name: Name, ...args: Events[Name]): void {
    const set = this.#listeners.get(name);
    if (!set) return;
    for (const listener of [...set]) {
      try {
        (listener as Listener<unknown[]>)(...args);
      } catch (error) {
        report(error);
      }
    }
  }
}

/** Throws an error where nobody but the host catches it: an uncaught exception, as that of any event's listener. */
export function report(error: unknown): void {
  queueMicrotask(() => { throw error; });
}
