import { bytesText } from '../fleet/rates';
import { agentsTotal, sum } from './accounts';
import type { Accounts } from './frames';
import { gapReason } from './gap';

/** What is known when nothing is to be seen. */
export interface Situation {
  connected: boolean;
  ended: boolean;
  /** Whether the page had shown lines before it was loaded again. */
  returned: boolean;
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

/** What keeps a part of the lines from coming, as one more sentence; empty when nothing does. */
function obstacles(s: Situation, lost: [reason: string, bytes: number][]): string {
  const all = [
    ...lost.map(([reason, bytes]) => `${bytesText(bytes)} were not read: ${gapReason(reason)}`),
    ...s.unreachable.map((name) => `${name} cannot be reached`),
    ...s.problems,
  ];
  return all.length > 0 ? ` Problems: ${all.join('; ')}.` : '';
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
  if (s.ended && s.returned)
    return {
      why: 'The session has ended, and the lines that were shown before the reload are gone with it: the server keeps none.',
      help: 'Start a new one with the same filter, and with "since" for what the agents’ files still hold.',
    };
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
  const dropped = sum(total.dropped);
  if (dropped > 0)
    return {
      why: `${n(dropped)} events passed the filter and were dropped.`,
      help: 'Narrow the filter, or use the mode "complete".',
    };
  const lost = Object.entries(total.lost_bytes ?? {}).flatMap(([reason, bytes]) =>
    bytes ? [[reason, bytes] as [string, number]] : [],
  );
  const problems = obstacles(s, lost);
  if (total.seen > 0 && total.filtered >= total.seen) {
    const clauses = s.clauses.length > 0 ? s.clauses.join(', ') : 'the filter';
    return {
      why: `The agents have read ${n(total.seen)} lines, and the filter let none of them pass: ${clauses}.${problems}`,
      help: 'Loosen a clause.',
    };
  }
  if (total.seen > 0)
    return {
      why: `${n(total.seen)} lines were read, and what passed is under way.`,
      help: 'It should be here in a moment.',
    };
  return {
    why: `Nothing was ${lost.length > 0 ? 'read' : 'written'} since the session began.${problems}`,
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
