/** The process that reads what is large for `candidate.ts`. */
import { chunksOf, givePieces } from '@tandem/config/give-pieces.ts'
import { parseRevision, readRevision, writeRevision } from '@tandem/config/revision.ts'
import Value from 'typebox/value'
import { type LookedAt, lookAt, type Proposal } from '../domain/proposal.ts'
import type { CandidatePiece, CandidateTask } from './candidate.ts'
import { ProposalSchema } from './proposal-schema.ts'

const task = JSON.parse(process.argv[2] ?? '') as CandidateTask

givePieces<CandidatePiece>(function* (input) {
  const looked = task.kind === 'look' ? look(input) : writtenAgain(input)
  if (looked.kind !== 'candidate') return void (yield looked)
  const { bytes, ...candidate } = looked
  yield candidate
  for (const { chunk } of chunksOf(bytes)) yield { kind: 'bytes', bytes: chunk }
})

function look(input: Uint8Array): LookedAt | Extract<CandidatePiece, { kind: 'not-a-proposal' }> {
  let body: unknown
  try {
    body = JSON.parse(new TextDecoder().decode(input.subarray(0, task.bytes)))
  } catch {
    return { kind: 'not-a-proposal', detail: 'the body is not JSON' }
  }
  if (!Value.Check(ProposalSchema, body)) {
    const [first] = Value.Errors(ProposalSchema, body)
    return { kind: 'not-a-proposal', detail: `body${first?.instancePath ?? ''} ${first?.message ?? ''}` }
  }
  const before = input.subarray(task.bytes)
  const running = before.length === 0 ? undefined : readRevision(before)
  return lookAt(body as Proposal, running?.kind === 'ok' ? running.configuration : undefined, task.next)
}

function writtenAgain(input: Uint8Array): LookedAt {
  const parsed = parseRevision(input)
  if (parsed.kind === 'bad')
    return { kind: 'wrong', title: 'Revision cannot be read', detail: parsed.message, more: {} }
  const note = { ...task.next, why: task.why }
  const bytes = writeRevision({ ...parsed.revision, ...note })
  return { kind: 'candidate', note, dryRun: false, changes: [], changed: 0, warnings: [], bytes }
}
