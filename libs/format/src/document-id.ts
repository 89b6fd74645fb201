/**
 * A document's id as a value: u64 as bigint, uuid as 36 lower-case characters, string as it is.
 * Which of the two strings it is, the namespace's `IdKind` says.
 */
export type DocumentId = bigint | string;
