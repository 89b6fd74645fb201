/** Every change of a protobuf message, given as plain fields: one field at a time gets a value that it may have on the wire. */
export interface MessageMutation {
  readonly title: string;
  readonly message: unknown;
}

const hostileNumbers = [0, 1, 2 ** 32 - 1];
const hostileDoubles = [Number.NaN, Number.POSITIVE_INFINITY, -1e308, 5e-324];
/** More than any bound of a list, but for values and parts of filters. */
const manyCount = 1_100;

/** `kept`: names of fields that stay as they are. */
export function messageMutationsOf(message: unknown, kept: readonly string[]): MessageMutation[] {
  const found: MessageMutation[] = [];
  const visit = (node: unknown, path: string, wrap: (one: unknown) => unknown): void => {
    const add = (name: string, value: unknown): void => {
      found.push({ title: `${path} is ${name}`, message: wrap(value) });
    };
    for (const [name, value] of hostileValues(node)) add(name, value);
    if (Array.isArray(node)) {
      add('empty', []);
      const copies = Array.from({ length: manyCount }, () => node[0] as unknown);
      if (node.length > 0) add('the same many times', copies);
      for (const [i, element] of node.entries()) visit(element, `${path}[${i}]`, (one) => wrap(node.with(i, one)));
    } else if (isFields(node)) {
      if (path !== '') add('absent', 'case' in node ? { case: undefined } : {});
      for (const [name, value] of Object.entries(node)) {
        if (name === 'case' || kept.includes(name)) continue;
        visit(value, path === '' ? name : `${path}.${name}`, (one) => wrap({ ...node, [name]: one }));
      }
    }
  };
  visit(message, '', (one) => one);
  return found;
}

/** A field that holds a fraction is a double; whole numbers may be enums and sizes, which are 32 bits wide. */
function hostileValues(node: unknown): readonly (readonly [string, unknown])[] {
  if (typeof node === 'string') {
    return [
      ['"zzz"', 'zzz'],
      ['empty', ''],
      ['20,000 characters', 'z'.repeat(20_000)],
    ];
  }
  if (typeof node === 'boolean') return [['turned', !node]];
  if (typeof node === 'bigint') return [['2^63 - 1', 2n ** 63n - 1n]];
  if (node instanceof Uint8Array) {
    return [
      ['cut', node.subarray(1)],
      ['empty', new Uint8Array(0)],
      ['NaN', new Uint8Array(node.length).fill(255)],
      ['43,012 bytes', new Uint8Array(43_012)],
    ];
  }
  if (typeof node !== 'number') return [];
  const numbers = Number.isInteger(node) ? hostileNumbers : hostileDoubles;
  return numbers.map((number) => [String(number), number]);
}

function isFields(node: unknown): node is Readonly<Record<string, unknown>> {
  return typeof node === 'object' && node !== null && !(node instanceof Uint8Array);
}
