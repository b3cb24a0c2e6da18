/** The calls and ladders of the last hour, rebuilt from the streams at each start and kept by what comes. */
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import {
  CallAnswered,
  CallEnded,
  CallInterim,
  CallRinging,
  CallStarted,
  type CapturedMessage,
  SipCaptured,
} from '@tandem/contracts/call.ts'
import { type CallBook, type CallView, emptyBook, forgetEnded, takeFact } from '../domain/live-calls.ts'

const hourMs = 3_600_000
/** Bounds the ladder index: the oldest calls are forgotten first. */
const maxIndexedCalls = 200_000

export interface CallIndex {
  readonly book: CallBook
  /** Called with each changed call. */
  subscribe(listener: (call: CallView) => void): () => void
  /** All captured messages of a call, or undefined when none are known. */
  messages(callId: string): Promise<CapturedMessage[] | undefined>
  close(): Promise<void>
}

export function startCallIndex(bus: Bus): CallIndex {
  const book = emptyBook()
  const traces = new Map<string, number[]>()
  const listeners = new Set<(call: CallView) => void>()
  const changed = (call: CallView): void => {
    for (const l of listeners) l(call)
  }
  // told by an edge that does not say of which calls
  const callsIn = async (sequence: number): Promise<Set<string>> => {
    const body = await bus.stored(SipCaptured, 'SIP_TRACE', sequence)
    return new Set(body?.messages.map((m) => m.callId))
  }
  const stops: Stop[] = [
    bus.follow(CallStarted, { sinceMs: hourMs }, (leg) => changed(takeFact(book, { kind: 'started', leg }))),
    bus.follow(CallRinging, { sinceMs: hourMs }, (leg) => changed(takeFact(book, { kind: 'ringing', leg }))),
    bus.follow(CallAnswered, { sinceMs: hourMs }, (leg) => changed(takeFact(book, { kind: 'answered', leg }))),
    bus.follow(CallInterim, { sinceMs: hourMs }, (leg) => changed(takeFact(book, { kind: 'interim', leg }))),
    bus.follow(CallEnded, { sinceMs: hourMs }, (leg) => changed(takeFact(book, { kind: 'ended', leg }))),
    bus.index(SipCaptured, { sinceMs: hourMs }, async (about, sequence) => {
      for (const callId of about ?? (await callsIn(sequence))) {
        const known = traces.get(callId)
        if (known) known.push(sequence)
        else traces.set(callId, [sequence])
      }
      while (traces.size > maxIndexedCalls) traces.delete(traces.keys().next().value as string)
    }),
  ]
  const sweep = setInterval(() => forgetEnded(book, new Date(Date.now() - hourMs).toISOString()), 60_000)
  return {
    book,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    messages: async (callId) => {
      const sequences = traces.get(callId)
      if (!sequences) return undefined
      const bodies = await Promise.all(sequences.map((s) => bus.stored(SipCaptured, 'SIP_TRACE', s)))
      return bodies.flatMap((b) => b?.messages.filter((m) => m.callId === callId) ?? [])
    },
    close: async () => {
      clearInterval(sweep)
      await Promise.all(stops.map((s) => s()))
    },
  }
}
