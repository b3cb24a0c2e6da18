import type { Bus } from '@tandem/bus/bus.ts'
import { PlaceCall } from '@tandem/contracts/edge.ts'
import { ListIncidents } from '@tandem/contracts/emergency.ts'
import { Locate } from '@tandem/contracts/location.ts'
import { Availability, type PresenceState, ReadPresence, SetPresence } from '@tandem/contracts/presence.ts'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import type { ConfigStore } from '../config-store.ts'
import type { EventStream } from '../event-stream.ts'
import { answerOf, Problem } from '../problem.ts'

const Reader = (name: string | undefined): string => (name ?? 'unknown').slice(0, 128)

export function peopleRoutes(
  app: FastifyInstance,
  { bus, store, events }: { bus: Bus; store: ConfigStore; events: EventStream },
): void {
  const read = async (user?: string): Promise<PresenceState[]> =>
    answerOf(await bus.ask(ReadPresence, user === undefined ? {} : { user }), 'presence').states
  let last: PresenceState[] = []
  app.get(
    '/api/v1/presence',
    {
      schema: {
        summary: 'Who is available, busy, on the phone',
        querystring: Type.Object({ user: Type.Optional(Type.String({ maxLength: 128 })) }),
      },
    },
    async (request) => {
      const { user } = request.query as { user?: string }
      last = await read(user)
      if (user !== undefined && last.length === 0) throw new Problem(404, 'No such user', `there is no user ${user}`)
      return { states: last }
    },
  )
  app.get(
    '/api/v1/presence/stream',
    { schema: { summary: 'Changes of presence as server-sent events' } },
    async (request, reply) => {
      const states = await read()
      events.attach(request, reply, () => [{ event: 'presence', data: states }])
    },
  )
  app.put(
    '/api/v1/presence/:user',
    {
      config: { need: 'operate' },
      schema: {
        summary: 'Set a state by hand; null clears it',
        params: Type.Object({ user: Type.String({ maxLength: 128 }) }),
        body: Type.Object({
          availability: Type.Union([Availability, Type.Literal('appear-offline'), Type.Null()]),
          note: Type.Optional(Type.String({ maxLength: 256 })),
        }),
      },
    },
    async (request) => {
      const { user } = request.params as { user: string }
      const body = request.body as { availability: 'available' | null; note?: string }
      return answerOf(await bus.ask(SetPresence, { user, ...body }), 'presence').state
    },
  )
  app.get(
    '/api/v1/locations/by-number/:number',
    {
      config: { need: 'locate' },
      schema: {
        summary: "The caller's place from the telephone number (E9-1-1)",
        params: Type.Object({ number: Type.String({ maxLength: 32 }) }),
      },
    },
    async (request) => {
      const { number } = request.params as { number: string }
      const e164 = /^\d/.test(number) ? `+${number}` : number
      return locate(
        e164,
        await bus.ask(Locate, { number: e164, purpose: 'query', reader: Reader(request.caller?.name) }),
      )
    },
  )
  app.get(
    '/api/v1/locations/by-user/:user',
    {
      config: { need: 'locate' },
      schema: { summary: 'The place of a user', params: Type.Object({ user: Type.String({ maxLength: 128 }) }) },
    },
    async (request) => {
      const { user } = request.params as { user: string }
      return locate(user, await bus.ask(Locate, { user, purpose: 'query', reader: Reader(request.caller?.name) }))
    },
  )
  app.get(
    '/api/v1/emergency/incidents',
    { config: { need: 'locate' }, schema: { summary: 'Emergency calls and their records' } },
    async (request) => answerOf(await bus.ask(ListIncidents, { reader: Reader(request.caller?.name) }), 'location'),
  )
  app.post(
    '/api/v1/emergency/test-call',
    {
      config: { need: 'operate' },
      schema: { summary: 'A 933 test call of a user', body: Type.Object({ user: Type.String({ maxLength: 128 }) }) },
    },
    async (request, reply) => {
      const test = store.current()?.configuration.emergency?.test?.[0]
      if (test === undefined) throw new Problem(409, 'No test number', 'the configuration has no emergency.test number')
      const placed = answerOf(
        await bus.ask(PlaceCall, { from: (request.body as { user: string }).user, to: test }),
        'edge-proxy',
      )
      if (placed.kind === 'refused') throw new Problem(409, 'Call refused', placed.reason, { sipStatus: placed.status })
      return reply.code(201).send({ callId: placed.callId })
    },
  )
}

function locate<A extends { kind: string }>(what: string, asked: Parameters<typeof answerOf<A>>[0]): A {
  const answer = answerOf(asked, 'location')
  if (answer.kind === 'unknown') throw new Problem(404, 'Place unknown', `no place is known for ${what}`, { answer })
  return answer
}
