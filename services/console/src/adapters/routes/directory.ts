import type { Bus } from '@tandem/bus/bus.ts'
import { EdgeStatus } from '@tandem/contracts/edge.ts'
import { trunkKey } from '@tandem/contracts/registration.ts'
import { ExplainRoute } from '@tandem/contracts/routing.ts'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import type { ConfigStore } from '../config-store.ts'
import { answerOf, Problem } from '../problem.ts'
import type { StateIndex } from '../state-index.ts'

export function directoryRoutes(
  app: FastifyInstance,
  { bus, store, states }: { bus: Bus; store: ConfigStore; states: StateIndex },
): void {
  const configuration = () => {
    const current = store.current()
    if (!current) throw new Problem(404, 'No configuration', 'nothing is applied yet: tandem apply FILE')
    return current.configuration
  }
  app.get('/api/v1/trunks', { schema: { summary: 'Trunks with their state' } }, async () => ({
    trunks: Object.entries(configuration().trunks).map(([name, t]) => ({
      name,
      to: t.to,
      from: t.from,
      emergency: t.emergency ?? false,
      limits: t.limits,
      ...(t.quality === null ? {} : { quality: states.quality.get(name) ?? { demoted: false, calls: 0 } }),
      state: states.trunk(name) ?? { trunk: name, health: 'unknown' },
    })),
  }))
  app.post(
    '/api/v1/trunks/:name/drain',
    {
      config: { need: 'operate' },
      schema: {
        summary: 'Take a trunk out of service, or back: no new calls while another trunk can carry them',
        params: Type.Object({ name: Type.String({ maxLength: 64 }) }),
        body: Type.Object({ draining: Type.Boolean() }),
      },
    },
    async (request) => {
      const { name } = request.params as { name: string }
      const { draining } = request.body as { draining: boolean }
      if (!Object.hasOwn(configuration().trunks, name))
        throw new Problem(404, 'No such trunk', `there is no trunk ${name}`)
      const bucket = await bus.bucket('trunk')
      const by = (request.caller?.name ?? 'unknown').slice(0, 128)
      if (draining) await bucket.put(trunkKey('drain', name), JSON.stringify({ by, at: new Date().toISOString() }))
      else await bucket.remove(trunkKey('drain', name))
      return { trunk: name, draining, calls: states.trunk(name)?.calls ?? 0 }
    },
  )
  app.get('/api/v1/users', { schema: { summary: 'Users and where they are registered' } }, async () => ({
    users: Object.entries(configuration().users).map(([name, u]) => ({
      name,
      did: u.did,
      extension: u.extension,
      site: u.site,
      policy: u.policy,
      mobile: u.mobile,
      costCentre: u.costCentre,
      registrations: [...states.bindings.values()].filter((b) => b.user === name),
    })),
  }))
  app.get('/api/v1/edges', { schema: { summary: 'Edge nodes and what they carry' } }, async () => ({
    edges: await bus.askAll(EdgeStatus, {}),
  }))
  app.post(
    '/api/v1/routing/explain',
    {
      schema: {
        summary: 'What would happen to a call: every rule tried and why',
        body: Type.Object({
          from: Type.String({ minLength: 1, maxLength: 256 }),
          to: Type.String({ minLength: 1, maxLength: 256 }),
          at: Type.Optional(Type.String({ maxLength: 40 })),
        }),
      },
    },
    async (request) => {
      const { from, to, at } = request.body as { from: string; to: string; at?: string }
      return answerOf(
        await bus.ask(ExplainRoute, { from, dialled: to, ...(at === undefined ? {} : { at }) }),
        'routing',
      )
    },
  )
}
