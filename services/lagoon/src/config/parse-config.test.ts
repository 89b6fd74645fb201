import { describe, expect, test } from '@jest/globals';
import { nearest } from './nearest.ts';
import { type ConfigSources, parseSettings } from './parse-config.ts';
import { toServerConfig } from './server-config.ts';
import { settingNames, settings } from './settings.ts';

const none: ConfigSources = { environment: {}, flags: {} };
const fileOf = (values: Record<string, unknown>) => ({ path: 'lagoon.yaml', values });
const configOf = (flags: Record<string, unknown>) => toServerConfig(parseSettings({ ...none, flags }));

describe('settings', () => {
  test('every setting has a default, a description and what it expects', () => {
    const values = parseSettings(none);
    for (const name of settingNames) {
      expect(Object.hasOwn(values, name)).toBe(true);
      expect(settings[name].description).toMatch(/\.$/);
      expect(settings[name].expects).not.toBe('');
    }
    expect(values['http-host']).toBe('127.0.0.1');
    expect(values['cache-bytes']).toBe(2 * 2 ** 30);
  });

  test('a flag wins over the environment, the environment over the file', () => {
    const file = fileOf({ 'http-port': 1, 'grpc-port': 1, 'worker-count': 1 });
    const environment = { LAGOON_HTTP_PORT: '2', LAGOON_GRPC_PORT: '2' };
    const values = parseSettings({ file, environment, flags: { 'http-port': '3' } });
    expect([values['http-port'], values['grpc-port'], values['worker-count']]).toEqual([3, 2, 1]);
  });

  test.each([
    [{ 'http-port': '65536' }, '--http-port: expected an integer from 0 to 65535, not "65536"'],
    [{ 'http-port': '80x' }, '--http-port: expected an integer from 0 to 65535, not "80x"'],
    [{ fsync: 'maybe' }, '--fsync: expected true or false, not "maybe"'],
    [{ 'cache-bytes': '3KiB' }, '--cache-bytes: expected a size from 64MiB'],
    [{ 'log-level': 'loud' }, '--log-level: expected one of debug, info, warn, error, silent, not "loud"'],
    [{ 'trace-sample-ratio': '1.5' }, '--trace-sample-ratio: expected a number from 0 to 1'],
    [{ 'query-addresses': '' }, '--query-addresses: expected host:port'],
  ])('%j is refused by name', (flags, message) => {
    expect(() => parseSettings({ ...none, flags })).toThrow(message);
  });

  test('a bad variable or key of the file is named as such', () => {
    expect(() => parseSettings({ ...none, environment: { LAGOON_HTTP_PORT: 'tcp://10.0.0.1:80' } })).toThrow(
      'LAGOON_HTTP_PORT: expected an integer',
    );
    expect(() => parseSettings({ ...none, file: fileOf({ 'http-port': [] }) })).toThrow(
      'config file lagoon.yaml: http-port: expected an integer',
    );
  });

  test('an unknown key of the file is named, with the nearest that exists', () => {
    expect(() => parseSettings({ ...none, file: fileOf({ 'http-prot': 1 }) })).toThrow(
      'config file lagoon.yaml: unknown key http-prot; did you mean http-port?',
    );
  });

  test('a secret is not in the message that refuses it', () => {
    const flags = { 's3-secret-access-key': 'hunter2'.repeat(1_000) };
    expect(() => parseSettings({ ...none, flags })).toThrow('not what was given');
  });

  test('sizes are read with their unit', () => {
    const cacheBytes = (value: unknown) => parseSettings({ ...none, flags: { 'cache-bytes': value } })['cache-bytes'];
    expect(cacheBytes('100MiB')).toBe(100 * 2 ** 20);
    expect(cacheBytes('1 GiB')).toBe(2 ** 30);
    expect(cacheBytes('134217728')).toBe(2 ** 27);
    expect(cacheBytes(134217728)).toBe(2 ** 27);
  });
});

describe('server config', () => {
  test('exactly one store', () => {
    expect(() => configOf({})).toThrow('where is the data?');
    expect(() => configOf({ 'data-dir': 'd', 'object-store': 's3://b' })).toThrow('not both');
    expect(() => configOf({ 'object-store': 'http://b' })).toThrow('expected s3://bucket/prefix');
    expect(configOf({ 'data-dir': 'd' }).storeUrl).toBe('d');
    expect(configOf({ 'object-store': 's3://b/p' }).storeUrl).toBe('s3://b/p');
  });

  test('roles come in one order, and an unknown one is named', () => {
    expect(configOf({ 'data-dir': 'd' }).roles).toEqual(['gateway', 'query', 'ingester', 'compactor']);
    expect(configOf({ 'data-dir': 'd', roles: 'compactor, query' }).roles).toEqual(['query', 'compactor']);
    expect(() => configOf({ 'data-dir': 'd', roles: 'qeury' })).toThrow('unknown role qeury; did you mean query?');
  });

  test('addresses are host:port, each once', () => {
    expect(() => configOf({ 'data-dir': 'd', 'query-addresses': 'q' })).toThrow('expected host:port, not q');
    expect(() => configOf({ 'data-dir': 'd', 'query-addresses': 'q:1,q:1' })).toThrow('twice');
  });

  test('credentials and encryption fit together', () => {
    const bucket = { 'object-store': 's3://b' };
    expect(() => configOf({ ...bucket, 's3-access-key-id': 'id' })).toThrow('go together');
    expect(() => configOf({ ...bucket, 's3-sse-kms-key-id': 'k' })).toThrow('needs s3-sse aws:kms');
    const keys = {
      's3-access-key-id': 'id',
      's3-secret-access-key': 'key',
      's3-sse': 'aws:kms',
      's3-sse-kms-key-id': 'k',
    };
    expect(configOf({ ...bucket, ...keys }).storeOptions.s3).toEqual({
      credentials: { accessKeyId: 'id', secretAccessKey: 'key' },
      encryption: { type: 'aws:kms', keyId: 'k' },
    });
  });
});

test('the nearest name is one that may have been meant', () => {
  expect(nearest('datadir', settingNames)).toBe('data-dir');
  expect(nearest('colour', settingNames)).toBeUndefined();
});
