import { describe, expect, test } from '@jest/globals';
import { createTestGateway } from '../testing/recording-backends.ts';

const path = '/v1/namespaces/a/metadata';

describe('a change of metadata', () => {
  test.each([
    [{}, {}],
    [{ read_only: true }, { readOnly: true }],
    [{ read_only: null }, { readOnly: false }],
    [{ pinning: true }, { pinnedReplicaCount: 1 }],
    [{ pinning: {} }, { pinnedReplicaCount: 1 }],
    [{ pinning: { replicas: 3 } }, { pinnedReplicaCount: 3 }],
    [{ pinning: false }, { pinnedReplicaCount: 0 }],
    [{ pinning: null }, { pinnedReplicaCount: 0 }],
    [{ recall: 0.9 }, { recall: 0.9 }],
    [{ recall: 1 }, { recall: 1 }],
    [{ recall: null }, { recall: 0 }],
  ])('%j is %j for the ingester, and nothing else', async (body, expected) => {
    const { call, backends } = createTestGateway();
    backends.metadata = { settings: { readOnly: true, pinnedReplicaCount: 1, recall: 0.9 } };
    const answer = await call('PATCH', path, body);
    expect(answer.json).toMatchObject({ read_only: true, pinning: { replicas: 1 }, recall: 0.9, schema: {} });
    const [{ readOnly, pinnedReplicaCount, recall, namespace } = {}] = backends.settingsUpdates;
    const given = { readOnly, pinnedReplicaCount, recall };
    expect({ ...given, namespace }).toEqual({ ...expected, namespace: 'a' });
  });

  test.each([
    [{ pinning: 1 }, 422, 'pinning: expected a boolean, null or an object, found an integer'],
    [{ pinning: { replicas: 0 } }, 400, 'pinning.replicas: must be from 1 to 256'],
    [{ pinning: { replicas: 1.5 } }, 422, 'pinning.replicas: expected an integer'],
    [{ pinning: { nodes: 1 } }, 422, 'pinning.nodes: unknown field'],
    [{ read_only: 'yes' }, 422, 'read_only: expected a boolean, found a string'],
    [{ recall: 0 }, 400, 'recall: must be above 0 and at most 1'],
    [{ recall: 2 }, 400, 'recall: must be above 0 and at most 1'],
    [{ schema: {} }, 422, 'schema: unknown field'],
    [[], 422, 'body: expected an object, found an array'],
  ])('%j is %i', async (body, status, message) => {
    const { call, backends } = createTestGateway();
    const answer = await call('PATCH', path, body);
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(message);
    expect(backends.settingsUpdates).toEqual([]);
  });
});
