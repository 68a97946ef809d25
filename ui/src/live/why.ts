import { agentsTotal, sum } from './accounts';
import type { Accounts } from './frames';

/** What is known when nothing is to be seen. */
export interface Situation {
  connected: boolean;
  ended: boolean;
  /** How many events are in memory, and how many are drawn. */
  kept: number;
  drawn: number;
  accounts: Accounts | undefined;
  /** The names of agents that cannot be reached, and how many there are in all. */
  unreachable: readonly string[];
  agents: number;
  /** Problems of the sources that were asked for, in words. */
  problems: readonly string[];
  /** The clauses of the session's filter, in words. */
  clauses: readonly string[];
}

/** Why nothing is to be seen, and what would help; undefined when there is nothing to explain. */
export interface Why {
  why: string;
  help: string;
}

const n = (count: number) => count.toLocaleString('en');

/** Answers "nothing comes: why?" from the accounts, the nearest cause first. */
export function why(s: Situation): Why | undefined {
  if (s.drawn > 0) return undefined;
  if (s.kept > 0) {
    return {
      why: `${n(s.kept)} events have come, and none passes what this page narrows by.`,
      help: 'Clear the narrowing above the list.',
    };
  }
  if (s.ended) return { why: 'The session has ended.', help: 'Start a new one with the same filter.' };
  if (!s.connected)
    return { why: 'The server cannot be reached now.', help: 'The page returns by itself, to where it was.' };
  if (s.unreachable.length >= s.agents && s.agents > 0) {
    return {
      why: s.agents === 1 ? 'The agent cannot be reached.' : `None of the ${s.agents} agents can be reached.`,
      help: 'They go on where they were when they are back.',
    };
  }
  const total = agentsTotal(s.accounts);
  const lost = sum(total.dropped);
  if (lost > 0)
    return {
      why: `${n(lost)} events passed the filter and were dropped.`,
      help: 'Narrow the filter, or use the mode "complete".',
    };
  if (total.seen > 0 && total.filtered >= total.seen) {
    const clauses = s.clauses.length > 0 ? s.clauses.join(', ') : 'the filter';
    return {
      why: `The agents have read ${n(total.seen)} lines, and the filter let none of them pass: ${clauses}.`,
      help: 'Loosen a clause.',
    };
  }
  if (total.seen > 0)
    return {
      why: `${n(total.seen)} lines were read, and what passed is under way.`,
      help: 'It should be here in a moment.',
    };
  const problems = s.problems.length > 0 ? ` Problems: ${s.problems.join('; ')}.` : '';
  return {
    why: `Nothing was written since the session began.${problems}`,
    help: 'Ask for history with "since" or "last lines", or look at the sources in the fleet.',
  };
}

/** The clauses of a session's filter in words. */
export function filterClauses(filters: {
  level?: string[];
  min_level?: string;
  source?: string[];
  pattern?: string;
  scope?: string[];
}): string[] {
  const out: string[] = [];
  if (filters.level?.length) out.push(`level ${filters.level.join(' or ')}`);
  if (filters.min_level) out.push(`level ≥ ${filters.min_level}`);
  if (filters.source?.length) out.push(`source ${filters.source.join(' or ')}`);
  if (filters.pattern) out.push(`pattern ${filters.pattern}`);
  if (filters.scope?.length) out.push(`scope ${filters.scope.join(' and ')}`);
  return out;
}
