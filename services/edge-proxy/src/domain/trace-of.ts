import { type Context, isSpanContextValid, ROOT_CONTEXT, trace } from '@opentelemetry/api'

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** W3C traceparent of a leg's trace; undefined when nothing is traced. */
export function traceparentOf(leg: { readonly context: Context | undefined }): string | undefined {
  const context = leg.context === undefined ? undefined : trace.getSpanContext(leg.context)
  if (context === undefined || !isSpanContextValid(context)) return undefined
  return `00-${context.traceId}-${context.spanId}-${context.traceFlags.toString(16).padStart(2, '0')}`
}

/** The trace that another edge began goes on here. */
export function withTrace(traceparent: string | undefined): Context | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  const context = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
  return trace.setSpanContext(ROOT_CONTEXT, context)
}
