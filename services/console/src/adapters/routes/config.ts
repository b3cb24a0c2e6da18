import type { Bus } from '@tandem/bus/bus.ts'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import type { ApplyOutcome, ConfigStore } from '../config-store.ts'
import { planConfiguration } from '../plan-configuration.ts'
import { Problem } from '../problem.ts'

const Why = Type.String({ maxLength: 2048, description: 'goes into the history' })
const ProposalSchema = Type.Object({
  source: Type.Array(
    Type.Object({ path: Type.String({ maxLength: 1024 }), text: Type.String({ maxLength: 32_000_000 }) }),
    { minItems: 1, maxItems: 1000 },
  ),
  decks: Type.Optional(Type.Record(Type.String({ maxLength: 1024 }), Type.String({ maxLength: 64_000_000 }))),
  why: Type.Optional(Why),
  dryRun: Type.Optional(Type.Boolean()),
})
interface ProposalBody {
  source: { path: string; text: string }[]
  decks?: Record<string, string>
  why?: string
  dryRun?: boolean
}

/** Newest revisions shown with the running configuration. */
const fewRevisions = 50

export function configRoutes(app: FastifyInstance, { bus, store }: { bus: Bus; store: ConfigStore }): void {
  app.get('/api/v1/config', { schema: { summary: 'The running configuration and its history' } }, async () => {
    const current = store.current()
    if (!current) throw new Problem(404, 'No configuration', 'nothing is applied yet: tandem apply FILE')
    const { revision, by, at, why, source } = current.revision
    return { revision, by, at, why, source, history: await store.list(fewRevisions) }
  })
  app.get(
    '/api/v1/config/history',
    {
      schema: {
        summary: 'Who changed the configuration, when and why; newest first',
        querystring: Type.Object({
          cursor: Type.Optional(Type.Integer({ minimum: 1, description: 'next of the page before' })),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
        }),
      },
    },
    async (request) => {
      const { cursor, limit = 100 } = request.query as { cursor?: number; limit?: number }
      const revisions = await store.list(limit, cursor)
      const last = revisions.at(-1)?.revision ?? 1
      return {
        running: store.current()?.revision.revision,
        revisions,
        ...(revisions.length === limit && last > 1 ? { next: String(last) } : {}),
      }
    },
  )
  app.get(
    '/api/v1/config/history/:revision',
    {
      schema: {
        summary: 'A revision as it was written',
        params: Type.Object({ revision: Type.Integer({ minimum: 1 }) }),
      },
    },
    async (request) => await known(store, (request.params as { revision: number }).revision),
  )
  app.post(
    '/api/v1/config/plan',
    {
      config: { need: 'operate' },
      schema: {
        summary: 'What a configuration would change: paths, stored test cases, recent calls that would go elsewhere',
        body: ProposalSchema,
      },
    },
    async (request) => planConfiguration(bus, store, request.body as ProposalBody),
  )
  app.post(
    '/api/v1/config/apply',
    {
      config: { need: 'administer' },
      schema: {
        summary: 'Make a configuration the running one; refused when a stored test case fails',
        body: ProposalSchema,
      },
    },
    async (request) => {
      const body = request.body as ProposalBody
      const planned = await planConfiguration(bus, store, body)
      const failed = planned.tests.filter((t) => !t.passed)
      if (failed.length > 0)
        throw new Problem(422, 'Test cases fail', failed.map((t) => t.detail).join('; '), { plan: planned })
      if (body.dryRun) return { applied: false, ...planned }
      const by = request.caller?.name ?? 'unknown'
      const change = { by, why: body.why ?? '', source: body.source, decks: body.decks ?? {} }
      return { ...done(await store.apply(change)), ...planned }
    },
  )
  app.post(
    '/api/v1/config/rollback',
    {
      config: { need: 'administer' },
      schema: {
        summary: 'Bring an earlier revision back',
        body: Type.Object({ revision: Type.Optional(Type.Integer({ minimum: 1 })), why: Type.Optional(Why) }),
      },
    },
    async (request) => {
      const { revision, why = '' } = request.body as { revision?: number; why?: string }
      const wanted = revision ?? (store.current()?.revision.revision ?? 0) - 1
      const { source, decks } = await known(store, wanted)
      const reason = `rollback to ${wanted}${why === '' ? '' : `: ${why}`}`
      const change = { by: request.caller?.name ?? 'unknown', why: reason.slice(0, 2048), source, decks }
      return { ...done(await store.apply(change, wanted)), rollbackOf: wanted }
    },
  )
}

async function known(store: ConfigStore, revision: number) {
  const found = await store.get(revision)
  if (!found)
    throw new Problem(
      404,
      'No such revision',
      `there is no revision ${revision}; GET /api/v1/config/history lists them`,
    )
  return found
}

/** What became of a change, or the problem that it is. */
function done(outcome: ApplyOutcome) {
  if (outcome.kind === 'raced')
    throw new Problem(409, 'Somebody was faster', 'another configuration is being applied or was meanwhile; plan again')
  if (outcome.kind === 'refused') {
    const said = outcome.objections.map(({ service, instance, why }) => `${service} ${instance}: ${why}`)
    throw new Problem(409, 'A service cannot take it over', `nothing was changed: ${said.join('; ')}`, {
      objections: outcome.objections,
    })
  }
  const { inForce, waiting } = outcome.settled
  return { applied: true, revision: outcome.revision.revision, inForce, waiting }
}
