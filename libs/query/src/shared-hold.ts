import { assert } from '@lagoon/base';

/** What several steps hold: let go when the last share and the hold itself are disposed of. */
export interface SharedHold extends Disposable {
  /** To be disposed of once. */
  share(): Disposable;
  /** Lets this go too. */
  add(more: Disposable): void;
}

export function createSharedHold(...first: readonly Disposable[]): SharedHold {
  const held = [...first];
  let holderCount = 0;
  const share = (): Disposable => {
    holderCount++;
    let disposed = false;
    return {
      [Symbol.dispose]: () => {
        if (disposed) return;
        disposed = true;
        if (--holderCount > 0) return;
        for (const one of held) one[Symbol.dispose]();
      },
    };
  };
  const own = share();
  return {
    share: () => {
      assert(holderCount > 0, 'what is shared is held');
      return share();
    },
    add: (more) => void held.push(more),
    [Symbol.dispose]: () => own[Symbol.dispose](),
  };
}
