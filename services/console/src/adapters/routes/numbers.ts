import { setImmediate as breathe } from 'node:timers/promises'
import { largeBytes } from '@tandem/config/aside.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import { readRevision } from '@tandem/config/revision.ts'
import { toE164 } from '@tandem/numbers/e164.ts'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { type Holding, type HoldingChange, heldBy, holdingChanges } from '../../domain/number-history.ts'
import type { NumberState } from '../../domain/number-list.ts'
import { findIn, type NumberTable, packNumbers, pageOf } from '../../domain/number-table.ts'
import type { ConfigStore } from '../config-store.ts'
import { holdingAside, holdingIn, numbersAside, numbersOf } from '../number-tables.ts'
import { Problem } from '../problem.ts'

/** Revisions that a history is told from: each is read anew. */
const mostRevisions = 200
/** Of large ones, which take seconds each, the history goes back so many. */
const mostLarge = 3

interface NumbersQuery {
  state?: NumberState
  user?: string
  startsWith?: string
  cursor?: string
  limit?: number
}

export function numberRoutes(app: FastifyInstance, { store }: { store: ConfigStore }): void {
  // Made once for each configuration: there may be a million.
  const tables = new WeakMap<Configuration, Promise<NumberTable>>()
  const running = () => {
    const current = store.current()
    if (!current) throw new Problem(404, 'No configuration', 'nothing is applied yet: tandem apply FILE')
    return current
  }
  const list = async (): Promise<NumberTable> => {
    const { configuration, revision } = running()
    if (!store.large) return packNumbers(numbersOf(configuration, revision.decks))
    const bytes = await store.bytes()
    if (bytes === undefined) throw new Problem(503, 'No configuration', 'it was taken away this moment: ask again')
    return await numbersAside(bytes)
  }
  const numbers = async (): Promise<NumberTable> => {
    const { configuration } = running()
    const table = tables.get(configuration) ?? list()
    tables.set(configuration, table)
    // not to be asked for once more when it failed
    table.catch(() => tables.delete(configuration))
    return await table
  }

  app.get(
    '/api/v1/numbers',
    {
      schema: {
        summary: 'The numbers that are ours, with who has them; ranges before what lies in them',
        querystring: Type.Object({
          state: Type.Optional(
            Type.Unsafe<NumberState>({ type: 'string', enum: ['assigned', 'reserved', 'unassigned', 'emergency'] }),
          ),
          user: Type.Optional(Type.String({ maxLength: 128 })),
          startsWith: Type.Optional(Type.String({ pattern: '^\\+[0-9]{0,15}$' })),
          cursor: Type.Optional(Type.String({ pattern: '^[0-9]{1,9}$', description: 'next of the page before' })),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
        }),
      },
    },
    async (request) => {
      const { state, user, startsWith, cursor = '0', limit = 100 } = request.query as NumbersQuery
      const from = Number(cursor)
      const page = pageOf(await numbers(), { state, user, startsWith }, from, limit)
      return { ...page, ...(from + limit < page.total ? { next: String(from + limit) } : {}) }
    },
  )
  app.get(
    '/api/v1/numbers/:number',
    {
      schema: {
        summary: 'One number, however it is written: who has it, and who had it when',
        params: Type.Object({ number: Type.String({ minLength: 1, maxLength: 64 }) }),
      },
    },
    async (request) => {
      const written = (request.params as { number: string }).number
      const number = toE164(written, { country: running().configuration.country })
      if (number === undefined)
        throw new Problem(400, 'Not a number', `${written} is no full number: write +14255551001`)
      const view = findIn(await numbers(), number)
      const history = await historyOf(store, number)
      if (view === undefined && history.changes.length === 0)
        throw new Problem(
          404,
          'Not ours',
          `${number} is no number of ours, and was none in the revisions that are kept`,
        )
      return { ...heldBy(view), number, ...(view === undefined ? {} : { entry: view }), ...history }
    },
  )
}

async function historyOf(store: ConfigStore, number: string): Promise<{ changes: HoldingChange[]; since: number }> {
  const all: HoldingChange[] = []
  let since = 0
  let large = 0
  for (const note of await store.list(mostRevisions)) {
    const bytes = await store.bytes(note.revision)
    if (bytes !== undefined && bytes.length >= largeBytes && ++large > mostLarge) break
    // Other requests have their turn: each takes a while to read.
    await breathe()
    const held = bytes && (await holdingOfRevision(bytes, number))
    since = note.revision
    if (held) all.unshift({ ...note, ...held })
  }
  return { changes: holdingChanges(all), since }
}

async function holdingOfRevision(bytes: Uint8Array, number: string): Promise<Holding | undefined> {
  if (bytes.length >= largeBytes) return await holdingAside(bytes, number)
  const read = readRevision(bytes)
  return read.kind === 'ok' ? holdingIn(read.configuration, read.revision.decks, number) : undefined
}
