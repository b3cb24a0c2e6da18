import { setImmediate as breathe } from 'node:timers/promises'
import { checkConfiguration } from '@tandem/config/check.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import { toE164 } from '@tandem/numbers/e164.ts'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { type HoldingChange, holdingChanges, holdingOf } from '../../domain/number-history.ts'
import { findNumber, listNumbers, type NumberView, readNumberFile } from '../../domain/number-list.ts'
import type { ConfigStore } from '../config-store.ts'
import { Problem } from '../problem.ts'

/** Revisions that a history is told from: each is read anew. */
const mostRevisions = 200

interface NumbersQuery {
  state?: string
  user?: string
  startsWith?: string
  cursor?: string
  limit?: number
}

export function numberRoutes(app: FastifyInstance, { store }: { store: ConfigStore }): void {
  // Made once for each configuration: there may be a million.
  const lists = new WeakMap<Configuration, NumberView[]>()
  const configuration = (): Configuration => {
    const current = store.current()
    if (!current) throw new Problem(404, 'No configuration', 'nothing is applied yet: tandem apply FILE')
    return current.configuration
  }
  const numbers = (): NumberView[] => {
    const c = configuration()
    const list = lists.get(c) ?? listNumbers(c, fromFiles(c, store.current()?.revision.decks ?? {}))
    lists.set(c, list)
    return list
  }

  app.get(
    '/api/v1/numbers',
    {
      schema: {
        summary: 'The numbers that are ours, with who has them; ranges before what lies in them',
        querystring: Type.Object({
          state: Type.Optional(
            Type.Unsafe<string>({ type: 'string', enum: ['assigned', 'reserved', 'unassigned', 'emergency'] }),
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
      const wanted = numbers().filter(
        (view) =>
          (state === undefined || view.state === state) &&
          (user === undefined || view.user === user) &&
          (startsWith === undefined || view.number.startsWith(startsWith)),
      )
      const from = Number(cursor)
      const page = wanted.slice(from, from + limit)
      const more = from + limit < wanted.length ? { next: String(from + limit) } : {}
      return { numbers: page, total: wanted.length, ...more }
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
      const number = toE164(written, { country: configuration().country })
      if (number === undefined)
        throw new Problem(400, 'Not a number', `${written} is no full number: write +14255551001`)
      const view = findNumber(numbers(), number)
      const history = await historyOf(store, number)
      if (view === undefined && history.changes.length === 0)
        throw new Problem(
          404,
          'Not ours',
          `${number} is no number of ours, and was none in the revisions that are kept`,
        )
      return { ...holdingOf(numbers(), number), number, ...(view === undefined ? {} : { entry: view }), ...history }
    },
  )
}

/** Lists of numbers travel with the revision as rate decks do. */
function fromFiles({ numberFiles }: Configuration, texts: Readonly<Record<string, string>>) {
  return numberFiles.flatMap((file) => readNumberFile(texts[file] ?? ''))
}

async function historyOf(store: ConfigStore, number: string): Promise<{ changes: HoldingChange[]; since: number }> {
  const notes = (await store.list(mostRevisions)).reverse()
  const all: HoldingChange[] = []
  for (const { revision, at, by, why } of notes) {
    const kept = await store.get(revision)
    // Other requests have their turn: a large configuration takes a while to read.
    await breathe()
    const read = kept && checkConfiguration({ files: kept.source, lint: false })
    if (read?.kind !== 'ok') continue
    const list = listNumbers(read.configuration, fromFiles(read.configuration, kept?.decks ?? {}))
    all.push({ revision, at, by, why, ...holdingOf(list, number) })
  }
  return { changes: holdingChanges(all), since: notes[0]?.revision ?? 0 }
}
