import type { Agent } from '@spile/client';
import { SelectorError, isSelector, parseSelector, selects } from './selector';

/** The agents that a text chooses, and why it cannot be read if so: a selector, or words that all occur. */
export function choose(agents: readonly Agent[], text: string): { agents: Agent[]; problem: string } {
  const typed = text.trim();
  if (isSelector(typed)) {
    try {
      const wanted = parseSelector(typed);
      return { agents: agents.filter((a) => selects(wanted, a.labels)), problem: '' };
    } catch (err) {
      if (!(err instanceof SelectorError)) throw err;
      return { agents: [...agents], problem: `${err.message} (at ${err.at + 1})` };
    }
  }
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  return { agents: agents.filter((a) => words.every((w) => textOf(a).includes(w))), problem: '' };
}

function textOf(agent: Agent): string {
  const labels = Object.entries(agent.labels).map(([k, v]) => `${k}=${v}`);
  const sources = agent.sources.map((s) => s.name);
  return [agent.name, agent.id, agent.status, agent.version, ...labels, ...sources].join(' ').toLowerCase();
}
