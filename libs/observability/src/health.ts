/** GET /healthz, /readyz and /metrics: on every service, open to anyone who reaches the port. */
import fastify from 'fastify'
import { collectDefaultMetrics, register } from 'prom-client'

/** The lag of the event loop is looked at this often, ms. prom-client's own 10 would wake each process a hundred times a second. */
const LOOP_EVERY_MS = 100

export interface Health {
  readonly port: number
  close(): Promise<void>
}

/** `ready` returns undefined when calls can be served, or why not. */
export async function startHealth(options: {
  host?: string
  port?: number
  service: string
  ready: () => string | undefined
}): Promise<Health> {
  const app = fastify({ logger: false })
  healthRoutes(app, options)
  await app.listen({ host: options.host ?? '127.0.0.1', port: options.port ?? 0 })
  const address = app.server.address()
  return { port: typeof address === 'object' && address ? address.port : 0, close: async () => await app.close() }
}

interface RouteHost {
  get(
    path: string,
    handler: (request: unknown, reply: { code(n: number): unknown; type(t: string): unknown }) => unknown,
  ): unknown
}

/** The same three routes on a server that exists already (console). */
export function healthRoutes(app: RouteHost, options: { service: string; ready: () => string | undefined }): void {
  if (!register.getSingleMetric('process_cpu_seconds_total'))
    collectDefaultMetrics({ eventLoopMonitoringPrecision: LOOP_EVERY_MS })
  app.get('/healthz', () => ({ status: 'ok', service: options.service }))
  app.get('/readyz', (_request, reply) => {
    const why = options.ready()
    if (why !== undefined) reply.code(503)
    return why === undefined
      ? { status: 'ready', service: options.service }
      : { status: 'not ready', service: options.service, why }
  })
  app.get('/metrics', async (_request, reply) => {
    reply.type(register.contentType)
    return await register.metrics()
  })
}
