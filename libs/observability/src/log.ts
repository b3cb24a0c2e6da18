/** pino, with the trace id of the running span on every line and nothing secret in it. */
import { context, trace } from '@opentelemetry/api'
import { type DestinationStream, type Logger, pino } from 'pino'
import { standardOutput } from './log-destination.ts'

export type { Logger }

/** Keys whose values never reach a log, at the top or one level down. */
const secretKeys = [
  'password',
  'token',
  'authorization',
  'Authorization',
  'ha1',
  'secret',
  'privateKey',
  'civic',
  'place',
  'pidfLo',
  'location',
]

export function createLogger(options: {
  service: string
  level?: string | undefined
  destination?: DestinationStream
}): Logger {
  return pino(
    {
      level: options.level ?? 'info',
      base: { service: options.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: [...secretKeys, ...secretKeys.map((k) => `*.${k}`)], censor: '[redacted]' },
      mixin: traceOfLine,
    },
    options.destination ?? standardOutput(),
  )
}

function traceOfLine(): object {
  const span = trace.getSpan(context.active())
  if (!span) return {}
  const { traceId, spanId } = span.spanContext()
  return { trace_id: traceId, span_id: spanId }
}
