/**
 * What becomes of a request into a revision: the text of a proposal is checked, compared and written, that of an earlier
 * revision is written anew. A large one is read by a process of its own, the page and the API answer meanwhile.
 */
import { largeBytes, piecesOf } from '@tandem/config/aside.ts'
import { parseRevision, writeRevision } from '@tandem/config/revision.ts'
import { type LookedAt, lookAt, type Proposal, type RevisionNote } from '../domain/proposal.ts'
import type { ConfigStore } from './config-store.ts'
import { Problem } from './problem.ts'

/** The body of a request: read, or as it came because it is large. */
export type Asked =
  | { readonly kind: 'read'; readonly body: Proposal }
  | { readonly kind: 'unread'; readonly bytes: Uint8Array }
export type Candidate = Extract<LookedAt, { kind: 'candidate' }>

/** What a process is told to do with its input. */
export type CandidateTask = {
  /** `again`: the input is a revision. */
  readonly kind: 'look' | 'again'
  readonly next: Omit<RevisionNote, 'why'>
  readonly why: string
  /** Of the proposal, which comes first; the rest of the input is the revision in force. */
  readonly bytes: number
}
export type CandidatePiece =
  | Exclude<LookedAt, { kind: 'candidate' }>
  | { readonly kind: 'not-a-proposal'; readonly detail: string }
  | ({ readonly kind: 'candidate' } & Omit<Candidate, 'bytes'>)
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }

/** Throws a Problem when it cannot be a revision. */
export async function candidateOf(store: ConfigStore, asked: Asked, by: string): Promise<Candidate> {
  const next = { revision: store.next(), by, at: new Date().toISOString() }
  const running = store.current()
  if (asked.kind === 'read' && !store.large) return checked(lookAt(asked.body, running?.configuration, next))
  const bytes = asked.kind === 'read' ? new TextEncoder().encode(JSON.stringify(asked.body)) : asked.bytes
  const task: CandidateTask = { kind: 'look', next, why: '', bytes: bytes.length }
  const before = running === undefined ? undefined : await store.bytes()
  return await aside(task, before === undefined ? [bytes] : [bytes, before])
}

/** An earlier revision under a new number. */
export async function again(bytes: Uint8Array, note: RevisionNote): Promise<Uint8Array> {
  if (bytes.length >= largeBytes) {
    const { why, ...next } = note
    return (await aside({ kind: 'again', next, why, bytes: bytes.length }, [bytes])).bytes
  }
  const parsed = parseRevision(bytes)
  if (parsed.kind === 'bad') throw new Problem(500, 'Revision cannot be read', parsed.message)
  return writeRevision({ ...parsed.revision, ...note })
}

function checked(looked: LookedAt): Candidate {
  if (looked.kind === 'wrong') throw new Problem(422, looked.title, looked.detail, looked.more)
  return looked
}

async function aside(task: CandidateTask, input: readonly Uint8Array[]): Promise<Candidate> {
  let made: Omit<Candidate, 'bytes'> | undefined
  const parts: Uint8Array[] = []
  const module = new URL('./candidate-pieces.ts', import.meta.url)
  for await (const piece of piecesOf<CandidatePiece>(module, input, [JSON.stringify(task)])) {
    if (piece.kind === 'not-a-proposal') throw new Problem(400, 'Bad request', piece.detail)
    if (piece.kind === 'wrong') checked(piece)
    else if (piece.kind === 'bytes') parts.push(piece.bytes)
    else made = piece
  }
  if (made === undefined) throw new Problem(500, 'Configuration could not be read', 'nothing came of it')
  return { ...made, bytes: Buffer.concat(parts) }
}
