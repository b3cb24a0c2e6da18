import type { Configuration } from '@tandem/config/defaults.ts'
import { readRevision } from '@tandem/config/revision.ts'
import { compileTable } from './domain/compile-table.ts'
import type { RoutingTable } from './domain/table.ts'

export type ReadTable =
  | { readonly kind: 'table'; readonly table: RoutingTable; readonly configuration: Configuration }
  | { readonly kind: 'bad'; readonly why: string }

/** A configuration revision as it stands in the bucket → the table that decides. Never throws. */
export function readTable(bytes: Uint8Array | string): ReadTable {
  const read = readRevision(bytes)
  if (read.kind === 'bad') {
    const first = read.problems[0]
    return {
      kind: 'bad',
      why: first === undefined ? read.message : `${read.message}: line ${first.line}: ${first.message}`,
    }
  }
  const { configuration, revision } = read
  const table = compileTable(configuration, { revision: revision.revision, decks: revision.decks })
  return { kind: 'table', table, configuration }
}
