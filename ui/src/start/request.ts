import type { Context, Filters, StartOptions } from '@spile/client';
import type { Clause } from '../live/narrow';

/** The most lines before and after a match. */
const MAX_CONTEXT = 100;

/** What the form holds. It is also what stands in the address, so that a link is a filled form. */
export interface Form {
  agents: string[];
  levels: string[];
  minLevel: string;
  sources: string[];
  pattern: string;
  scope: string[];
  since: string;
  tail: string;
  /** Lines around a match. */
  before: string;
  after: string;
  /** Minutes. */
  length: string;
  mode: 'live' | 'complete';
  raw: boolean;
  reason: string;
}

export const EMPTY: Readonly<Form> = {
  agents: [],
  levels: [],
  minLevel: '',
  sources: [],
  pattern: '',
  scope: [],
  since: '',
  tail: '',
  before: '',
  after: '',
  length: '5',
  mode: 'live',
  raw: false,
  reason: '',
};

/** The form of an address. */
export function formOf(params: URLSearchParams): Form {
  return {
    agents: params.getAll('agent'),
    levels: params.getAll('level'),
    minLevel: params.get('min_level') ?? '',
    sources: params.getAll('source'),
    pattern: params.get('pattern') ?? '',
    scope: params.getAll('scope'),
    since: params.get('since') ?? '',
    tail: params.get('tail') ?? '',
    before: params.get('before') ?? '',
    after: params.get('after') ?? '',
    length: params.get('length') ?? EMPTY.length,
    mode: params.get('mode') === 'complete' ? 'complete' : 'live',
    raw: params.get('raw') === '1',
    reason: params.get('reason') ?? '',
  };
}

/** The address of a form; what is as in an empty one is left out. */
export function paramsOf(form: Form): URLSearchParams {
  const out = new URLSearchParams();
  for (const agent of form.agents) out.append('agent', agent);
  for (const level of form.levels) out.append('level', level);
  if (form.minLevel) out.set('min_level', form.minLevel);
  for (const source of form.sources) out.append('source', source);
  if (form.pattern) out.set('pattern', form.pattern);
  for (const scope of form.scope) out.append('scope', scope);
  if (form.since) out.set('since', form.since);
  if (form.tail) out.set('tail', form.tail);
  if (form.before) out.set('before', form.before);
  if (form.after) out.set('after', form.after);
  if (form.length !== EMPTY.length) out.set('length', form.length);
  if (form.mode !== EMPTY.mode) out.set('mode', form.mode);
  if (form.raw) out.set('raw', '1');
  if (form.reason) out.set('reason', form.reason);
  return out;
}

/** What is wrong with a form before the server is asked, by field. */
export function problems(form: Form): Record<string, string> {
  const out: Record<string, string> = {};
  if (form.agents.length === 0) out['agents'] = 'choose at least one agent';
  const minutes = Number(form.length);
  if (!(minutes > 0 && minutes <= 60)) out['timeout_seconds'] = 'a length is more than 0 and at most 60 minutes';
  if (form.tail !== '' && !/^\d+$/.test(form.tail)) out['tail'] = 'how many lines: a whole number';
  for (const where of ['before', 'after'] as const)
    if (!/^\d*$/.test(form[where]) || Number(form[where]) > MAX_CONTEXT)
      out[`context.${where}`] = `how many lines ${where} a match: a whole number from 0 to ${MAX_CONTEXT}`;
  for (const pair of form.scope) if (!/^[^:]+:/.test(pair)) out['filters.scope'] = `${pair}: key:value is expected`;
  return out;
}

/** The session to start. */
export function startOptions(form: Form): StartOptions {
  return {
    agents: form.agents,
    timeout: Math.max(1, Math.round(Number(form.length) * 60)),
    mode: form.mode,
    raw: form.raw || undefined,
    reason: form.reason || undefined,
    since: form.since || undefined,
    tail: form.tail === '' ? undefined : Number(form.tail),
    context: form.before || form.after ? { before: Number(form.before), after: Number(form.after) } : undefined,
    filters: {
      level: form.levels.length > 0 ? form.levels : undefined,
      minLevel: form.minLevel || undefined,
      source: form.sources.length > 0 ? form.sources : undefined,
      pattern: form.pattern || undefined,
      scope: form.scope.length > 0 ? form.scope : undefined,
    },
    events: 'all',
  };
}

/** The form that would start a session again. */
export function formOfSession(session: {
  agents: { id: string; name: string }[];
  filters: Filters;
  context?: Context;
  mode: 'live' | 'complete';
  raw?: boolean;
  reason?: string;
}): Form {
  const f = session.filters;
  return {
    ...EMPTY,
    agents: session.agents.map((a) => a.name),
    levels: f.level ?? [],
    minLevel: f.min_level ?? '',
    sources: f.source ?? [],
    pattern: f.pattern ?? '',
    scope: f.scope ?? [],
    before: session.context?.before ? String(session.context.before) : '',
    after: session.context?.after ? String(session.context.after) : '',
    mode: session.mode,
    raw: session.raw === true,
    reason: session.reason ?? '',
  };
}

/**
 * A form narrowed by what the page narrows by, as far as a session's filter can say it: it knows sets of levels and
 * sources, agents, and what metadata must hold, but nothing that is held against.
 */
export function withClauses(
  form: Form,
  clauses: readonly Clause[],
  agentName: (id: string) => string,
): { form: Form; left: Clause[] } {
  const out: Form = { ...form, levels: [...form.levels], scope: [...form.scope] };
  const left: Clause[] = [];
  const values = (field: string) => clauses.filter((c) => !c.not && c.field === field).map((c) => c.value);
  if (values('level').length > 0) {
    out.levels = values('level');
    out.minLevel = '';
  }
  if (values('source').length > 0) out.sources = values('source');
  if (values('agent').length > 0) out.agents = values('agent').map(agentName);
  for (const clause of clauses) {
    if (clause.not || clause.field === 'message') left.push(clause);
    else if (clause.field.startsWith('.')) {
      if (values(clause.field).length > 1) left.push(clause);
      else out.scope.push(`${clause.field.slice(1)}:${clause.value}`);
    }
  }
  return { form: out, left };
}
