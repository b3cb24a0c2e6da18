/**
 * Reads a revision without stopping what runs beside it: the YAML of 50,000 users takes seconds, and calls for help come
 * in these seconds too. What a thread made comes in pieces, between which everything else goes on.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
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
  | { readonly kind: 'users'; readonly users: readonly User[] }
  | { readonly kind: 'end' }

/** A smaller one is read in a few milliseconds, which is less than a thread takes to begin. */
const largeBytes = 200_000

/** For services that need the configuration alone: a large revision comes without its source and decks. Never rejects. */
export function readRevisionAside(bytes: Uint8Array): ReadRevision | Promise<ReadRevision> {
  return bytes.length < largeBytes ? readRevision(bytes) : inThread(bytes)
}

async function inThread(bytes: Uint8Array): Promise<ReadRevision> {
  const worker = new Worker(new URL('./read-thread.ts', import.meta.url), {
    workerData: bytes,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  try {
    const first = await next(worker)
    if (first.kind === 'bad') return first
    if (first.kind !== 'rest') throw new Error('the pieces came in another order')
    const users: Record<string, User> = {}
    for (let piece = await next(worker); piece.kind === 'users'; piece = await next(worker)) {
      for (const user of piece.users) users[user.name] = user
      await turn()
    }
    const { configuration, revision, warnings } = first
    return { kind: 'ok', revision: { ...revision, decks: {} }, configuration: { ...configuration, users }, warnings }
  } catch (error) {
    return { kind: 'bad', message: `it could not be read: ${String(error)}`, problems: [] }
  } finally {
    await worker.terminate()
  }
}

function next(worker: Worker): Promise<RevisionPiece> {
  return new Promise((done, fail) => {
    const settle = () => {
      worker.off('message', took)
      worker.off('error', failed)
      worker.off('exit', ended)
    }
    const took = (piece: RevisionPiece) => {
      settle()
      done(piece)
    }
    const failed = (error: unknown) => {
      settle()
      fail(error)
    }
    const ended = (code: number) => failed(new Error(`the thread ended (${code})`))
    worker.on('message', took).on('error', failed).on('exit', ended)
    worker.postMessage('next')
  })
}
