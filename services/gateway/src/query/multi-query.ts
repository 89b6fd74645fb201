import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type MultiQueryRequest,
  MultiQueryRequestSchema,
  type MultiQueryResponse,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { CallOptions } from '@lagoon/rpc';
import type { GatewayDeps } from '../deps.ts';
import { askingFor, checkRerank, rerank } from '../rerank/rerank.ts';
import { noReranker } from '../rerank/reranker.ts';
import { checkFusion, fuse } from './fuse.ts';

/** Several queries of one instant at the namespace's query node, then one list of them where that is asked for. */
export async function askMultiQuery(
  { queryNode, clock, reranker = noReranker }: Pick<GatewayDeps, 'queryNode' | 'clock' | 'reranker'>,
  init: MultiQueryRequest | MessageInitShape<typeof MultiQueryRequestSchema>,
  options: CallOptions,
): Promise<MultiQueryResponse> {
  const { fusion, ...request } = create(MultiQueryRequestSchema, init);
  const ask = (asked: MultiQueryRequest) => queryNode(asked.namespace).multiQuery(asked, options);
  if (fusion === undefined) return await ask(request);
  checkFusion(request.queries, fusion);
  if (fusion.kind.case !== 'model') return fuse(request.queries, await ask(request), fusion);
  const model = fusion.kind.value;
  checkRerank(reranker, model);
  const answers = await ask(askingFor(request, model.attribute));
  return await rerank({ clock, reranker }, request, answers, model, fusion.limit, options.signal);
}
