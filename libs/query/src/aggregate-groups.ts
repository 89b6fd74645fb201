import { invalidAt } from '@lagoon/base';

/** Groups of rows by codes of their keys: a tree with a level per key, whose nodes of the last level are the groups. */
export interface GroupTree {
  /** The node below `node` of a level, made when it is new; the root is 0. `invalid_argument` past the bound. */
  child(level: number, node: number, code: number): number;
  /** Codes of each group, in the order in which groups were met. Without keys there is one group. */
  paths(): readonly (readonly number[])[];
}

/** Codes are below 2³². */
export function createGroupTree(levelCount: number, groupCountMax: number): GroupTree {
  const levels = Array.from({ length: levelCount }, () => new Map<number, number>());
  return {
    child: (level, node, code) => {
      const nodes = levels[level] as Map<number, number>;
      const place = node * 2 ** 32 + code; // nodes are fewer than 2²¹
      const found = nodes.get(place);
      if (found !== undefined) return found;
      if (nodes.size >= groupCountMax) {
        throw invalidAt('group_by', 'too many groups: filter the rows or group by fewer attributes', {
          max: groupCountMax,
        });
      }
      nodes.set(place, nodes.size);
      return nodes.size - 1;
    },
    paths: () => {
      let paths: (readonly number[])[] = [[]];
      for (const nodes of levels) {
        const above = paths;
        paths = [...nodes.keys()].map((place) => {
          const node = Math.floor(place / 2 ** 32);
          return [...(above[node] ?? []), place % 2 ** 32];
        });
      }
      return paths;
    },
  };
}
