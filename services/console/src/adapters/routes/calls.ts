import type { Bus } from '@tandem/bus/bus.ts'
import { ListCdrs } from '@tandem/contracts/billing.ts'
import { HangUp, PlaceCall } from '@tandem/contracts/edge.ts'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { drawLadder, ladderText } from '../../domain/ladder.ts'
import { pcapOf } from '../../domain/pcap.ts'
import type { CallIndex } from '../call-index.ts'
import type { EventStream } from '../event-stream.ts'
import { answerOf, Problem } from '../problem.ts'
import { Call, CallPage } from './call-view.ts'

const CallParams = Type.Object({ id: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }) })

export function callRoutes(
  app: FastifyInstance,
  { bus, index, events }: { bus: Bus; index: CallIndex; events: EventStream },
): void {
  app.get(
    '/api/v1/calls',
    {
      schema: {
        summary: 'Calls that are up, and those of the last hour, with loss, jitter, round trip and MOS of their legs',
        response: { 200: CallPage },
        querystring: Type.Object({
          state: Type.Optional(
            Type.Union([Type.Literal('live'), Type.Literal('ended'), Type.Literal('all')], { default: 'all' }),
          ),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
          cursor: Type.Optional(
            Type.String({ maxLength: 128, description: 'startedAt of the last call of the page before' }),
          ),
        }),
      },
    },
    async (request) => {
      const {
        state = 'all',
        limit = 100,
        cursor,
      } = request.query as { state?: string; limit?: number; cursor?: string }
      const calls = [...index.book.calls.values()]
        .filter((c) => state === 'all' || (state === 'live') === (c.state !== 'ended'))
        .filter((c) => cursor === undefined || c.startedAt < cursor)
        .sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1))
      const page = calls.slice(0, limit)
      return { calls: page, ...(calls.length > limit ? { next: page.at(-1)?.startedAt } : {}) }
    },
  )
  app.get(
    '/api/v1/calls/stream',
    { schema: { summary: 'Changes of calls as server-sent events' } },
    (request, reply) => {
      events.attach(request, reply, () => [{ event: 'calls', data: [...index.book.calls.values()].slice(-200) }])
    },
  )
  app.get(
    '/api/v1/calls/:id',
    { schema: { summary: 'One call with its legs', params: CallParams, response: { 200: Call } } },
    async (request) => {
      const { id } = request.params as { id: string }
      const call = index.book.calls.get(id)
      if (!call) throw new Problem(404, 'No such call', `no call ${id} in the last hour; "tandem cdrs" has older ones`)
      return call
    },
  )
  app.get(
    '/api/v1/calls/:id/ladder',
    {
      schema: {
        summary: 'The SIP ladder of a call of the last hour',
        params: CallParams,
        querystring: Type.Object({
          format: Type.Optional(Type.Union([Type.Literal('json'), Type.Literal('text')])),
          width: Type.Optional(
            Type.Integer({
              minimum: 20,
              maximum: 1000,
              description: 'of the text, in characters; 28 a column if absent',
            }),
          ),
        }),
      },
    },
    async (request, reply) => {
      const { id } = request.params as { id: string }
      const messages = await index.messages(id)
      if (!messages)
        throw new Problem(404, 'No ladder', `no messages of call ${id} are kept; ladders are kept for an hour`)
      const ladder = drawLadder(id, messages)
      const { format, width } = request.query as { format?: string; width?: number }
      if (format !== 'text') return ladder
      return reply.type('text/plain; charset=utf-8').send(ladderText(ladder, width))
    },
  )
  app.get(
    '/api/v1/calls/:id/pcap',
    { config: { need: 'operate' }, schema: { summary: 'The SIP messages of a call as pcap', params: CallParams } },
    async (request, reply) => {
      const { id } = request.params as { id: string }
      const messages = await index.messages(id)
      if (!messages)
        throw new Problem(404, 'No ladder', `no messages of call ${id} are kept; ladders are kept for an hour`)
      return reply
        .type('application/vnd.tcpdump.pcap')
        .header('content-disposition', `attachment; filename="${id}.pcap"`)
        .send(pcapOf(messages))
    },
  )
  app.get(
    '/api/v1/calls/:id/trace',
    { schema: { summary: 'The OpenTelemetry trace of a call', params: CallParams } },
    async (request) => {
      const { id } = request.params as { id: string }
      const found = answerOf(await bus.ask(ListCdrs, { callId: id, limit: 100 }), 'billing').cdrs.find(
        (c) => c.traceId !== undefined,
      )
      if (!found)
        throw new Problem(404, 'No trace', `no trace id is stored for call ${id}; is OTEL_EXPORTER_OTLP_ENDPOINT set?`)
      return { callId: id, traceId: found.traceId }
    },
  )
  app.post(
    '/api/v1/calls',
    {
      config: { need: 'operate' },
      schema: {
        summary: 'Place a test call: rings the user, then dials in the name of this user',
        body: Type.Object({
          from: Type.String({ minLength: 1, maxLength: 128 }),
          to: Type.String({ minLength: 1, maxLength: 256 }),
        }),
      },
    },
    async (request, reply) => {
      const placed = answerOf(await bus.ask(PlaceCall, request.body as { from: string; to: string }), 'edge-proxy')
      if (placed.kind === 'refused') throw new Problem(409, 'Call refused', placed.reason, { sipStatus: placed.status })
      return reply.code(201).send({ callId: placed.callId })
    },
  )
  app.delete(
    '/api/v1/calls/:id',
    { config: { need: 'operate' }, schema: { summary: 'Hang up', params: CallParams } },
    async (request, reply) => {
      const { id } = request.params as { id: string }
      const answers = await bus.askAll(HangUp, { callId: id, reason: `hung up by ${request.caller?.name}` })
      if (!answers.some((a) => a.found)) throw new Problem(404, 'No such call', `no edge carries call ${id} now`)
      return reply.code(204).send()
    },
  )
}
