/** A large revision becomes a table beside the calls that are being decided (routing.md: reload without a late answer). */
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Configuration, User } from '@tandem/config/defaults.ts'
import { type CompiledFiles, tableBuilder } from '../domain/compile-table.ts'
import { type ReadTable, readTable } from '../read-table.ts'

export type Piece =
  | { readonly kind: 'bad'; readonly why: string }
  | { readonly kind: 'rest'; readonly rest: Omit<Configuration, 'users'>; readonly files: CompiledFiles }
  | { readonly kind: 'users'; readonly users: readonly User[] }
  | { readonly kind: 'end' }

/** A smaller one is read in a few milliseconds, which is less than a thread takes to begin. */
const largeBytes = 200_000

/** The table of a revision; never rejects. The configuration that comes with a large one names no users. */
export function compileAside(bytes: Uint8Array): ReadTable | Promise<ReadTable> {
  return bytes.length < largeBytes ? readTable(bytes) : inThread(bytes)
}

async function inThread(bytes: Uint8Array): Promise<ReadTable> {
  const worker = new Worker(new URL('./table-thread.ts', import.meta.url), {
    workerData: bytes,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  try {
    return await assemble(() => next(worker))
  } catch (error) {
    return { kind: 'bad', why: `it could not be read: ${String(error)}` }
  } finally {
    await worker.terminate()
  }
}

async function assemble(ask: () => Promise<Piece>): Promise<ReadTable> {
  const first = await ask()
  if (first.kind === 'bad') return first
  if (first.kind !== 'rest') throw new Error('the pieces came in another order')
  const configuration: Configuration = { ...first.rest, users: {} }
  const builder = tableBuilder(configuration, first.files)
  for (let piece = await ask(); piece.kind === 'users'; piece = await ask()) {
    builder.add(piece.users)
    // questions that came meanwhile go first
    await turn()
  }
  return { kind: 'table', table: builder.finish(), configuration }
}

function next(worker: Worker): Promise<Piece> {
  return new Promise((done, fail) => {
    const exit = (code: number) => failed(new Error(`the thread ended (${code})`))
    const settle = () => {
      worker.off('message', took)
      worker.off('error', failed)
      worker.off('exit', exit)
    }
    const took = (piece: Piece) => {
      settle()
      done(piece)
    }
    const failed = (error: unknown) => {
      settle()
      fail(error)
    }
    worker.on('message', took).on('error', failed).on('exit', exit)
    worker.postMessage('next')
  })
}
