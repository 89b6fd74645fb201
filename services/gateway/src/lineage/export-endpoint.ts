import type { MessageInitShape } from '@bufbuild/protobuf';
import { invalidArgument, utf8Encode } from '@lagoon/base';
import { formatUuid } from '@lagoon/format';
import type { ExportResponse } from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import type { Id, ValueSchema } from '@lagoon/proto/lagoon/v1/value_pb.js';
import type { CallOptions } from '@lagoon/rpc';
import type { GatewayConfig } from '../config.ts';
import type { GatewayDeps } from '../deps.ts';
import type { Endpoint, EndpointCall } from '../http/endpoints.ts';
import { parseJson } from '../json/parse-json.ts';
import { createValueWriter, rowToJson } from '../query/query-response.ts';

type ValueMessage = MessageInitShape<typeof ValueSchema>;

interface ExportMessage {
  readonly namespace: string;
  readonly lease: string;
  readonly pageSize: number;
  readonly after?: ValueMessage;
}

const pageSizeMax = 10_000;

/**
 * `GET …/export`: every document at one instant as JSON lines, in the order of ids. The answer's `lagoon-lease` header and the last whole
 * line are all that it takes to go on where it was cut: `?lease=<lease>&after=<id>`.
 */
export function createExportEndpoint(
  deps: GatewayDeps,
  config: Pick<GatewayConfig, 'queryTimeoutMs'>,
  options: (call: EndpointCall, timeoutMs: number) => CallOptions,
): Endpoint {
  return async (call) => {
    const request = parseExport(call);
    const read = (message: ExportMessage) =>
      deps.queryNode(call.namespace).export(message, options(call, config.queryTimeoutMs));
    const first = await read(request);
    const stream = async function* () {
      for (let page = first; ; ) {
        if (page.rows.length > 0) yield linesOf(page);
        if (page.isLast) return;
        page = await read({ ...request, lease: first.lease, ...afterLast(page) });
      }
    };
    const headers = {
      'content-type': 'application/x-ndjson',
      'lagoon-lease': first.lease,
      'lagoon-generation': String(first.manifestGeneration),
    };
    return { status: 200, headers, body: new Uint8Array(0), stream: stream() };
  };
}

function parseExport({ request, namespace }: EndpointCall): ExportMessage {
  const parameters = new URLSearchParams(request.query);
  const size = parameters.get('page_size') ?? '0';
  if (!/^\d{1,5}$/.test(size) || Number(size) > pageSizeMax) {
    throw invalidArgument(`page_size is an integer from 1 to ${pageSizeMax}`, { found: size.slice(0, 32) });
  }
  const after = parameters.get('after');
  const lease = parameters.get('lease') ?? '';
  if (after !== null && lease === '') throw invalidArgument('after goes with the lease that the export began with');
  return { namespace, lease, pageSize: Number(size), ...(after === null ? {} : { after: parseAfter(after) }) };
}

/** An id as JSON has it; a string may go without quotes where it is no number. */
function parseAfter(text: string): ValueMessage {
  if (/^\d{1,20}$/.test(text)) return { kind: { case: 'uintValue', value: BigInt(text) } };
  const value = text.startsWith('"') ? parseJson(utf8Encode(text)) : text;
  if (typeof value !== 'string') throw invalidArgument('after is an id', { found: text.slice(0, 80) });
  return { kind: { case: 'stringValue', value } };
}

function linesOf(page: ExportResponse): Uint8Array {
  const writer = createValueWriter('float');
  return utf8Encode(page.rows.map((row) => `${JSON.stringify(rowToJson(row, writer, false))}\n`).join(''));
}

function afterLast(page: ExportResponse): { readonly after?: ValueMessage } {
  const id = page.rows.at(-1)?.id;
  return id === undefined ? {} : { after: idValue(id) };
}

function idValue({ kind }: Id): ValueMessage {
  switch (kind.case) {
    case 'u64':
      return { kind: { case: 'uintValue', value: kind.value } };
    case 'uuid':
      return { kind: { case: 'stringValue', value: formatUuid(kind.value) } };
    case 'text':
      return { kind: { case: 'stringValue', value: kind.value } };
    default:
      throw invalidArgument('a row without an id');
  }
}
