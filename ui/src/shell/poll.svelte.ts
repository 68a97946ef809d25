import { untrack } from 'svelte';
import { app } from './app.svelte';

/**
 * Asks for something again and again while its component lives and the page is seen. value is the last answer, problem
 * why there is no newer one.
 */
export class Poll<T> {
  value = $state.raw<T>();
  problem = $state('');
  #ask: () => Promise<T>;
  #every: number;

  constructor(ask: () => Promise<T>, every: number) {
    this.#ask = ask;
    this.#every = every;
  }

  async now(): Promise<void> {
    try {
      this.value = await this.#ask();
      this.problem = '';
    } catch (err) {
      if (!app.refused(err)) this.problem = err instanceof Error ? err.message : String(err);
    }
  }

  /** Begins, and returns what ends it; for $effect. */
  run(): () => void {
    let timer: ReturnType<typeof setTimeout>;
    let over = false;
    const loop = async () => {
      if (!document.hidden) await this.now();
      if (!over) timer = setTimeout(() => void loop(), this.#every);
    };
    const seen = () => {
      if (!document.hidden) void this.now();
    };
    document.addEventListener('visibilitychange', seen);
    untrack(() => void loop());
    return () => {
      over = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }
}
