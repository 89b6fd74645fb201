import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type MultiQueryRequest,
  MultiQueryRequestSchema,
  type MultiQueryResponse,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { CallOptions } from '@lagoon/rpc';
import type { GatewayDeps } from '../deps.ts';
import { checkFusion, fuse } from './fuse.ts';

/** Several queries of one instant at the namespace's query node, then one list of them where that is asked for. */
export async function askMultiQuery(
  deps: Pick<GatewayDeps, 'queryNode'>,
  init: MultiQueryRequest | MessageInitShape<typeof MultiQueryRequestSchema>,
  options: CallOptions,
): Promise<MultiQueryResponse> {
  const { fusion, ...request } = create(MultiQueryRequestSchema, init);
  if (fusion !== undefined) checkFusion(request.queries, fusion);
  const answers = await deps.queryNode(request.namespace).multiQuery(request, options);
  return fusion === undefined ? answers : fuse(request.queries, answers, fusion);
}
