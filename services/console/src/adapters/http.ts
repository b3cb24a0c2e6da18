/** The HTTP server: security headers, tokens, limits, OpenAPI, health, the page, and the routes under /api/v1. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { existsSync } from 'node:fs'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import serveStatic from '@fastify/static'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { healthRoutes } from '@tandem/observability/health.ts'
import type { Logger } from '@tandem/observability/log.ts'
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { may, type Need, type Role, type TokenEntry } from '../domain/access.ts'
import { Problem, sendProblems } from './problem.ts'

export interface Caller {
  readonly name: string
  readonly role: Role
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | undefined
  }
  interface FastifyContextConfig {
    /** What a token must grant; a route without it needs `read`. */
    need?: Need
    /** Health, the page's files and the API's own description. */
    open?: boolean
  }
}

export interface HttpSettings {
  readonly log: Logger
  readonly tokens: readonly TokenEntry[]
  /** The demonstration: whoever asks from loopback is admin. It says so in a header and on the page. */
  readonly openOnLoopback: boolean
  /** Folder of the built page. */
  readonly page: string | undefined
  readonly ready: () => string | undefined
}

export type Http = FastifyInstance

export async function buildHttp(settings: HttpSettings): Promise<Http> {
  const app = fastify({
    loggerInstance: settings.log.child({ part: 'http' }, { level: 'warn' }) as never,
    // a configuration with the prices and numbers of a carrier
    bodyLimit: 128 * 1024 * 1024,
    forceCloseConnections: true,
    requestTimeout: 30_000,
    routerOptions: { maxParamLength: 256 },
  }).withTypeProvider<TypeBoxTypeProvider>() as unknown as FastifyInstance
  sendProblems(app)
  await app.register(helmet, {
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        upgradeInsecureRequests: null,
      },
    },
    hsts: false,
  })
  await app.register(rateLimit, { max: 1200, timeWindow: '1 minute', allowList: (request) => isLoopback(request) })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tandem',
        version: '1',
        description: 'Enterprise SIP trunking: calls, numbers, presence, locations, CDRs, configuration.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) => (typeof json.$id === 'string' ? json.$id : `def-${i}`),
    },
  })
  await app.register(swaggerUi, { routePrefix: '/api/docs' })
  app.decorateRequest('caller', undefined)
  app.addHook('onRequest', async (request, reply) => {
    request.caller = whoAsks(request, settings)
    if (settings.openOnLoopback && isLoopback(request)) reply.header('Tandem-Open', 'loopback demonstration')
    if (!request.url.startsWith('/api/v1/') || request.routeOptions.config?.open) return
    admit(request)
  })
  healthRoutes(app as never, { service: 'console', ready: settings.ready })
  if (settings.page !== undefined && existsSync(settings.page)) {
    await app.register(serveStatic, { root: settings.page, index: ['index.html'], wildcard: false })
  }
  return app
}

function admit(request: FastifyRequest): void {
  const need = request.routeOptions.config?.need ?? 'read'
  if (!request.caller)
    throw new Problem(
      401,
      'Token needed',
      'send "Authorization: Bearer <token>"; the first start wrote one into the data folder, secrets/api-token',
    )
  if (!may(request.caller.role, need))
    throw new Problem(403, 'Not allowed', `the role ${request.caller.role} may not ${need} here`)
}

function whoAsks(request: FastifyRequest, settings: HttpSettings): Caller | undefined {
  const header = request.headers.authorization
  const given = header?.startsWith('Bearer ') ? header.slice(7) : cookieToken(request.headers.cookie)
  if (given !== undefined) {
    const digest = createHash('sha256').update(given).digest()
    const entry = settings.tokens.find((t) => timingSafeEqual(Buffer.from(t.sha256, 'hex'), digest))
    if (entry) return { name: entry.name, role: entry.role }
  }
  if (settings.openOnLoopback && isLoopback(request)) return { name: 'loopback demonstration', role: 'admin' }
  return undefined
}

/** EventSource cannot send headers: the page keeps its token in a SameSite cookie. */
function cookieToken(cookie: string | undefined): string | undefined {
  return /(?:^|;\s*)tandem-token=([A-Za-z0-9_-]{16,128})/.exec(cookie ?? '')?.[1]
}

function isLoopback(request: FastifyRequest): boolean {
  const address = request.socket.remoteAddress ?? ''
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.')
}
