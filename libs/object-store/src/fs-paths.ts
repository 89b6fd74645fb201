/**
 * How keys become paths below a root, reversibly, on any file system (also one that folds case or normalises Unicode).
 *
 * - A key's UTF-8 is split at `/`. Bytes other than `a-z 0-9 - _ . = ~ @ +` become `%` and two lower-case hex digits; so does a
 *   leading dot.
 * - The object's file ends in `.obj`, and no folder does (its dot is escaped), so `a` and `a/b` can both be objects.
 * - An empty component is `%e`.
 * - A component of 80 bytes and more is cut into folders of 80 bytes, each marked by a trailing `%`; a remainder, maybe empty,
 *   follows. The cut is by a fixed number of bytes so that the keys below one folder stay together in the order of listings.
 *
 * So a name that begins with a dot is never made by a key.
 *
 * "Byte string" here is a string with one character per byte: `<` on them is the order of listings.
 */
export const temporaryFolder = '.tmp';

const fileSuffix = '.obj';
const escapedFileSuffix = '%2eobj';
const componentBytesMax = 80;
const continuationMark = '%';
const emptyComponent = '%e';

export function byteStringOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function textOf(byteString: string): string {
  return Buffer.from(byteString, 'latin1').toString('utf8');
}

/** The path of a key's file, relative to the root, with `/`. */
export function pathOfKey(key: string): string {
  const components = byteStringOf(key).split('/');
  const file = components.pop() ?? '';
  return [...components.map(escapeFolder), `${escapePieces(file)}${fileSuffix}`].join('/');
}

/** The folder of all keys that begin with a byte string that is empty or ends in `/`; `''` is the root. */
export function pathOfFolder(keyPrefix: string): string {
  return keyPrefix === '' ? '' : keyPrefix.slice(0, -1).split('/').map(escapeFolder).join('/');
}

/**
 * What an entry of a folder adds to the keys below it, as a byte string: a whole last component for a file, the beginning of longer
 * keys for a folder. `undefined` when no key makes such a name.
 */
export function keyPartOfEntry(name: string, isFolder: boolean): string | undefined {
  if (!isFolder) {
    if (!name.endsWith(fileSuffix)) return undefined;
    return unescapePiece(name.slice(0, -fileSuffix.length));
  }
  if (name.endsWith(continuationMark)) {
    const piece = unescapePiece(name.slice(0, -1));
    return piece?.length === componentBytesMax ? piece : undefined;
  }
  if (name.endsWith(fileSuffix)) return undefined;
  let component = unescapePiece(name);
  if (component === undefined && name.endsWith(escapedFileSuffix)) {
    component = unescapePiece(name.slice(0, -escapedFileSuffix.length) + fileSuffix);
  }
  return component === undefined ? undefined : `${component}/`;
}

function escapeFolder(component: string): string {
  const escaped = escapePieces(component);
  return escaped.endsWith(fileSuffix) ? escaped.slice(0, -fileSuffix.length) + escapedFileSuffix : escaped;
}

function escapePieces(component: string): string {
  if (component.length < componentBytesMax) return escapePiece(component);
  const piece = escapePiece(component.slice(0, componentBytesMax));
  return `${piece}${continuationMark}/${escapePieces(component.slice(componentBytesMax))}`;
}

function escapePiece(piece: string): string {
  if (piece === '') return emptyComponent;
  return piece.replace(/^\.|[^a-z0-9\-_.=~@+]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function unescapePiece(escaped: string): string | undefined {
  if (escaped === emptyComponent) return '';
  const piece = escaped.replace(/%([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return escapePiece(piece) === escaped ? piece : undefined;
}
