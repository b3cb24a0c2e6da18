import type { Configuration } from '@tandem/config/defaults.ts'
import { type ReadRevision, readRevision } from '@tandem/config/revision.ts'
import { compileTable } from './domain/compile-table.ts'
import type { RoutingTable } from './domain/table.ts'

export type ReadTable =
  | { readonly kind: 'table'; readonly table: RoutingTable; readonly configuration: Configuration }
  | { readonly kind: 'bad'; readonly why: string }

/** A configuration revision as it stands in the bucket → the table that decides. Never throws. */
export function readTable(bytes: Uint8Array | string): ReadTable {
  const read = readRevision(bytes)
  if (read.kind === 'bad') return { kind: 'bad', why: badRevision(read) }
  const { configuration, revision } = read
  const table = compileTable(configuration, { revision: revision.revision, decks: revision.decks })
  return { kind: 'table', table, configuration }
}

export function badRevision({ message, problems }: Extract<ReadRevision, { kind: 'bad' }>): string {
  const [first] = problems
  return first === undefined ? message : `${message}: line ${first.line}: ${first.message}`
}
