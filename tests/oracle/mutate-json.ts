/** One change of a JSON value: what it became, where, and whether no query can mean it. */
export interface Mutation {
  readonly title: string;
  /** As messages name places: `rank_by[1][0]`. */
  readonly path: string;
  readonly parent: string;
  /** JSON text: it may hold numbers that no double is. */
  readonly text: string;
  readonly isNonsense: boolean;
}

/** Raw JSON texts that stand in the place of a node. */
const replacements: readonly (readonly [name: string, text: string, isNonsense: boolean])[] = [
  ['null', 'null', false],
  ['true', 'true', false],
  ['7', '7', false],
  ['-1', '-1', false],
  ['half', '1.5', false],
  ['nothing', '""', false],
  ['[]', '[]', false],
  ['{}', '{}', false],
  ['an object', '{"zzz":1}', true],
  ['nested arrays', '[[[["zzz"]]]]', true],
  ['huge', '1e308', false],
  ['tiny', '5e-324', false],
  ['less than -huge', '-1e308', false],
  ['beyond f64', '1e999', true],
  ['below f64', '-1e999', true],
  ['beyond 64 bits', '36893488147419103232', false],
  ['half of a surrogate pair', '"\\ud800"', true],
  ['200 levels', `${'['.repeat(200)}${']'.repeat(200)}`, true],
];

type Tree = unknown;

/** Every change of every node. A text that begins with `free` may be any text. */
export function mutationsOf(value: Tree, path = '', wrap = (text: string): string => text): Mutation[] {
  const found: Mutation[] = [];
  visit(value, path, path, wrap, found);
  return found;
}

/** `wrap` puts a JSON text in the place of the node, into the text of the whole. */
function visit(node: Tree, path: string, parent: string, wrap: (text: string) => string, found: Mutation[]): void {
  const add = (title: string, text: string, isNonsense: boolean, at = path): void => {
    found.push({ title: `${path} is ${title}`, path: at, parent, text: wrap(text), isNonsense });
  };
  if (path !== '') {
    for (const [name, text, isNonsense] of replacements) add(name, text, isNonsense);
    if (typeof node === 'string') add('"zzz"', '"zzz"', !node.startsWith('free'));
  }
  if (Array.isArray(node)) {
    const texts = node.map((element) => JSON.stringify(element));
    const list = (elements: readonly string[]): string => `[${elements.join(',')}]`;
    for (const i of texts.keys()) add(`without [${i}]`, list(texts.toSpliced(i, 1)), false);
    add('longer', list([...texts, '{"zzz":1}']), true);
    for (const [i, element] of node.entries()) {
      visit(element, `${path}[${i}]`, path, (text) => wrap(list(texts.with(i, text))), found);
    }
  } else if (typeof node === 'object' && node !== null) {
    const entries = Object.entries(node).map(([name, one]) => [name, JSON.stringify(one)] as const);
    const fields = (some: readonly (readonly [string, string])[]): string =>
      `{${some.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
    for (const [i, [name]] of entries.entries()) add(`without ${name}`, fields(entries.toSpliced(i, 1)), false);
    add('with an unknown field', fields([...entries, ['zzz', '{"zzz":1}']]), true);
    for (const [i, [name, one]] of Object.entries(node).entries()) {
      const place = path === '' ? name : `${path}.${name}`;
      visit(one, place, path, (text) => wrap(fields(entries.with(i, [name, text]))), found);
    }
  }
}
