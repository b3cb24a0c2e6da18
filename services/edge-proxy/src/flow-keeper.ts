/**
 * Keeps a flow to a carrier open and finds out when it is dead (RFC 5626 4.4): a double CRLF on a connection, a STUN
 * Binding request over UDP.
 */
import type { Clock, Timer, Wire } from './edge.ts'

/** RFC 5626 4.4.1: between 95 and 120 s where the registrar names no Flow-Timer; 4.4.2: 24 to 29 s over UDP. */
const CONNECTION_MS = { least: 95_000, most: 120_000 }
const DATAGRAM_MS = { least: 24_000, most: 29_000 }

export interface FlowKept {
  /** Both ends keep flows: an answer can be expected. */
  readonly outbound: boolean
  readonly flowTimerS: number | undefined
}

/** Pings until it is stopped; `failed` is told once. */
export function keepAlive(clock: Clock, wire: Wire, kept: FlowKept, failed: () => void): () => void {
  // RFC 5626 8: no STUN without an explicit word that the other side knows it
  if (!wire.ping || (!wire.reliable && !kept.outbound)) return () => {}
  let timer: Timer | undefined
  let stopped = false
  let mapped: string | undefined

  const stop = () => {
    stopped = true
    if (timer) clock.clearTimer(timer)
  }
  const again = () => {
    const said =
      kept.flowTimerS === undefined ? undefined : { least: kept.flowTimerS * 800, most: kept.flowTimerS * 1000 }
    const { least, most } = said ?? (wire.reliable ? CONNECTION_MS : DATAGRAM_MS)
    timer = clock.setTimer(least + Math.random() * (most - least), () => void ping())
  }
  const ping = async () => {
    const answer = await wire.ping?.(kept.outbound)
    if (stopped) return
    // RFC 5626 4.4.2: another mapped address is another flow: what the registrar knows leads nowhere
    const moved = answer?.mapped !== undefined && mapped !== undefined && answer.mapped !== mapped
    if (answer === undefined || moved) {
      stop()
      return failed()
    }
    mapped = answer.mapped ?? mapped
    again()
  }
  again()
  return stop
}
