/** The end of a call as its span and log tell it. */
import { type Context, context, type Span, SpanStatusCode } from '@opentelemetry/api'
import type { CallFacts, LegEnd } from './call-facts.ts'
import type { CallParts } from './call-parts.ts'
import type { EmergencyRun } from './emergency-run.ts'

interface EndingCall {
  readonly parts: CallParts
  readonly facts: CallFacts
  readonly emergency: EmergencyRun | undefined
  readonly span: Span
  readonly context: Context
}

/**
 * What is left to do when the call is over. It keeps no more of the call than this: a call is up for long, what it took to
 * set it up is let go.
 */
export function callOver({ parts, facts, emergency: run, span, context: traced }: EndingCall): (end: LegEnd) => void {
  return (end) => {
    run?.ended()
    span.setAttribute('sip.status', end.status)
    if (end.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
    const { callId, from, dialled, to, emergency } = facts
    const told = { call: callId, from, dialled, to, emergency, status: end.status, by: end.by, reason: end.reason }
    context.with(traced, () => parts.edge.log.info(told, 'call over'))
    parts.over(callId)
  }
}
