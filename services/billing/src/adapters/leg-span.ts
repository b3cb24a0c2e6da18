import { ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api'

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/

/** The trace that a message's `traceparent` belongs to (W3C Trace Context 3.2). */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  return traceparent === undefined ? undefined : TRACEPARENT.exec(traceparent)?.[1]
}

/** One span for the pricing of one leg, as part of its call's trace; nothing for a call that is not sampled. */
export function markPriced(
  traceparent: string | undefined,
  startedAt: number,
  attributes: Record<string, string | number>,
): void {
  const parts = traceparent === undefined ? null : TRACEPARENT.exec(traceparent)
  if (parts === null || (Number.parseInt(parts[3] as string, 16) & TraceFlags.SAMPLED) === 0) return
  const parent = trace.setSpanContext(ROOT_CONTEXT, {
    traceId: parts[1] as string,
    spanId: parts[2] as string,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  })
  const tracer = trace.getTracer('tandem-billing')
  tracer.startSpan('price leg', { kind: SpanKind.CONSUMER, startTime: startedAt, attributes }, parent).end()
}
