// What the style sheet says about rows, asked once: measuring makes the browser lay out.

let row = 0;

/** The height of a row of one line, in pixels. */
export function rowHeight(): number {
  row ||= parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--row')) || 22;
  return row;
}

/** About how many characters of a message fit a row, so that wrapped rows can be estimated before they are drawn. */
export function textColumns(width: number, columns: number): number {
  const character = 7.55;
  const before = width < 640 ? 130 : 330 + columns * 130;
  return Math.max(20, Math.floor((width - before) / character));
}
