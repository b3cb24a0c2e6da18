/** Takes OTLP over HTTP in JSON, as the exporter sends it. */
import { createServer, type Server } from 'node:http'

export interface Span {
  service: string
  name: string
  traceId: string
  spanId: string
  parentSpanId: string
}

export interface Collector {
  readonly url: string
  readonly spans: readonly Span[]
  /** All that came, as it came. */
  readonly bodies: readonly string[]
  close(): Promise<void>
}

export async function startCollector(): Promise<Collector> {
  const spans: Span[] = []
  const bodies: string[] = []
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (c: Buffer) => chunks.push(c))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8')
      bodies.push(text)
      const body = JSON.parse(text) as OtlpTraces
      for (const r of body.resourceSpans ?? []) {
        const service = r.resource?.attributes?.find((a) => a.key === 'service.name')?.value.stringValue ?? ''
        for (const s of r.scopeSpans ?? []) {
          for (const { name, traceId, spanId, parentSpanId } of s.spans ?? [])
            spans.push({ service, name, traceId, spanId, parentSpanId: parentSpanId ?? '' })
        }
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    bodies,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((done) => server.close(() => done()))
    },
  }
}

interface OtlpTraces {
  resourceSpans?: {
    resource?: { attributes?: { key: string; value: { stringValue?: string } }[] }
    scopeSpans?: { spans?: { name: string; traceId: string; spanId: string; parentSpanId?: string }[] }[]
  }[]
}
