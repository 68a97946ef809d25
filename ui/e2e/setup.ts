import { mkdirSync } from 'node:fs';
import { SHOTS } from './browser';

/** Runs before all tests. */
export default function setup(): void {
  if (!process.env['SPILE_BIN']) throw new Error('SPILE_BIN must name the program under test; ci/page.sh builds it');
  mkdirSync(SHOTS, { recursive: true });
}
