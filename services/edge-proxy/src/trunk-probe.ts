/** Asks a carrier by OPTIONS whether it is there (edge.md E4). Owns the timer; what an answer means is domain/trunk-health.ts. */
import { randomBytes } from 'node:crypto'
import type { Trunk } from '@tandem/config/defaults.ts'
import { makeRequest } from '@tandem/sip/message/make.ts'
import type { SipResponse, SipUri } from '@tandem/sip/message/message.ts'
import { finalResponse, requestTarget } from './carrier-request.ts'
import { ALLOW } from './domain/screen.ts'
import { provesAlive } from './domain/trunk-health.ts'
import type { Timer, TrunkPath, Wire } from './edge.ts'
import { createLargeRequests, type LargeRequests } from './large-requests.ts'
import type { TrunkLinkParts } from './trunk-link.ts'

/** A probe without an answer by then has failed, ms. */
const PROBE_MS = 4_000
/** After a silence it is asked again sooner, ms. */
const DOUBT_MS = 5_000

export interface ProbeRound {
  readonly alive: boolean
  readonly silent: ReadonlySet<SipUri>
  /** The quickest answer, ms. */
  readonly roundTripMs: number | undefined
}

export interface TrunkProbe {
  /** Asks at once and goes on; nothing when it does already. */
  start(): void
  stop(): void
  /** Another edge got an answer: this one finds out alone whether large requests can go by TCP. */
  answeredElsewhere(): void
}

export function createTrunkProbe(
  trunk: Trunk,
  parts: TrunkLinkParts,
  targets: readonly SipUri[],
  pathsTo: (uri: SipUri) => Promise<readonly TrunkPath[]>,
  told: (round: ProbeRound) => void,
): TrunkProbe {
  const { clock } = parts
  /** Counts starts: a round that was begun before the last stop is none of ours. */
  let turn = 0
  let running = false
  let timer: Timer | undefined
  let large: LargeRequests | undefined

  const optionsOn = (path: TrunkPath, wire: Wire, uri: SipUri): Promise<SipResponse | undefined> => {
    const target = requestTarget(uri)
    const request = makeRequest({
      method: 'OPTIONS',
      uri: target,
      from: `<sip:${parts.config().domain}>;tag=${randomBytes(6).toString('hex')}`,
      to: `<${target}>`,
      callId: randomBytes(12).toString('hex'),
      cseq: 1,
      route: path.routes,
      contact: `<sip:${wire.sentBy}>`,
      headers: [
        ['Accept', 'application/sdp'],
        ['Allow', ALLOW],
      ],
    })
    return finalResponse(parts, request, wire, PROBE_MS)
  }

  const offerTcp = async (path: TrunkPath, uri: SipUri) => {
    large ??= createLargeRequests({
      clock,
      wires: parts.wires,
      proves: async (tcp) => (await optionsOn(path, tcp, uri)) !== undefined,
    })
    await large.offer(path.wire)
  }

  /** ms, or undefined: silence. A carrier that lost one of its addresses is there as long as another one answers. */
  const ask = async (uri: SipUri): Promise<number | undefined> => {
    for (const path of await pathsTo(uri)) {
      const started = clock.now()
      const answer = await optionsOn(path, path.wire, uri)
      if (answer === undefined || !provesAlive(answer.status, trunk.options.alive)) continue
      if (trunk.transport === 'auto') void offerTcp(path, uri)
      return Math.round((clock.now() - started) * 10) / 10
    }
    return undefined
  }

  const round = async (mine: number) => {
    const times = await Promise.all(targets.map(ask))
    if (!running || mine !== turn) return
    const answered = times.filter((t) => t !== undefined)
    const alive = answered.length > 0
    told({
      alive,
      silent: new Set(targets.filter((_, i) => times[i] === undefined)),
      roundTripMs: alive ? Math.min(...answered) : undefined,
    })
    const next = alive ? trunk.options.intervalMs : Math.min(trunk.options.intervalMs, DOUBT_MS)
    timer = clock.setTimer(next, () => void round(mine))
  }

  return {
    start() {
      if (running) return
      running = true
      void round(++turn)
    },
    answeredElsewhere() {
      if (running || trunk.transport !== 'auto') return
      for (const uri of targets) void pathsTo(uri).then(([path]) => path && offerTcp(path, uri))
    },
    stop() {
      running = false
      if (timer) clock.clearTimer(timer)
      timer = undefined
    },
  }
}
