import type { Item } from './store';

/** The text of an item that a search looks through: what is seen of it, and the whole of its metadata. */
export function haystack(item: Item): string {
  if (item.kind === 'note') return item.text;
  if (item.kind === 'gap') return `${item.gap.reason} ${item.gap.file ?? ''}`;
  const { message, source, metadata } = item.log;
  for (const _ in metadata) return `${message}\n${source}\n${JSON.stringify(metadata)}`;
  return `${message}\n${source}`;
}
