/** Trace context in message headers (W3C traceparent): the one place where the bus meets OpenTelemetry. */

import { type Msg, type MsgHdrs, headers as newHeaders } from '@nats-io/nats-core'
import {
  type Context,
  context,
  isSpanContextValid,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'

const tracer = trace.getTracer('tandem-bus')

const setter = { set: (carrier: MsgHdrs, key: string, value: string) => carrier.set(key, value) }
const getter = {
  keys: (carrier: MsgHdrs) => carrier.keys(),
  get: (carrier: MsgHdrs, key: string) => carrier.get(key) || undefined,
}

export function outgoing(
  kind: SpanKind,
  subject: string,
  parent: Context,
): { span: Span; headers: MsgHdrs; context: Context } {
  const span = tracer.startSpan(
    subject,
    { kind, attributes: { 'messaging.system': 'nats', 'messaging.destination.name': subject } },
    parent,
  )
  const inside = trace.setSpan(parent, span)
  const headers = newHeaders()
  propagation.inject(inside, headers, setter)
  return { span, headers, context: inside }
}

/** Headers that carry on a context without a span of its own: for facts, which are many. */
export function carry(parent: Context): MsgHdrs {
  const headers = newHeaders()
  propagation.inject(parent, headers, setter)
  return headers
}

/** Whether there is a trace to carry on: there is none where nobody traces. */
export function traced(parent: Context): boolean {
  const span = trace.getSpanContext(parent)
  return span !== undefined && isSpanContextValid(span)
}

export function incoming(headers: MsgHdrs | undefined): Context {
  return headers ? propagation.extract(context.active(), headers, getter) : context.active()
}

/** Headers are read only where the context is asked for: few who hear a fact do. */
export function contextOf(message: Msg): { readonly context: Context } {
  return {
    get context() {
      return incoming(message.headers)
    },
  }
}

export function incomingSpan(kind: SpanKind, subject: string, parent: Context): { span: Span; context: Context } {
  const span = tracer.startSpan(
    subject,
    { kind, attributes: { 'messaging.system': 'nats', 'messaging.destination.name': subject } },
    parent,
  )
  return { span, context: trace.setSpan(parent, span) }
}

export function failed(span: Span, why: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message: why })
}

export { context, SpanKind }
