import type { RoutingTable } from './table.ts'

/**
 * The tables that a router holds while a change goes round (ADR 80): edges do not take a revision over at the same
 * instant, and each call is decided by the revision of the edge that asks.
 */
export type HeldTables = {
  readonly current: RoutingTable | undefined
  /** In force until a moment ago. */
  readonly before: RoutingTable | undefined
  /** Compiled, and not in force yet. */
  readonly prepared: RoutingTable | undefined
}

export const noTables: HeldTables = { current: undefined, before: undefined, prepared: undefined }

export type TableFor =
  | { readonly kind: 'table'; readonly table: RoutingTable }
  /** The asker is ahead: its revision is on the way here. `table` is the newest there is. */
  | { readonly kind: 'ahead'; readonly table: RoutingTable }
  | { readonly kind: 'none' }

/** The table of that revision, else the one in force. An asker that is behind all that is held gets the one in force. */
export function tableFor({ current, before, prepared }: HeldTables, revision: number | undefined): TableFor {
  if (current === undefined) return { kind: 'none' }
  if (revision === undefined || revision === current.revision) return { kind: 'table', table: current }
  if (prepared?.revision === revision) return { kind: 'table', table: prepared }
  if (before?.revision === revision) return { kind: 'table', table: before }
  return { kind: revision > current.revision ? 'ahead' : 'table', table: current }
}

/** `next` is in force from now on. */
export function putInForce({ current }: HeldTables, next: RoutingTable): HeldTables {
  return { current: next, before: current, prepared: undefined }
}
