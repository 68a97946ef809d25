import { plain } from './visible';
import type { Log } from './frames';

/**
 * A clause narrows what is drawn of the events that have come; the session itself is not changed. field is level,
 * source, agent, message, or a name within the metadata after a dot at the beginning: ".user.id".
 */
export interface Clause {
  field: string;
  value: string;
  not: boolean;
}

/** What a value is as text: that of JSON for what is not text itself. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : JSON.stringify(value);
}

/** The value of a name in metadata: the member of that very name, else along the dots. */
export function lookup(metadata: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(metadata, name)) return metadata[name];
  for (let dot = name.indexOf('.'); dot > 0; dot = name.indexOf('.', dot + 1)) {
    const inner = metadata[name.slice(0, dot)];
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) continue;
    const found = lookup(inner as Record<string, unknown>, name.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The text of a field of an event, undefined when it has none. */
export function fieldOf(log: Log, field: string): string | undefined {
  if (field.startsWith('.')) {
    const value = lookup(log.metadata, field.slice(1));
    return value === undefined ? undefined : textOf(value);
  }
  const value = log[field as 'level' | 'source' | 'agent' | 'message'];
  return value === undefined ? undefined : String(value);
}

/**
 * Whether an event is drawn: of the clauses for a field one must hold, of those against none may. The message is
 * compared as a part, everything else as a whole.
 */
export function passes(log: Log, clauses: readonly Clause[]): boolean {
  const wanted = new Map<string, boolean>();
  for (const clause of clauses) {
    const value = fieldOf(log, clause.field);
    const holds =
      value !== undefined && (clause.field === 'message' ? value.includes(clause.value) : value === clause.value);
    if (clause.not && holds) return false;
    if (!clause.not) wanted.set(clause.field, holds || wanted.get(clause.field) === true);
  }
  for (const held of wanted.values()) if (!held) return false;
  return true;
}

/** Adds a clause; one that says the opposite of the same value gives way to it. */
export function withClause(clauses: readonly Clause[], added: Clause): Clause[] {
  const same = (c: Clause) => c.field === added.field && c.value === added.value;
  return [...clauses.filter((c) => !same(c)), added];
}

/** A clause as people read it. */
export function clauseText(clause: Clause, agentName: (id: string) => string): string {
  const value = clause.field === 'agent' ? agentName(clause.value) : clause.value;
  const sign = clause.field === 'message' ? (clause.not ? 'without' : 'has') : clause.not ? '≠' : '=';
  return plain(`${clause.field.replace(/^\./, '')} ${sign} ${value}`);
}

/** All leaves of metadata by their dotted names, for columns and the detail of an event. */
export function leaves(metadata: Record<string, unknown>, prefix = ''): [string, unknown][] {
  const out: [string, unknown][] = [];
  for (const [key, value] of Object.entries(metadata)) {
    const inner = value !== null && typeof value === 'object' && !Array.isArray(value);
    if (inner && Object.keys(value).length > 0)
      out.push(...leaves(value as Record<string, unknown>, `${prefix}${key}.`));
    else out.push([`${prefix}${key}`, value]);
  }
  return out;
}
