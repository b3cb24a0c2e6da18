import type { Bus } from '@tandem/bus/bus.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { again } from '../candidate.ts'
import type { ApplyOutcome, ConfigStore } from '../config-store.ts'
import { planConfiguration } from '../plan-configuration.ts'
import { Problem } from '../problem.ts'
import { proposals } from '../proposal-body.ts'
import { ProposalSchema, Why } from '../proposal-schema.ts'

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
    // it was written as JSON, and may have a million numbers
    async (request, reply) =>
      reply.type('application/json').send(await known(store, (request.params as { revision: number }).revision)),
  )
  app.register(async (scope) => proposalRoutes(scope, { bus, store }))
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
      const reason = `rollback to ${wanted}${why === '' ? '' : `: ${why}`}`.slice(0, 2048)
      const note = { revision: store.next(), by: callerOf(request), at: new Date().toISOString(), why: reason }
      const bytes = await again(await known(store, wanted), note)
      return { ...done(note.revision, await store.apply(note, bytes, wanted)), rollbackOf: wanted }
    },
  )
}

/** What is proposed may be large: it is left as it comes here. */
function proposalRoutes(scope: FastifyInstance, { bus, store }: { bus: Bus; store: ConfigStore }): void {
  const asked = proposals(scope)
  scope.post(
    '/api/v1/config/plan',
    {
      config: { need: 'operate' },
      schema: {
        summary: 'What a configuration would change: paths, stored test cases, recent calls that would go elsewhere',
        body: ProposalSchema,
      },
    },
    async (request) => (await planConfiguration(bus, store, asked(request), callerOf(request))).planned,
  )
  scope.post(
    '/api/v1/config/apply',
    {
      config: { need: 'administer' },
      schema: {
        summary: 'Make a configuration the running one; refused when a stored test case fails',
        body: ProposalSchema,
      },
    },
    async (request) => {
      const { planned, candidate } = await planConfiguration(bus, store, asked(request), callerOf(request))
      const failed = planned.tests.filter((t) => !t.passed)
      if (failed.length > 0)
        throw new Problem(422, 'Test cases fail', failed.map((t) => t.detail).join('; '), { plan: planned })
      if (candidate.dryRun) return { applied: false, ...planned }
      const { note, bytes } = candidate
      return { ...done(note.revision, await store.apply(note, bytes)), ...planned }
    },
  )
}

const callerOf = ({ caller }: FastifyRequest): string => caller?.name ?? 'unknown'

async function known(store: ConfigStore, revision: number): Promise<Uint8Array> {
  const found = await store.bytes(revision)
  if (!found)
    throw new Problem(
      404,
      'No such revision',
      `there is no revision ${revision}, or it is large and long ago; GET /api/v1/config/history lists them`,
    )
  return found
}

/** What became of a change, or the problem that it is. */
function done(revision: number, outcome: ApplyOutcome) {
  if (outcome.kind === 'raced')
    throw new Problem(409, 'Somebody was faster', 'another configuration is being applied or was meanwhile; plan again')
  if (outcome.kind === 'refused') {
    const said = outcome.objections.map(({ service, instance, why }) => `${service} ${instance}: ${why}`)
    throw new Problem(409, 'A service cannot take it over', `nothing was changed: ${said.join('; ')}`, {
      objections: outcome.objections,
    })
  }
  const { inForce, waiting } = outcome.settled
  return { applied: true, revision, inForce, waiting }
}
