import { describe, expect, it } from 'vitest';
import { Store, type Item } from './store';
import { log } from './fixture';
import { Found, View } from './view';

const even = (item: Item) => item.kind === 'log' && item.log.seq % 2 === 0;

describe('view', () => {
  it('follows the store', () => {
    const store = new Store(10);
    const view = new View(even);
    for (let i = 0; i < 25; i++) view.push(store.addLog(log(i)));
    expect(view.dropBefore(store.firstId)).toBe(8);
    expect(view.left).toBe(8);
    expect([...view]).toEqual([16, 18, 20, 22, 24]);
    expect(view.at(0)).toBe(16);
    expect(view.at(-1)).toBeUndefined();
    expect(view.indexOf(20)).toBe(2);
    expect(view.indexOf(19)).toBe(2);
    expect(view.has(19)).toBe(false);
    view.passes = () => true;
    view.rebuild(store);
    expect(view.length).toBe(10);
  });
});

describe('found', () => {
  it('goes around', () => {
    const found = new Found();
    for (const id of [3, 7, 9]) found.push(id);
    expect([found.next(3), found.next(4), found.next(9)]).toEqual([7, 7, 3]);
    expect([found.previous(3), found.previous(8), found.previous(9)]).toEqual([9, 7, 7]);
    expect(found.upTo(7)).toBe(2);
    found.dropBefore(5);
    expect([found.length, found.next(9)]).toEqual([2, 7]);
    found.dropBefore(50);
    expect(found.next(1)).toBeUndefined();
  });
});
