import { utf8Encode } from '@lagoon/base';

/**
 * Rendezvous hashing (Thaler and Ravishankar, 1998): every member gets a score for the key, the highest wins. When a
 * member goes, only its own keys move, each to its second choice; every process that knows the same members agrees.
 */
export interface Rendezvous<M> {
  /** All members, best first. The key's order is the same for every order in which the members were given. */
  rank(key: string): readonly M[];
}

export function createRendezvous<M>(members: readonly M[], idOf: (member: M) => string): Rendezvous<M> {
  const hashed = members
    .map((member) => ({ member, id: idOf(member) }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ member, id }) => ({ member, hash: fnv1a(id) }));
  return {
    rank: (key) => {
      const keyHash = fnv1a(key);
      return hashed
        .map(({ member, hash }) => ({ member, score: mix(mix(keyHash) ^ hash) }))
        .sort((a, b) => b.score - a.score)
        .map(({ member }) => member);
    },
  };
}

/** FNV-1a, 32 bits (Fowler, Noll and Vo). */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of utf8Encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** The finaliser of MurmurHash3 (Appleby): a bijection of 32 bits in which every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
