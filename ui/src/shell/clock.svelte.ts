/** The page's clock. It ticks once a second for what counts down, and knows how far the server's is from it. */
class Clock {
  now = $state(Date.now());
  /** The server's clock minus ours, in milliseconds. */
  #offset = 0;

  constructor() {
    setInterval(() => {
      this.now = Date.now();
    }, 1000);
  }

  /** Learns the server's time from an answer that has just come. */
  learn(serverTime: string): void {
    const offset = Date.parse(serverTime) - Date.now();
    // Within this the way of the answer counts for as much as the clocks.
    this.#offset = Math.abs(offset) < 2000 ? 0 : offset;
  }

  /** The server's time now. */
  server(): number {
    return Date.now() + this.#offset;
  }

  /** How many milliseconds it is until a time of the server, as of the last tick. */
  until(serverTime: number): number {
    return serverTime - (this.now + this.#offset);
  }
}

export const clock = new Clock();
