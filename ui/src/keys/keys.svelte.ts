import { untrack } from 'svelte';
import { kept } from '../shell/kept';

/**
 * Keys that do the same. Each is what KeyboardEvent.key says; two with a blank between are pressed after one another.
 */
export interface Key {
  keys: string[];
  does: string;
  run: () => void;
}

/** Keys that belong together on the help sheet. */
export interface KeyGroup {
  title: string;
  keys: Key[];
}

const SETTING = 'spile.keys';

/** How long the second key of a pair may take. */
const PAIR_MS = 1200;

/**
 * The keys that are alive now: those of the page and those of the view that is open. Keys that are characters can be
 * turned off, since speech input types them.
 */
class Keys {
  groups = $state.raw<KeyGroup[]>([]);
  single = $state(kept.get(SETTING) !== 'off');
  #first = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Adds groups and returns what removes them; for $effect. */
  add(...groups: KeyGroup[]): () => void {
    // Who adds some does not depend on the others.
    untrack(() => {
      this.groups = [...this.groups, ...groups];
    });
    return () => {
      this.groups = this.groups.filter((one) => !groups.includes(one));
    };
  }

  setSingle(on: boolean): void {
    this.single = on;
    kept.set(SETTING, on ? 'on' : 'off');
  }

  handle = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!this.single && event.key.length === 1) return;
    if (typing(event.target) || document.querySelector('dialog[open]')) return;
    const pressed = this.#first ? `${this.#first} ${event.key}` : event.key;
    this.#first = '';
    clearTimeout(this.#timer);
    const all = this.groups.flatMap((group) => group.keys);
    const hit = all.find((one) => one.keys.includes(pressed));
    if (hit) {
      if (claims(event)) return;
      event.preventDefault();
      hit.run();
    } else if (all.some((one) => one.keys.some((key) => key !== ' ' && key.startsWith(`${pressed} `)))) {
      this.#first = pressed;
      this.#timer = setTimeout(() => {
        this.#first = '';
      }, PAIR_MS);
    }
  };
}

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio', 'button'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}

/** Keys with which a browser moves what is in focus. */
const MOVES = ['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End'];

/** Whether the element in focus does something of its own with the key. */
function claims(event: KeyboardEvent): boolean {
  if (!(event.target instanceof HTMLElement)) return false;
  const presses = event.key === 'Enter' || event.key === ' ';
  if (presses && event.target.closest('button, a, summary, input')) return true;
  return MOVES.includes(event.key) && event.target.closest('aside, [role=dialog]') !== null;
}

export const keys = new Keys();
