/** The body of a request with a configuration: a large one is left unread here, and goes as it is to who reads it. */
import { largeBytes } from '@tandem/config/aside.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Proposal } from '../domain/proposal.ts'
import type { Asked } from './candidate.ts'

/** For the routes of `scope`; gives what was asked for. */
export function proposals(scope: FastifyInstance): (request: FastifyRequest) => Asked {
  const unread = new WeakMap<FastifyRequest, Buffer>()
  const parse = scope.getDefaultJsonParser('error', 'error')
  scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (body.length < largeBytes) return parse(request, body.toString('utf8'), done)
    unread.set(request, body)
    // what the schema of the route is checked on: that of the bytes is checked by who reads them
    done(null, { source: [{ path: 'unread', text: '' }] } satisfies Proposal)
  })
  return (request) => {
    const bytes = unread.get(request)
    return bytes === undefined ? { kind: 'read', body: request.body as Proposal } : { kind: 'unread', bytes }
  }
}
