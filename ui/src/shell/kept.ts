// What the reader set and the page remembers. A browser may refuse to keep anything; then it lasts until a reload.

function guarded<T>(act: () => T, otherwise: T): T {
  try {
    return act();
  } catch {
    return otherwise;
  }
}

function place(storage: () => Storage) {
  return {
    get: (key: string): string | null => guarded(() => storage().getItem(key), null),
    set: (key: string, value: string): void => guarded(() => storage().setItem(key, value), undefined),
    /** The value of a key that holds JSON. */
    read: <T>(key: string, otherwise: T): T =>
      guarded(() => JSON.parse(storage().getItem(key) ?? 'null') as T | null, null) ?? otherwise,
    write: (key: string, value: unknown): void =>
      guarded(() => storage().setItem(key, JSON.stringify(value)), undefined),
  };
}

/** Kept in this browser. */
export const kept = place(() => localStorage);

/** Kept in this tab, over a reload. */
export const keptHere = place(() => sessionStorage);
