import type { Bus } from '@tandem/bus/bus.ts'
import { ListCdrs, ShowSavings, SummariseBilling } from '@tandem/contracts/billing.ts'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { answerOf } from '../problem.ts'

const instant = Type.Optional(Type.String({ maxLength: 40, description: 'ISO 8601 with zone' }))

/** Any ISO 8601 instant as the contracts want it: UTC with milliseconds. */
function utc(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const at = new Date(text)
  return Number.isNaN(at.getTime()) ? text : at.toISOString()
}

function defined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== undefined)) as never
}

export function billingRoutes(app: FastifyInstance, { bus }: { bus: Bus }): void {
  app.get(
    '/api/v1/cdrs',
    {
      schema: {
        summary: 'Leg records with their price and how well each was heard, newest first',
        response: { 200: ListCdrs.answer },
        querystring: Type.Object({
          from: instant,
          to: instant,
          user: Type.Optional(Type.String({ maxLength: 128 })),
          trunk: Type.Optional(Type.String({ maxLength: 128 })),
          callId: Type.Optional(Type.String({ maxLength: 64 })),
          cursor: Type.Optional(Type.String({ maxLength: 256 })),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
        }),
      },
    },
    async (request) => {
      const q = request.query as {
        from?: string
        to?: string
        user?: string
        trunk?: string
        callId?: string
        cursor?: string
        limit?: number
      }
      return answerOf(await bus.ask(ListCdrs, defined({ ...q, from: utc(q.from), to: utc(q.to) }) as never), 'billing')
    },
  )
  app.get(
    '/api/v1/billing/summary',
    {
      schema: {
        summary: 'Sums by trunk, with the ledger beside them',
        querystring: Type.Object({ from: instant, to: instant, closePartial: Type.Optional(Type.Boolean()) }),
      },
    },
    async (request) => {
      const q = request.query as { from?: string; to?: string; closePartial?: boolean }
      return answerOf(
        await bus.ask(SummariseBilling, defined({ ...q, from: utc(q.from), to: utc(q.to) }) as never),
        'billing',
      )
    },
  )
  app.get(
    '/api/v1/billing/savings',
    {
      schema: {
        summary: 'The same calls priced several ways',
        querystring: Type.Object({ from: instant, to: instant }),
      },
    },
    async (request) => {
      const q = request.query as { from?: string; to?: string }
      return answerOf(await bus.ask(ShowSavings, defined({ from: utc(q.from), to: utc(q.to) }) as never), 'billing')
    },
  )
}
