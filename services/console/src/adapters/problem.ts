/** Errors over HTTP as RFC 9457 problem documents. */
import type { FastifyInstance } from 'fastify'

export class Problem extends Error {
  readonly status: number
  readonly title: string
  readonly more: Record<string, unknown>
  constructor(status: number, title: string, detail: string, more: Record<string, unknown> = {}) {
    super(detail)
    this.status = status
    this.title = title
    this.more = more
  }
}

export function sendProblems(app: FastifyInstance): void {
  app.setErrorHandler((error: Error & { statusCode?: number; validation?: unknown }, request, reply) => {
    const status = error instanceof Problem ? error.status : (error.statusCode ?? 500)
    if (status >= 500) request.log.error({ err: error }, 'request failed')
    const title =
      error instanceof Problem ? error.title : status >= 500 ? 'Internal error' : (error.name ?? 'Bad request')
    const detail = status >= 500 && !(error instanceof Problem) ? 'see the log of console' : error.message
    void reply
      .code(status)
      .type('application/problem+json')
      .send({ type: 'about:blank', title, status, detail, ...(error instanceof Problem ? error.more : {}) })
  })
  app.setNotFoundHandler((request, reply) => {
    void reply
      .code(404)
      .type('application/problem+json')
      .send({
        type: 'about:blank',
        title: 'Not found',
        status: 404,
        detail: `there is no ${request.method} ${request.url.split('?')[0]}; see /api/docs`,
      })
  })
}

/** Turns what became of a question on the bus into an answer or a problem. */
export function answerOf<A>(
  asked: { kind: 'answer'; answer: A } | { kind: 'nobody' } | { kind: 'late' } | { kind: 'refused'; why: string },
  service: string,
): A {
  if (asked.kind === 'answer') return asked.answer
  if (asked.kind === 'refused') throw new Problem(502, 'Bad answer', `${service} refused: ${asked.why}`)
  throw new Problem(503, 'Service away', `${service} does not answer; look at "tandem status"`)
}
