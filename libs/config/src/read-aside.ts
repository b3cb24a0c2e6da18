/**
 * Reads a revision without stopping what runs beside it: the YAML of 50,000 users takes seconds, and calls for help come
 * in these seconds too. What another process made comes in pieces, between which everything else goes on.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { isLarge, piecesOf } from './aside.ts'
import type { Problem } from './check.ts'
import type { Configuration, User } from './defaults.ts'
import { type ReadRevision, type Revision, readRevision } from './revision.ts'

export type RevisionPiece =
  | Extract<ReadRevision, { kind: 'bad' }>
  | {
      readonly kind: 'rest'
      readonly configuration: Omit<Configuration, 'users'>
      readonly revision: Omit<Revision, 'decks'>
      readonly warnings: readonly Problem[]
    }
  /** JSON of `User[]` */
  | { readonly kind: 'users'; readonly users: string }

/**
 * `bytes` may be packed. A large revision comes without its files, and without its source where that is not asked for
 * (`source`). `urgent`: there is none before it. Never rejects.
 */
export function readRevisionAside(
  bytes: Uint8Array,
  { source = false, urgent = false } = {},
): ReadRevision | Promise<ReadRevision> {
  return isLarge(bytes) ? inProcess(bytes, source ? ['source'] : [], urgent) : readRevision(bytes)
}

async function inProcess(bytes: Uint8Array, more: readonly string[], urgent: boolean): Promise<ReadRevision> {
  let rest: Extract<RevisionPiece, { kind: 'rest' }> | undefined
  const users: Record<string, User> = {}
  const module = new URL('./read-pieces.ts', import.meta.url)
  try {
    for await (const piece of piecesOf<RevisionPiece>(module, bytes, more, { urgent })) {
      if (piece.kind === 'bad') return piece
      if (piece.kind === 'rest') rest = piece
      else for (const user of JSON.parse(piece.users) as User[]) users[user.name] = user
      await turn()
    }
    if (rest === undefined) throw new Error('nothing came of it')
    const { configuration, revision, warnings } = rest
    return { kind: 'ok', revision: { ...revision, decks: {} }, configuration: { ...configuration, users }, warnings }
  } catch (error) {
    return { kind: 'bad', message: `it could not be read: ${String(error)}`, problems: [] }
  }
}
